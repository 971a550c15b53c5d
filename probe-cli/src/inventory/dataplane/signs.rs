//! What the fingerprints look at: per device its routes and addresses, and traits of the node that only one system leaves.

use std::collections::{BTreeSet, HashMap};

use ipnet::IpNet;

use super::{Certainty, Encapsulation, PlaneDevice, System};
use crate::{
    facts::netlink::{LinkFact, RouteFact, RouteType, VxlanFact},
    inventory::{
        Inventory, Mac, Tunnel, TunnelKind,
        index::{Index, family},
        node::{CALICO_PROTOCOLS, is_by_own_address, is_single, pod_bridges},
        tun::wide_base,
    },
};

/// MAC address of the host end of every veth that Calico's CNI plugin makes.
const CALICO_HOST_MAC: Mac = Mac([0xee; 6]);

/// How pods' interfaces tell that Calico made them.
pub(super) const CALICO_PODS: &str = "pods' veths are Calico's (address ee:ee:ee:ee:ee:ee)";

/// How a device tells that it is Calico's.
pub(super) fn in_block(block: IpNet) -> String {
    format!("its address is in the node's block {block}, a blackhole route of Calico")
}

/// A device with what it was taken for.
pub(super) struct Candidate {
    pub(super) system: System,
    pub(super) encapsulation: Encapsulation,
    pub(super) certainty: Option<Certainty>,
    pub(super) evidence: Vec<String>,
    pub(super) device: PlaneDevice,
}

/// A verdict in the making: the evidence comes one by one.
pub(super) struct Verdict {
    pub(super) system: System,
    pub(super) certainty: Option<Certainty>,
    pub(super) evidence: Vec<String>,
}

impl Verdict {
    pub(super) fn new(system: System, certainty: Certainty, evidence: Vec<String>) -> Self {
        Self { system, certainty: Some(certainty), evidence }
    }

    /// An overlay of unknown origin.
    pub(super) fn unknown(evidence: Vec<String>) -> Self {
        Self { system: System::Unknown, certainty: None, evidence }
    }

    pub(super) fn of(self, signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Candidate {
        Candidate {
            system: self.system,
            encapsulation: tunnel.kind.into(),
            certainty: self.certainty,
            evidence: self.evidence,
            device: signs.device(tunnel),
        }
    }
}

/// The node, as the fingerprints need it.
pub(super) struct NodeSigns<'a> {
    pub(super) index: &'a Index<'a>,
    pub(super) inventory: &'a Inventory,
    peers: HashMap<u32, usize>,
    /// Some pod's interface is one of Calico's: then flannel beside it is Canal.
    pub(super) has_calico_pods: bool,
    /// One of Calico's own blocks of addresses is here: pods that are Calico's are then not Canal's, which have the node's
    /// pod network.
    pub(super) has_calico_blocks: bool,
    /// The bridge whose network is one of the node's pod networks.
    pub(super) bridge: Option<&'a LinkFact>,
    /// A bridge that flannel's files, or the CNI cache, name as that of flannel's pods.
    pub(super) flannel_bridge: Option<&'a LinkFact>,
    /// The device by which Cilium leads to its pods: one end of a veth pair of which both are here, with routes by an
    /// address of its own.
    pub(super) cilium_host: Option<&'a LinkFact>,
    /// A pair of veths as Calico's eBPF data plane has it.
    pub(super) has_bpf_pair: bool,
}

impl<'a> NodeSigns<'a> {
    pub(super) fn new(index: &'a Index<'a>, inventory: &'a Inventory, flannels: &BTreeSet<u32>) -> Self {
        let mut peers = HashMap::new();
        for peer in &inventory.peers {
            *peers.entry(peer.tunnel).or_insert(0) += 1;
        }
        let pod_links = inventory.pods.iter().filter_map(|pod| index.link(pod.host_ifindex?));
        let links = || index.facts.links.iter();
        let host_routes: BTreeSet<u32> = index
            .facts
            .routes
            .iter()
            .filter(|route| is_by_own_address(index, route))
            .filter_map(|route| route.ifindex)
            .collect();
        Self {
            index,
            inventory,
            peers,
            has_calico_pods: pod_links.clone().any(|link| link.mac == Some(CALICO_HOST_MAC)),
            has_calico_blocks: index.facts.routes.iter().any(is_calico_block),
            flannel_bridge: flannels.iter().find_map(|ifindex| index.link(*ifindex)),
            bridge: pod_bridges(index, &inventory.node.pod_cidrs).next(),
            cilium_host: links()
                .find(|link| host_routes.contains(&link.ifindex) && is_local_pair(index, link)),
            has_bpf_pair: ["bpfin.cali", "bpfout.cali"]
                .into_iter()
                .all(|name| links().any(|link| link.name == name && is_local_pair(index, link))),
        }
    }

    /// How Cilium's routes are known, where there are some.
    pub(super) fn cilium(&self) -> Option<String> {
        let host = self.cilium_host?;
        Some(format!("pod networks are routed by veth {} to its own address", host.name))
    }

    /// Unicast routes by the device that lead elsewhere: not to its own addresses' networks, not the default. The network of an
    /// address is elsewhere where that is the whole cluster's.
    pub(super) fn routes(&self, ifindex: u32) -> impl Iterator<Item = &'a RouteFact> {
        let wide = wide_base(self.index, ifindex);
        let addresses = self.index.addresses(ifindex).iter().map(|fact| fact.address);
        let own: Vec<IpNet> =
            addresses.filter(|address| Some(*address) != wide).map(|address| address.trunc()).collect();
        self.index.routes(ifindex).iter().copied().filter(move |route| {
            route.kind == RouteType::Unicast
                && route.destination.prefix_len() > 0
                && !is_link_local(route.destination)
                && (route.gateway.is_some() || !own.contains(&route.destination))
        })
    }

    /// Routes by the device that Calico wrote.
    pub(super) fn calico_routes(&self, ifindex: u32) -> usize {
        self.routes(ifindex).filter(|route| CALICO_PROTOCOLS.contains(&route.protocol)).count()
    }

    /// Routes by the device as flannel writes them: the gateway is the network's first address, which is that of the
    /// remote tunnel device.
    pub(super) fn flannel_routes(&self, ifindex: u32) -> usize {
        self.routes(ifindex)
            .filter(|route| !CALICO_PROTOCOLS.contains(&route.protocol))
            .filter(|route| route.gateway == Some(route.destination.network()))
            .count()
    }

    /// The own pod network whose first address the device has, as flannel's devices do.
    pub(super) fn based_on(&self, tunnel: &Tunnel) -> Option<IpNet> {
        let own = || self.inventory.node.pod_cidrs.iter().map(|own| own.cidr);
        let wide = wide_base(self.index, tunnel.ifindex);
        tunnel
            .addresses
            .iter()
            .filter(|address| is_single(**address) || Some(**address) == wide)
            .find_map(|address| own().find(|own| own.network() == address.addr()))
    }

    /// A blackhole route of Calico around an address of the device: one of the node's blocks.
    pub(super) fn calico_block(&self, tunnel: &Tunnel) -> Option<IpNet> {
        let routes = self.index.facts.routes.iter();
        routes
            .filter(|route| is_calico_block(route))
            .map(|route| route.destination)
            .find(|block| tunnel.addresses.iter().any(|address| block.contains(&address.addr())))
    }

    /// Who flannel belongs to, as the pods tell, with the words for it.
    pub(super) fn flannel(&self) -> (System, String) {
        if self.has_calico_pods && !self.has_calico_blocks {
            return (System::Canal, CALICO_PODS.to_owned());
        }
        if self.has_calico_pods {
            let words = "pods are Calico's, with address blocks of its own, so this is not Canal";
            return (System::Flannel, words.to_owned());
        }
        let words = match self.bridge {
            Some(bridge) => {
                format!("pods are on bridge {}, as with k3s and plain flannel", bridge.name)
            }
            None => "no pod's interface shows whether this is Canal, k3s or plain flannel".to_owned(),
        };
        (System::Flannel, words)
    }

    fn device(&self, tunnel: &Tunnel) -> PlaneDevice {
        let peers = self.peers.get(&tunnel.ifindex).copied().unwrap_or(0);
        let known = match tunnel.kind {
            // Entries that are made when they are asked for tell of those that were.
            TunnelKind::Vxlan => !tunnel.external && (peers > 0 || !self.is_on_demand(tunnel)),
            // Without the privilege to read them there is no such fact.
            TunnelKind::Wireguard => self.index.wireguard(tunnel.ifindex).is_some(),
            TunnelKind::Ipip | TunnelKind::Geneve | TunnelKind::Udp => false,
        };
        let gateways: BTreeSet<_> = self.routes(tunnel.ifindex).filter_map(|route| route.gateway).collect();
        let peers = if tunnel.kind == TunnelKind::Ipip && !tunnel.external {
            Some(gateways.len())
        } else {
            known.then_some(peers)
        };
        let allowed = self.inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex);
        let networks = allowed.flat_map(|peer| peer.pod_cidrs.iter().copied());
        let routed: Vec<IpNet> = self
            .routes(tunnel.ifindex)
            .chain(self.policy_routes(tunnel.ifindex))
            .map(|route| route.destination)
            .collect();
        let mut families: Vec<u8> =
            networks.chain(routed.iter().copied()).map(|network| family(network.addr())).collect();
        families.sort_unstable();
        families.dedup();
        PlaneDevice {
            ifindex: tunnel.ifindex,
            name: tunnel.name.clone(),
            families,
            peers,
            routes: routed.len(),
            idle: false,
            unconfigured: false,
            stale: None,
            bypassed: None,
        }
    }

    /// The kernel asks a process for entries of a VXLAN device when a packet needs them.
    fn is_on_demand(&self, tunnel: &Tunnel) -> bool {
        let vxlan = self.index.link(tunnel.ifindex).and_then(|link| link.vxlan.as_ref());
        vxlan.is_some_and(VxlanFact::is_on_demand)
    }

    /// Routes by the device in the tables that a rule about marks leads to.
    pub(super) fn policy_routes(&self, ifindex: u32) -> impl Iterator<Item = &'a RouteFact> {
        let tables = self.index.facts.policy_tables.iter();
        tables.flat_map(|table| table.routes.rows()).filter(move |route| {
            route.ifindex == Some(ifindex)
                && route.kind == RouteType::Unicast
                && route.destination.prefix_len() > 0
        })
    }
}

/// One of the node's blocks in Calico's own address management.
pub(super) fn is_calico_block(route: &RouteFact) -> bool {
    route.kind == RouteType::Blackhole && CALICO_PROTOCOLS.contains(&route.protocol)
}

/// One end of a veth pair of which both ends are in this network namespace.
fn is_local_pair(index: &Index<'_>, link: &LinkFact) -> bool {
    link.kind.as_deref() == Some("veth")
        && link.link_netns.is_none()
        && link.link.and_then(|peer| index.link(peer)).is_some_and(|peer| peer.link == Some(link.ifindex))
}

fn is_link_local(network: IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.addr().is_link_local(),
        IpNet::V6(network) => network.addr().is_unicast_link_local() || network.addr().is_multicast(),
    }
}
