//! What rtnetlink says, as our own plain types: nothing is joined or judged here.

mod bridge_vlan;
mod conf;
mod device;
mod exception;
mod link;
mod lookup;
mod neighbour_state;
mod rule;
mod sriov;
mod table;
#[cfg(test)]
pub(crate) mod testdata;
mod wireguard;

use std::{cmp::Reverse, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::{
    bridge_vlan::{BridgeVlansFact, VlanRange},
    conf::{Ipv4Conf, Ipv6Conf},
    device::{ChannelsFact, DeviceFact, DriverFact, FeatureFact},
    exception::PmtuException,
    link::{
        BridgeFact, GeneveFact, IpTunnelFact, IpvlanMode, LOOPBACK, LinkData, LinkFact, MacvlanMode,
        NetkitMode, OperState, VlanFact, VxlanDf, VxlanFact,
    },
    lookup::RouteLookup,
    neighbour_state::{NeighbourState, NeighbourStateFact},
    rule::{FwMark, PolicyTableFact, RuleFact},
    sriov::{LinkCounters, VfInfoFact, VfLinkState, VfListFact, VfVlan},
    table::{OfDevice, PerDevice, Routes},
    wireguard::{PublicKey, WIREGUARD, WireguardCounters, WireguardFact, WireguardPeerFact},
};
use crate::{mac::Mac, observed::Observed};

/// One dump of everything the inventory needs from one network namespace. A table that could not be read is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Every link. Without them there is no dump at all.
    pub links: Vec<LinkFact>,
    /// Every address.
    pub addresses: Observed<Vec<AddressFact>>,
    /// Unicast and blackhole routes of the main table.
    pub routes: Routes,
    /// Policy rules of both families; absent on a kernel without any.
    pub rules: Observed<Vec<RuleFact>>,
    /// Routes of the tables that a rule sends every packet to but those with a mark: where Calico keeps its WireGuard routes.
    pub policy_tables: Vec<PolicyTableFact>,
    /// Neighbours of tunnel devices.
    pub neighbours: PerDevice<NeighbourFact>,
    /// Forwarding database entries of tunnel devices (`AF_BRIDGE`, `NTF_SELF`).
    pub fdb: PerDevice<FdbFact>,
    /// Every WireGuard device.
    pub wireguard: Vec<OfDevice<WireguardFact>>,
    /// What is wrong with tables that were read: a torn dump (`NLM_F_DUMP_INTR`), messages that could not be understood.
    pub notes: Vec<String>,
}

impl Facts {
    /// What could not be read or understood, each once.
    pub fn troubles(&self) -> Vec<String> {
        let tables = self.policy_tables.iter().filter_map(|table| table.routes.trouble());
        let all = (self.addresses.trouble().into_iter())
            .chain(self.routes.troubles())
            .chain(self.neighbours.troubles())
            .chain(self.fdb.troubles())
            .chain(self.rules.trouble())
            .chain(tables)
            .chain(self.notes.iter().cloned())
            .chain(self.wireguard.iter().filter_map(|device| device.told.trouble()));
        let mut troubles = Vec::new();
        for trouble in all {
            if !troubles.contains(&trouble) {
                troubles.push(trouble);
            }
        }
        troubles
    }
}

/// An address, from `RTM_NEWADDR`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressFact {
    /// Interface index.
    pub ifindex: u32,
    /// Address and prefix length.
    pub address: IpNet,
    /// `RT_SCOPE_UNIVERSE`: not link-local, not host.
    pub global: bool,
}

/// Type of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteType {
    /// `RTN_UNICAST`.
    Unicast,
    /// `RTN_BLACKHOLE`: flannel's own pod network.
    Blackhole,
    /// `RTN_UNREACHABLE`: packets are dropped, and their sender is told so.
    Unreachable,
    /// `RTN_PROHIBIT`: the same, in other words.
    Prohibit,
    /// `RTN_THROW`: the next policy rule is asked.
    Throw,
}

impl RouteType {
    /// The word of ip-route(8) for a type that drops packets; none for others.
    pub const fn dropping(self) -> Option<&'static str> {
        match self {
            Self::Unicast | Self::Throw => None,
            Self::Blackhole => Some("blackhole"),
            Self::Unreachable => Some("unreachable"),
            Self::Prohibit => Some("prohibit"),
        }
    }
}

/// A route, from `RTM_NEWROUTE`. A multipath route is one fact per next hop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteFact {
    /// Destination; the default route is `0.0.0.0/0` or `::/0`.
    pub destination: IpNet,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// `RTA_OIF`.
    pub ifindex: Option<u32>,
    /// Type.
    pub kind: RouteType,
    /// `RTA_PRIORITY`.
    pub metric: u32,
    /// `RTAX_MTU`.
    pub mtu: Option<u32>,
    /// `RTA_PREFSRC`.
    pub source: Option<IpAddr>,
    /// `rtm_protocol`.
    pub protocol: u8,
}

impl RouteFact {
    /// Of two routes of a table that a packet fits the kernel takes the one with the greater rank: the longest prefix, and of equal ones
    /// the smallest metric (`fib_table_lookup`, net/ipv4; `fib6_node_lookup`, net/ipv6).
    pub fn rank(&self) -> (u8, Reverse<u32>) {
        (self.destination.prefix_len(), Reverse(self.metric))
    }
}

/// A neighbour, from `RTM_NEWNEIGH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourFact {
    /// Interface index.
    pub ifindex: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its link-layer address; absent while unresolved.
    pub mac: Option<Mac>,
    /// `NUD_PERMANENT`.
    pub permanent: bool,
    /// `NUD_FAILED`.
    pub failed: bool,
}

/// A forwarding database entry of a VXLAN device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdbFact {
    /// Interface index of the VXLAN device.
    pub ifindex: u32,
    /// The inner MAC address; all zero for the default destination.
    pub mac: Mac,
    /// `NDA_DST`: where frames to it go.
    pub destination: Option<IpAddr>,
    /// Seconds since the entry was last used for sending, or since it was made (`ndm_used` of `NDA_CACHEINFO`).
    pub used_s: Option<u64>,
}

/// What is in the network namespace of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceFact {
    /// Path of the namespace on the node, as the runtime names it.
    pub path: String,
    /// What the node's namespace knows it by (`IFLA_LINK_NETNSID` of the node's links); none when it has no number.
    pub nsid: Option<i32>,
    /// What [`LinkFact::link_netns`] of the links here says of a link whose device below is the node's.
    pub node_nsid: Option<i32>,
    /// Its links.
    pub links: Vec<LinkFact>,
    /// Their addresses.
    pub addresses: Vec<AddressFact>,
}
