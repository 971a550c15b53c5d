//! What rtnetlink says of links, each kind with the part of its data that somebody reads.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

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
    /// `IFLA_PARENT_DEV_NAME` (since Linux 5.14): the device behind it, such as a PCI address.
    pub parent_device: Option<String>,
    /// `IFLA_INFO_DATA` of a VXLAN device.
    pub vxlan: Option<VxlanFact>,
    /// `IFLA_INFO_DATA` of further kinds.
    #[serde(default)]
    pub data: Option<LinkData>,
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
