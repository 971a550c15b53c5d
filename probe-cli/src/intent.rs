//! What the node's files say that its network should be: one answer to each question, with where it came from, and the
//! contradictions between files. Pure: the facts are from [`crate::hostfiles`]. What the kernel really has is not asked here.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

use crate::{facts::files::HostFiles, text::shown};

mod addresses;
mod agree;
mod calico;
mod charts;
mod cilium;
mod cni;
mod distribution;
mod flannel;
#[cfg(test)]
mod tests;

/// How a value came to be intended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A file says it.
    Configured,
    /// It follows from what a file says of something else.
    Inferred,
    /// No file says anything else: what the program or the chart takes then.
    Default,
}

/// A value that is intended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intended<T> {
    /// The value.
    pub value: T,
    /// How it came to be.
    pub basis: Basis,
    /// The file that says it, or that it follows from; none for a default that no file is behind.
    pub file: Option<String>,
    /// Line in that file, from 1.
    pub line: Option<u32>,
}

/// The CNI that makes the pods' first interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cni {
    /// RKE2's Canal: flannel between nodes, Calico on the node.
    Canal,
    /// rke2-flannel or flannel by its own manifest.
    Flannel,
    /// The flannel inside k3s.
    K3sFlannel,
    /// Calico.
    Calico,
    /// Cilium.
    Cilium,
    /// `cni: none`: somebody else's.
    None,
    /// Another one, by its plugin.
    Other(String),
}

/// How packets get from node to node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// VXLAN.
    Vxlan,
    /// Geneve.
    Geneve,
    /// WireGuard is the tunnel.
    Wireguard,
    /// IP in IP.
    Ipip,
    /// flannel's `host-gw`: routes by the other nodes' addresses, no tunnel.
    HostGw,
    /// UDP, by flanneld itself.
    Udp,
    /// Calico without encapsulation: `None`, routes by BGP.
    NoEncapsulation,
    /// Cilium's native routing.
    NativeRouting,
    /// No backend: `none`.
    None,
    /// Another one, by its name.
    Other(String),
}

/// Encryption on top of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// WireGuard between nodes: Calico's and Cilium's, beside the tunnel.
    Wireguard,
    /// IPsec.
    Ipsec,
    /// Another one, by its name.
    Other(String),
}

/// How the node's interface for tunnels is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InterfaceChoice {
    /// By this name, or by this address.
    Name(String),
    /// The first one that matches this regular expression.
    Pattern(String),
    /// By another rule of the CNI, in its words.
    Rule(String),
}

/// What Multus is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultusIntent {
    /// RKE2 is told to install it (`cni: [multus, ...]`).
    pub requested: Option<Intended<()>>,
    /// It is the default network in the CNI directory.
    pub installed: Option<Intended<()>>,
    /// The network behind it, by name, or `clusterNetwork` as it is written.
    pub delegate: Option<Intended<String>>,
    /// Type of the delegate's first plugin, where it is known.
    pub delegate_plugin: Option<Intended<String>>,
    /// Types of plugins as they call each other: Multus, Multus again where it is its own delegate by mistake, and the first
    /// plugin that is another one. Empty when Multus is not installed.
    pub chain: Vec<Intended<String>>,
}

/// What the node's files want. A list is empty and an option is none where nothing tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// The CNI.
    pub cni: Option<Intended<Cni>>,
    /// How packets get from node to node.
    pub backend: Option<Intended<Backend>>,
    /// Nothing is wrapped between nodes of one network: flannel's `DirectRouting`, Calico's `CrossSubnet`.
    pub direct_routing: Option<Intended<bool>>,
    /// Encryption on top of that.
    pub encryption: Option<Intended<Encryption>>,
    /// IPv4 is used by pods.
    pub ipv4: Option<Intended<bool>>,
    /// IPv6 is used by pods.
    pub ipv6: Option<Intended<bool>>,
    /// Networks of all pods.
    pub cluster_cidrs: Vec<Intended<IpNet>>,
    /// Networks of services.
    pub service_cidrs: Vec<Intended<IpNet>>,
    /// This node's addresses (`node-ip`).
    pub node_ips: Vec<Intended<IpAddr>>,
    /// This node's external addresses (`node-external-ip`).
    pub node_external_ips: Vec<Intended<IpAddr>>,
    /// This node's name.
    pub node_name: Option<Intended<String>>,
    /// This node's pod networks, as flannel wrote them down.
    pub pod_cidrs: Vec<Intended<IpNet>>,
    /// How the interface for tunnels is chosen; none leaves it to the CNI, which takes that of the default route.
    pub interface: Option<Intended<InterfaceChoice>>,
    /// MTU of outer packets that the tunnel is made for, where it is not the interface's own.
    pub underlay_mtu: Option<Intended<u32>>,
    /// MTU of the tunnel, in bytes of the inner IP packet.
    pub tunnel_mtu: Option<Intended<u32>>,
    /// MTU of new pods' interfaces, in bytes of the IP packet.
    pub pod_mtu: Option<Intended<u32>>,
    /// VXLAN network identifier.
    pub vni: Option<Intended<u32>>,
    /// UDP port of outer packets; over IPv4, where the families differ.
    pub port: Option<Intended<u16>>,
    /// UDP port of outer packets over IPv6, where it is another one.
    pub port_v6: Option<Intended<u16>>,
    /// The default network of the CNI directory, by name.
    pub default_network: Option<Intended<String>>,
    /// The CNI whose that network is, where RKE2 or k3s is told another one.
    pub foreign_cni: Option<Intended<Cni>>,
    /// Multus, where anything speaks of it.
    pub multus: Option<MultusIntent>,
    /// Whereabouts is there.
    pub whereabouts: Option<Intended<()>>,
    /// What could not be read or understood, and values that files do not agree on, in words an operator can act on.
    pub notes: Vec<String>,
}

impl fmt::Display for Cni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canal => "canal",
            Self::Flannel => "flannel",
            Self::K3sFlannel => "k3s flannel",
            Self::Calico => "calico",
            Self::Cilium => "cilium",
            Self::None => "none",
            Self::Other(name) => name,
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Wireguard => "wireguard",
            Self::Ipip => "ipip",
            Self::HostGw => "host-gw",
            Self::Udp => "udp",
            Self::NoEncapsulation => "no encapsulation",
            Self::NativeRouting => "native routing",
            Self::None => "none",
            Self::Other(name) => name,
        })
    }
}

/// What the files want.
pub fn intent(files: &HostFiles) -> Intent {
    let mut notes = Vec::new();
    let mut intent = Intent::default();
    cni::join(files, &mut intent, &mut notes);
    addresses::join(files, &mut intent, &mut notes);
    match intent.cni.as_ref().map(|cni| &cni.value) {
        Some(Cni::Canal | Cni::Flannel | Cni::K3sFlannel) => flannel::join(files, &mut intent, &mut notes),
        Some(Cni::Calico) => calico::join(files, &mut intent, &mut notes),
        Some(Cni::Cilium) => cilium::join(files, &mut intent, &mut notes),
        Some(Cni::None) => intent.backend = flannel::turned_off(files),
        _ => {}
    }
    cni::pod_mtu(files, &mut intent, &mut notes);
    notes.extend(files.notes.iter().map(|note| format!("{}: {}", shown(&note.place()), shown(&note.value))));
    notes.extend(agree::troubles(files));
    intent.notes = notes;
    intent
}
