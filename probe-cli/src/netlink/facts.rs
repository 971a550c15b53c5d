//! What rtnetlink says, as our own plain types: nothing is joined or judged here.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// One dump of everything the inventory needs from one network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Every link.
    pub links: Vec<LinkFact>,
    /// Every address.
    pub addresses: Vec<AddressFact>,
    /// Unicast and blackhole routes of the main table.
    pub routes: Vec<RouteFact>,
    /// Neighbours of tunnel devices.
    pub neighbours: Vec<NeighbourFact>,
    /// Forwarding database entries of tunnel devices (`AF_BRIDGE`, `NTF_SELF`).
    pub fdb: Vec<FdbFact>,
    /// What could not be read, with the cause: a torn dump (`NLM_F_DUMP_INTR`), an unknown attribute size.
    pub problems: Vec<String>,
}

/// A link, from `RTM_NEWLINK`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFact {
    /// Interface index.
    pub ifindex: u32,
    /// Name. May hold anything but `/` and NUL; bytes that are no UTF-8 are replaced.
    pub name: String,
    /// `IFLA_INFO_KIND`: "vxlan", "veth"; absent on hardware.
    pub kind: Option<String>,
    /// `ARPHRD_*`: 1 for Ethernet, 65534 for none.
    pub hardware_type: u16,
    /// `IFLA_MTU`.
    pub mtu: u32,
    /// `IFLA_ADDRESS`, when it has 6 bytes.
    pub mac: Option<Mac>,
    /// `IFF_UP`.
    pub up: bool,
    /// `IFLA_LINK`: the device below, or a veth's other end (there the index may be of another namespace).
    pub link: Option<u32>,
    /// `IFLA_LINK_NETNSID`: set when `link` is an index of another namespace.
    pub link_netns: Option<i32>,
    /// `IFLA_MASTER`.
    pub master: Option<u32>,
    /// `IFLA_INFO_DATA` of a VXLAN device.
    pub vxlan: Option<VxlanFact>,
}

/// `IFLA_INFO_DATA` of a VXLAN device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VxlanFact {
    /// `IFLA_VXLAN_ID`; meaningless when `collect_metadata` is set.
    pub vni: u32,
    /// `IFLA_VXLAN_PORT`, host byte order.
    pub port: u16,
    /// `IFLA_VXLAN_LINK`: the underlay device, when fixed.
    pub link: Option<u32>,
    /// `IFLA_VXLAN_LOCAL` or `IFLA_VXLAN_LOCAL6`.
    pub local: Option<IpAddr>,
    /// `IFLA_VXLAN_GROUP` or `IFLA_VXLAN_GROUP6`: the default destination.
    pub group: Option<IpAddr>,
    /// `IFLA_VXLAN_COLLECT_METADATA`.
    pub collect_metadata: bool,
    /// `IFLA_VXLAN_LEARNING`.
    pub learning: bool,
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
    /// Seconds since the entry was last used for sending (`NDA_CACHEINFO`).
    pub used_s: Option<u64>,
}
