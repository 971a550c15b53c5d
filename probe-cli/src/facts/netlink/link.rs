//! What rtnetlink says of links, each kind with the part of its data that somebody reads.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Ipv4Conf, Ipv6Conf};
use crate::mac::Mac;

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
    /// `IFLA_OPERSTATE`.
    #[serde(default)]
    pub oper_state: Option<OperState>,
    /// `IFLA_CARRIER`; meaningless while the link is down.
    #[serde(default)]
    pub carrier: Option<bool>,
    /// `IFLA_LINK`: the device below, or a veth's other end (there the index may be of another namespace).
    pub link: Option<u32>,
    /// `IFLA_LINK_NETNSID`: set when `link` is an index of another namespace.
    pub link_netns: Option<i32>,
    /// `IFLA_MASTER`.
    pub master: Option<u32>,
    /// `IFLA_QDISC`: the queueing discipline of its egress, as "noqueue", "mq", "netem"; none where it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qdisc: Option<String>,
    /// `IFLA_PARENT_DEV_NAME` (since Linux 5.14): the device behind it, such as a PCI address.
    pub parent_device: Option<String>,
    /// `IFLA_AF_SPEC` of IPv4; none where IPv4 does not use the link, as with an MTU below 68.
    pub ipv4_conf: Option<Ipv4Conf>,
    /// `IFLA_AF_SPEC` of IPv6; none where IPv6 does not use the link, as with an MTU below 1280.
    pub ipv6_conf: Option<Ipv6Conf>,
    /// `IFLA_INFO_DATA` of a VXLAN device.
    pub vxlan: Option<VxlanFact>,
    /// `IFLA_INFO_DATA` of further kinds.
    #[serde(default)]
    pub data: Option<LinkData>,
}

/// `ARPHRD_LOOPBACK`, linux/if_arp.h.
pub const LOOPBACK: u16 = 772;

impl LinkFact {
    /// It leads nowhere but here.
    pub fn is_loopback(&self) -> bool {
        self.hardware_type == LOOPBACK
    }
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
    /// `IFLA_VXLAN_L2MISS`: somebody is told of each destination without an FDB entry; none where the kernel does not say.
    pub l2miss: Option<bool>,
    /// `IFLA_VXLAN_L3MISS`: somebody is told of each destination without a neighbour.
    pub l3miss: Option<bool>,
    /// `IFLA_VXLAN_UDP_CSUM`: outer IPv4 packets are sent with a UDP checksum; none where the kernel does not say.
    pub udp_checksum: Option<bool>,
    /// `IFLA_VXLAN_UDP_ZERO_CSUM6_TX`: outer IPv6 packets are sent without a UDP checksum.
    pub udp_zero_checksum6_tx: Option<bool>,
    /// `IFLA_VXLAN_UDP_ZERO_CSUM6_RX`: outer IPv6 packets without a UDP checksum are taken.
    pub udp_zero_checksum6_rx: Option<bool>,
    /// `IFLA_VXLAN_DF` (since Linux 4.20): what outer IPv4 packets have in "do not fragment".
    pub df: Option<VxlanDf>,
}

impl VxlanFact {
    /// A process makes its entries when a packet needs them, as for early versions of flannel: what is not there yet is not
    /// missing.
    pub fn is_on_demand(&self) -> bool {
        self.l2miss == Some(true) || self.l3miss == Some(true)
    }
}

/// `VXLAN_DF_*` (linux/if_link.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VxlanDf {
    /// Never set: what does not fit is taken apart.
    Unset,
    /// Always set.
    Set,
    /// As the inner packet has it.
    Inherit,
}

/// Operational state of a link (RFC 2863, `IF_OPER_*` in linux/if.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperState {
    /// The driver does not say; WireGuard, VXLAN and other software devices that are up.
    Unknown,
    /// The hardware is not there.
    NotPresent,
    /// It carries nothing.
    Down,
    /// The device below carries nothing.
    LowerLayerDown,
    /// Under test.
    Testing,
    /// Waits for something, as for 802.1X.
    Dormant,
    /// It carries packets.
    Up,
}

/// `IFLA_INFO_DATA` of kinds other than VXLAN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkData {
    /// Kinds "ipip" and "ip6tnl".
    IpTunnel(IpTunnelFact),
    /// Kind "bridge".
    Bridge(BridgeFact),
    /// Kind "geneve".
    Geneve(GeneveFact),
    /// Kind "vlan".
    Vlan(VlanFact),
    /// Kinds "macvlan" and "macvtap"; none for a mode that is not known here.
    Macvlan(Option<MacvlanMode>),
    /// Kinds "ipvlan" and "ipvtap"; none for a mode that is not known here.
    Ipvlan(Option<IpvlanMode>),
    /// Kind "netkit"; none for a mode that is not known here.
    Netkit(Option<NetkitMode>),
}

/// `IFLA_IPTUN_*` of an IP-in-IP device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpTunnelFact {
    /// `IFLA_IPTUN_LINK`: the device that outer packets leave by, when fixed.
    pub link: Option<u32>,
    /// `IFLA_IPTUN_LOCAL`, when set.
    pub local: Option<IpAddr>,
    /// `IFLA_IPTUN_REMOTE`, when set; else the route's gateway is the destination.
    pub remote: Option<IpAddr>,
    /// `IFLA_IPTUN_COLLECT_METADATA`.
    pub collect_metadata: bool,
}

/// `IFLA_BR_*` of a bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeFact {
    /// `IFLA_BR_VLAN_FILTERING`: VLANs of its ports count.
    pub vlan_filtering: bool,
    /// `IFLA_BR_VLAN_DEFAULT_PVID`: VLAN of ports that are given none; 0 for none.
    pub default_pvid: Option<u16>,
    /// `IFLA_BR_NF_CALL_IPTABLES`: netfilter sees its IPv4 packets, whatever the sysctl says; none without `br_netfilter`.
    pub nf_call_iptables: Option<bool>,
    /// `IFLA_BR_NF_CALL_IP6TABLES`.
    pub nf_call_ip6tables: Option<bool>,
}

/// `IFLA_GENEVE_*`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneveFact {
    /// `IFLA_GENEVE_ID`; meaningless when `collect_metadata` is set.
    pub vni: u32,
    /// `IFLA_GENEVE_PORT`, host byte order.
    pub port: u16,
    /// `IFLA_GENEVE_REMOTE` or `IFLA_GENEVE_REMOTE6`, when set.
    pub remote: Option<IpAddr>,
    /// `IFLA_GENEVE_COLLECT_METADATA`.
    pub collect_metadata: bool,
}

/// `IFLA_VLAN_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VlanFact {
    /// `IFLA_VLAN_ID`.
    pub id: u16,
    /// `IFLA_VLAN_PROTOCOL`: true for 802.1ad, false for 802.1Q.
    pub is_qinq: bool,
}

/// `MACVLAN_MODE_*`: whom the stations on one parent reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MacvlanMode {
    /// Nobody else on the parent.
    Private,
    /// Each other by way of the switch outside.
    Vepa,
    /// Each other.
    Bridge,
    /// It has the parent alone.
    Passthru,
    /// Those whose source addresses are listed.
    Source,
}

/// `IPVLAN_MODE_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpvlanMode {
    /// Switches.
    L2,
    /// Routes; netfilter of the host does not see the packets.
    L3,
    /// Routes; netfilter sees them.
    L3s,
}

/// `NETKIT_L2` or `NETKIT_L3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetkitMode {
    /// Carries Ethernet frames.
    L2,
    /// Carries bare IP packets.
    L3,
}
