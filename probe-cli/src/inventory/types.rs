//! The inventory's data types. No logic beyond naming.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ipnet::IpNet;

use super::{
    DataPlane, LinkList, Node, OuterRoute, PathDevice, PeerKey, Pod, PodLink, PodNetwork, PublicKey,
    RoutedPeer, System, TunnelAddress, VirtualFunction,
};
use crate::{
    facts::{
        files::{HostsEntry, Sourced},
        sriov::PfFact,
    },
    mac::Mac,
    observed::Observed,
};

/// Everything that exists on the node, at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Tunnel devices, by interface index.
    pub tunnels: Vec<Tunnel>,
    /// Remote VTEPs and WireGuard peers, over all tunnels.
    pub peers: Vec<Arc<Peer>>,
    /// Tunnel devices of further kinds, which no program counts on: IP in IP, Geneve, flannel's UDP. By interface index.
    pub other_tunnels: Vec<Tunnel>,
    /// Remote nodes that only routes know, by device and address.
    pub routed_peers: Vec<RoutedPeer>,
    /// Addresses of peers on their ends of tunnels.
    pub tunnel_addresses: Vec<TunnelAddress>,
    /// Where the tables of a peer do not join.
    pub holes: Vec<Hole>,
    /// Pods of this node.
    pub pods: Vec<Arc<Pod>>,
    /// Physical functions; absent where there is no sysfs to read.
    pub pfs: Observed<Vec<PfFact>>,
    /// Physical functions that are in sysfs and not this node's, as far as their interfaces tell.
    pub other_pfs: Vec<PfFact>,
    /// Virtual functions, by PF and number.
    pub vfs: Vec<VirtualFunction>,
    /// What does not fit together about virtual functions, or could not be read.
    pub vf_notes: Vec<String>,
    /// The node itself: its pod networks, addresses and default routes.
    pub node: Node,
    /// What carries pods' packets to other nodes, or once did.
    pub data_planes: Vec<DataPlane>,
    /// Networks of pods on other nodes, and of pods that no node has, by network.
    pub pod_networks: Vec<PodNetwork>,
    /// Links that concern the overlay or pods.
    pub links: LinkList,
    /// The node's ends of pods' interfaces, by interface index: pods that share a bridge have no route of their own, and
    /// are none of `pods`.
    pub pod_links: Vec<PodLink>,
    /// The routes that tunnels' outer packets take.
    pub outer_routes: Vec<OuterRoute>,
    /// The devices that packets to other nodes take, with the MTUs of the routes there.
    pub path_devices: Vec<PathDevice>,
    /// The smallest MTU of a route by Cilium's host device, which leads to pods on all nodes; none when no route has one.
    pub host_route_mtu: Option<u32>,
    /// Names of nodes by their addresses, as far as this node's files tell. Hostile input: escape before showing.
    pub node_names: BTreeMap<IpAddr, String>,
    /// What could not be read or does not fit together, in words an operator can act on.
    pub notes: Vec<String>,
    /// Those of the notes that are about the kernel's tables.
    pub table_notes: Vec<String>,
    /// What could not be read of physical and virtual functions.
    pub sriov_notes: Vec<String>,
}

impl Inventory {
    /// All tunnel devices, those that no program counts on last.
    pub fn all_tunnels(&self) -> impl Iterator<Item = &Tunnel> {
        self.tunnels.iter().chain(&self.other_tunnels)
    }

    /// The tunnel device with this index, of [`Self::all_tunnels`].
    pub fn tunnel(&self, ifindex: u32) -> Option<&Tunnel> {
        self.all_tunnels().find(|tunnel| tunnel.ifindex == ifindex)
    }

    /// True for a device of a data plane that an earlier configuration left: it carries nothing, and nothing is missed of it.
    pub fn is_stale(&self, ifindex: u32) -> bool {
        let mut devices = self.data_planes.iter().flat_map(|plane| &plane.devices);
        devices.any(|device| device.ifindex == ifindex && device.stale.is_some())
    }

    /// Takes the names of remote nodes from the lines of `/etc/hosts`: the first name of an address is the canonical one
    /// (hosts(5)). The Kubernetes API would know all of them; nothing on the node does.
    pub fn name_nodes(&mut self, hosts: &[Sourced<HostsEntry>]) {
        let peers = self.peers.iter().filter_map(|peer| peer.node_address);
        let addresses: BTreeSet<IpAddr> =
            peers.chain(self.routed_peers.iter().map(|peer| peer.node_address)).collect();
        for entry in hosts.iter().map(|line| &line.value).filter(|entry| addresses.contains(&entry.address)) {
            if let Some(name) = entry.names.first() {
                self.node_names.entry(entry.address).or_insert_with(|| name.clone());
            }
        }
    }
}

impl Inventory {
    /// True for a device that a known CNI made, and for every device where there is no data plane of a known CNI: a VPN beside
    /// the cluster's network is no part of it.
    pub fn is_of_cni(&self, ifindex: u32) -> bool {
        let is_known = |plane: &&DataPlane| plane.system != System::Unknown;
        let has = |plane: &DataPlane| plane.devices.iter().any(|device| device.ifindex == ifindex);
        let mut known = self.data_planes.iter().filter(is_known);
        known.clone().all(DataPlane::is_stale) || known.any(has)
    }

    /// True for a device that is of the cluster's network and not stale: what is wrong with it costs pods' packets.
    pub fn is_in_use(&self, ifindex: u32) -> bool {
        self.is_of_cni(ifindex) && !self.is_stale(ifindex)
    }

    /// The same without what changes with every packet.
    #[must_use]
    pub fn without_ages(&self) -> Self {
        let mut inventory = self.clone();
        for peer in &mut inventory.peers {
            if peer.last_tx_age_s.is_some() {
                Arc::make_mut(peer).last_tx_age_s = None;
            }
        }
        inventory
    }
}

/// Kind of a tunnel device, from `IFLA_INFO_KIND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TunnelKind {
    /// VXLAN, RFC 7348: carries Ethernet frames.
    Vxlan,
    /// WireGuard: carries bare IP packets, encrypted.
    Wireguard,
    /// IP in IP, RFC 2003: carries bare IPv4 packets.
    Ipip,
    /// Geneve, RFC 8926: carries Ethernet frames.
    Geneve,
    /// A `tun` device of flannel's UDP backend: bare IPv4 packets, which flanneld wraps in UDP.
    Udp,
}

impl fmt::Display for TunnelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vxlan => "vxlan",
            Self::Wireguard => "wireguard",
            Self::Ipip => "ipip",
            Self::Geneve => "geneve",
            Self::Udp => "udp",
        })
    }
}

/// A tunnel device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Interface name, as the kernel has it: may hold any byte but `/` and NUL, so escape it before showing it.
    pub name: String,
    /// Interface index: unique in its network namespace, never reused for another device while this one lives.
    pub ifindex: u32,
    /// What it is.
    pub kind: TunnelKind,
    /// VXLAN network identifier; absent on a collect-metadata device, which carries many, and on other kinds.
    pub vni: Option<u32>,
    /// UDP destination port of the outer packets (`IFLA_VXLAN_PORT`), or the port that a WireGuard device listens on
    /// and sends from; absent while it has none, being down, and while [`Self::told`] is no value.
    pub port: Option<u16>,
    /// Outer source address of this node, where it is configured or follows from the underlay's addresses.
    pub local: Option<IpAddr>,
    /// Family of the outer packets: 4 or 6; none on a collect-metadata device, which carries both, and on a WireGuard
    /// device whose peers have endpoints of both families or none at all.
    pub outer_family: Option<u8>,
    /// The device that the outer packets leave by; of several, the one that most peers are reached by.
    pub underlay: Option<Underlay>,
    /// Further devices that outer packets leave by: WireGuard routes to each peer's endpoint.
    pub more_underlays: Vec<Underlay>,
    /// MTU of the tunnel device in bytes of the inner packet (`IFLA_MTU`).
    pub mtu: u32,
    /// The device's own link-layer address; absent on a device without one.
    pub mac: Option<Mac>,
    /// The public key of a WireGuard device; absent before it was given one.
    pub public_key: Option<PublicKey>,
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
    /// Whether the kernel told of a WireGuard device, or why not: what is none of it is then unknown, and it may have peers.
    /// Other kinds have nothing that may be withheld.
    pub told: Observed<()>,
}

impl Tunnel {
    /// All devices that outer packets leave by.
    pub fn underlays(&self) -> impl Iterator<Item = &Underlay> {
        self.underlay.iter().chain(&self.more_underlays)
    }
}

/// The device below a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A remote node, as one tunnel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Interface index of the tunnel.
    pub tunnel: u32,
    /// What names it there.
    pub key: PeerKey,
    /// The remote node's underlay address, from the FDB or a WireGuard peer's endpoint.
    pub node_address: Option<IpAddr>,
    /// Pod networks routed to it; the allowed IPs of a WireGuard peer.
    pub pod_cidrs: Vec<IpNet>,
    /// Seconds since the FDB entry of a VXLAN peer was last used for sending, or since it was made, when the inventory was
    /// read. Where several entries have its address, the shortest. None on other kinds.
    pub last_tx_age_s: Option<u64>,
    /// What only a WireGuard peer has.
    pub wireguard: Option<WireguardPeer>,
}

/// An entry of one of the three tables that a VXLAN peer takes, without its counterpart in the next: what the CNI's agent
/// did not write, or somebody removed. Only of devices that cannot ask around.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hole {
    /// Packets to the pod network are dropped: nobody answers for the gateway.
    RouteWithoutNeighbour {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// The pod network.
        pod_cidr: IpNet,
        /// The route's gateway, which has no neighbour entry.
        gateway: IpAddr,
    },
    /// Packets to the neighbour are dropped: the device does not know where to send them.
    NeighbourWithoutFdb {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// The gateway.
        neighbour: IpAddr,
        /// Its VTEP MAC address, which has no FDB entry.
        mac: Mac,
    },
    /// A remote node that no pod network is routed to by this device.
    FdbWithoutRoute {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// The VTEP MAC address.
        mac: Mac,
        /// The remote node's address.
        node_address: Option<IpAddr>,
    },
}

impl Hole {
    /// Interface index of the tunnel.
    pub fn tunnel(&self) -> u32 {
        match self {
            Self::RouteWithoutNeighbour { tunnel, .. }
            | Self::NeighbourWithoutFdb { tunnel, .. }
            | Self::FdbWithoutRoute { tunnel, .. } => *tunnel,
        }
    }
}

/// What only a WireGuard peer has, as far as it changes slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireguardPeer {
    /// Where outer packets to it go; absent while neither configuration nor a packet from it told.
    pub endpoint: Option<SocketAddr>,
    /// Seconds between persistent keepalives; absent when they are off.
    pub keepalive_s: Option<u16>,
}
