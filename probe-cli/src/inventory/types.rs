//! The inventory's data types. No logic beyond naming.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// Everything that exists on the node, at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Tunnel devices, by interface index.
    pub tunnels: Vec<Tunnel>,
    /// Remote VTEPs, over all tunnels.
    pub peers: Vec<Peer>,
    /// Pods of this node.
    pub pods: Vec<Pod>,
    /// What could not be read or does not fit together, in words an operator can act on.
    pub notes: Vec<String>,
}

/// Kind of a tunnel device, from `IFLA_INFO_KIND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelKind {
    /// VXLAN, RFC 7348: carries Ethernet frames.
    Vxlan,
}

impl fmt::Display for TunnelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vxlan => "vxlan",
        })
    }
}

/// A tunnel device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// Interface name, as the kernel has it: may hold any byte but `/` and NUL, so escape it before showing it.
    pub name: String,
    /// Interface index: unique in its network namespace, never reused for another device while this one lives.
    pub ifindex: u32,
    /// What it is.
    pub kind: TunnelKind,
    /// VXLAN network identifier; absent on a collect-metadata device, which carries many.
    pub vni: Option<u32>,
    /// UDP destination port of the outer packets (`IFLA_VXLAN_PORT`).
    pub port: Option<u16>,
    /// Outer source address of this node, where it is configured or follows from the underlay's addresses.
    pub local: Option<IpAddr>,
    /// Family of the outer packets: 4 or 6; none on a collect-metadata device, which carries both.
    pub outer_family: Option<u8>,
    /// The device that the outer packets leave by.
    pub underlay: Option<Underlay>,
    /// MTU of the tunnel device in bytes of the inner packet (`IFLA_MTU`).
    pub mtu: u32,
    /// The device's own link-layer address; absent on a device without one.
    pub mac: Option<Mac>,
    /// Addresses of the device.
    pub addresses: Vec<IpNet>,
    /// True when the tunnel destination comes with each packet (`IFLA_VXLAN_COLLECT_METADATA`).
    pub external: bool,
    /// True when the device carries bare IP packets (`ARPHRD_NONE`) and no Ethernet frames.
    pub l3: bool,
    /// Destinations of frames to group or unknown addresses: FDB entries of the all-zero address.
    pub flood: u32,
    /// True when the device is administratively up (`IFF_UP`).
    pub up: bool,
}

impl Tunnel {
    /// Bytes that the outer IP packet adds to the inner IP packet on the wire, where the kind and family decide it:
    /// 50 for VXLAN over IPv4, 70 over IPv6 (outer IP 20 or 40, UDP 8, VXLAN 8, inner Ethernet 14).
    pub fn overhead(&self) -> u32 {
        let ip = if self.outer_family == Some(6) { 40 } else { 20 };
        match self.kind {
            TunnelKind::Vxlan => ip + 8 + 8 + 14,
        }
    }

    /// Largest inner IP packet in bytes that the tunnel takes and its underlay carries in one piece.
    pub fn budget(&self) -> u32 {
        let below = self.underlay.as_ref().map_or(u32::MAX, |u| u.mtu.saturating_sub(self.overhead()));
        self.mtu.min(below)
    }
}

/// The device below a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Underlay {
    /// Interface name; escape before showing.
    pub name: String,
    /// Interface index.
    pub ifindex: u32,
    /// MTU in bytes of the outer IP packet.
    pub mtu: u32,
    /// True when the device carries bare IP packets.
    pub l3: bool,
}

/// What names a peer on its tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerKey {
    /// Inner MAC address of the remote VTEP.
    Mac(Mac),
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
        }
    }
}

/// A remote node, as one tunnel knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Interface index of the tunnel.
    pub tunnel: u32,
    /// What names it there.
    pub key: PeerKey,
    /// The remote node's underlay address, from the FDB.
    pub node_address: Option<IpAddr>,
    /// Pod networks routed to it.
    pub pod_cidrs: Vec<IpNet>,
}

/// How a pod got its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PodSource {
    /// The lab's own registry.
    Lab,
    /// Only the kernel knows it: a host veth with routes to single addresses. It has no name.
    Route,
}

/// A pod of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Kubernetes namespace, when a source knows it. Hostile input: escape before showing.
    pub namespace: Option<String>,
    /// Pod name, when a source knows it. Hostile input: escape before showing.
    pub name: Option<String>,
    /// Addresses, every family.
    pub addresses: Vec<IpAddr>,
    /// Interface index of the host end of its veth; absent for a pod behind something else.
    pub host_ifindex: Option<u32>,
    /// Name of the host end of its veth.
    pub host_ifname: Option<String>,
    /// Where the name came from.
    pub source: PodSource,
}

/// What names a pod across samples.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PodKey {
    /// Kubernetes namespace, empty when unknown.
    pub namespace: String,
    /// Pod name, or the host interface's name when unknown.
    pub name: String,
    /// Interface index of the host end, 0 when there is none: a recreated pod is another pod.
    pub host_ifindex: u32,
}

impl Pod {
    /// What names this pod across samples.
    pub fn key(&self) -> PodKey {
        PodKey {
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.name.clone().or_else(|| self.host_ifname.clone()).unwrap_or_default(),
            host_ifindex: self.host_ifindex.unwrap_or(0),
        }
    }

    /// `namespace/name`, or the host interface's name in parentheses when nobody knows the pod's.
    pub fn label(&self) -> String {
        match (&self.namespace, &self.name, &self.host_ifname) {
            (Some(namespace), Some(name), _) => format!("{namespace}/{name}"),
            (None, Some(name), _) => name.clone(),
            (_, None, Some(ifname)) => format!("({ifname})"),
            (_, None, None) => "(unknown)".to_owned(),
        }
    }
}
