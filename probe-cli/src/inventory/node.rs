//! The node itself, as its tables show it: its own pod networks, its addresses, its default routes. No tunnels, no peers.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{
    Pod, Tunnel,
    index::{Index, family},
};
use crate::facts::netlink::{AddressFact, LinkFact, RouteFact, RouteType};

/// `rtm_protocol` of routes that Calico writes: its agent felix, and BIRD.
pub(super) const CALICO_PROTOCOLS: [u8; 2] = [80, 12];

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Host name; none when unknown. Escape before showing.
    pub hostname: Option<String>,
    /// Release of the kernel; none when unknown.
    pub kernel: Option<String>,
    /// The kernel can make WireGuard devices; none when that is not known.
    pub has_wireguard: Option<bool>,
    /// The pod networks of this node, every family, and how each is known.
    pub pod_cidrs: Vec<OwnPodCidr>,
    /// Its own addresses: of NICs, bonds and the like, and those that outer packets come from. Not of tunnels, dummies, pairs of
    /// veths, or bridges without a way to the outside, as container runtimes have them.
    pub addresses: Vec<NodeAddress>,
    /// Default routes of the main table, the preferred first; one for each next hop.
    pub default_routes: Vec<DefaultRoute>,
}

/// A pod network of this node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnPodCidr {
    /// The network.
    pub cidr: IpNet,
    /// How it is known.
    pub source: PodCidrSource,
}

/// How an own pod network is known, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodCidrSource {
    /// A blackhole route that a tunnel's or a pod's address lies in: flannel's `--ip-blackhole-route`, or one of Calico's
    /// blocks.
    BlackholeRoute,
    /// The network of a bridge that pods are ports of.
    Bridge,
    /// The route by which Cilium's host device leads to this node's pods.
    HostRoute,
    /// The tunnel device's address, which is the network's first; the length is that of the other nodes' networks.
    TunnelAddress,
}

/// An address of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// Interface name; escape before showing.
    pub interface: String,
    /// Address and prefix length.
    pub address: IpNet,
}

/// A default route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultRoute {
    /// 4 or 6.
    pub family: u8,
    /// Next hop; none for a route onto the link itself.
    pub gateway: Option<IpAddr>,
    /// Name of the device that it leaves by, where that is there; escape before showing.
    pub interface: Option<String>,
    /// `RTA_PRIORITY`; the smallest wins.
    pub metric: u32,
}

/// What the tables say of the node. `flannels` are the bridges that are known to be flannel's.
pub(super) fn this_node(
    index: &Index<'_>,
    tunnels: &[&Tunnel],
    pods: &[Pod],
    flannels: &BTreeSet<u32>,
) -> Node {
    let pod_cidrs = own_pod_cidrs(index, tunnels, pods, flannels);
    Node {
        addresses: addresses(index, tunnels, &pod_cidrs),
        default_routes: default_routes(index),
        pod_cidrs,
        ..Node::default()
    }
}

/// Own pod networks, sorted. A network inside another that is known is not named again.
fn own_pod_cidrs(
    index: &Index<'_>,
    tunnels: &[&Tunnel],
    pods: &[Pod],
    flannels: &BTreeSet<u32>,
) -> Vec<OwnPodCidr> {
    let bases = || tunnels.iter().flat_map(|tunnel| &tunnel.addresses).filter(|address| is_single(**address));
    let mut found: Vec<OwnPodCidr> = Vec::new();
    let mut add = |cidr: IpNet, source| {
        if !found.iter().any(|known| known.cidr.contains(&cidr)) {
            found.push(OwnPodCidr { cidr, source });
        }
    };
    let blackholes: Vec<&RouteFact> = index
        .facts
        .routes
        .iter()
        .filter(|route| route.kind == RouteType::Blackhole && route.destination.prefix_len() > 0)
        .collect();
    let inside = bases().map(IpNet::addr).chain(pods.iter().flat_map(|pod| &pod.addresses).copied());
    let mut networks: BTreeSet<IpNet> = inside
        .filter_map(|address| {
            let around = blackholes.iter().filter(|route| route.destination.contains(&address));
            around.map(|route| route.destination).max_by_key(IpNet::prefix_len)
        })
        .collect();
    // A node without tunnels and pods is known by its neighbours: networks beside its own, routed to other nodes.
    networks.extend(
        blackholes.iter().map(|route| route.destination).filter(|own| siblings(index, *own).next().is_some()),
    );
    networks.extend(
        blackholes
            .iter()
            .filter(|route| CALICO_PROTOCOLS.contains(&route.protocol))
            .map(|route| route.destination),
    );
    for cidr in networks {
        add(cidr, PodCidrSource::BlackholeRoute);
    }
    // A tunnel's address may have the length of the cluster's network.
    let all = || tunnels.iter().flat_map(|tunnel| &tunnel.addresses);
    let based = |network: IpNet| {
        all().any(|base| base.addr() == network.network()) || siblings(index, network).next().is_some()
    };
    let is_pods = |link: &LinkFact, network| flannels.contains(&link.ifindex) || based(network);
    for (_, network) in bridge_networks(index).filter(|(link, network)| is_pods(link, *network)) {
        add(network, PodCidrSource::Bridge);
    }
    for route in index.facts.routes.iter().filter(|route| is_by_own_address(index, route)) {
        if route.gateway.is_some_and(|gateway| route.destination.contains(&gateway)) {
            add(route.destination, PodCidrSource::HostRoute);
        }
    }
    for tunnel in tunnels {
        let lengths: BTreeSet<u8> = index
            .routes(tunnel.ifindex)
            .iter()
            .filter(|route| route.gateway == Some(route.destination.network()))
            .map(|route| route.destination.prefix_len())
            .collect();
        let [length] = lengths.iter().copied().collect::<Vec<_>>()[..] else { continue };
        for base in tunnel.addresses.iter().filter(|address| is_single(**address)) {
            let network = IpNet::new(base.addr(), length).ok().filter(|net| net.network() == base.addr());
            if let Some(network) = network {
                add(network, PodCidrSource::TunnelAddress);
            }
        }
    }
    found.sort();
    found
}

/// Routes to networks beside `own`, by way of another node on a NIC: host-gw.
pub(super) fn siblings<'i>(index: &'i Index<'_>, own: IpNet) -> impl Iterator<Item = &'i RouteFact> {
    // A cluster's network has room for some hundred nodes' networks: as /16 and /24, or /48 and /64.
    let room = if own.addr().is_ipv4() { 8 } else { 16 };
    let cluster = IpNet::new(own.addr(), own.prefix_len().saturating_sub(room)).ok();
    index.below().iter().copied().filter(move |route| {
        route.kind == RouteType::Unicast
            && route.gateway.is_some_and(|gateway| !own.contains(&gateway))
            && route.destination.prefix_len() == own.prefix_len()
            && route.destination != own
            && own.prefix_len() >= 16
            && cluster.is_some_and(|cluster| cluster.contains(&route.destination))
            && !is_by_own_address(index, route)
    })
}

/// By way of an address that the device itself has. Cilium leads to pods so, by its host device.
pub(super) fn is_by_own_address(index: &Index<'_>, route: &RouteFact) -> bool {
    let (Some(gateway), Some(ifindex)) = (route.gateway, route.ifindex) else { return false };
    route.kind == RouteType::Unicast
        && index.addresses(ifindex).iter().any(|own| own.address.addr() == gateway)
}

/// Bridges, each with the networks of its addresses, but for those that each device has (`fe80::/64`).
pub(super) fn bridge_networks<'i>(index: &'i Index<'_>) -> impl Iterator<Item = (&'i LinkFact, IpNet)> {
    let bridges = index.facts.links.iter().filter(|link| link.kind.as_deref() == Some("bridge"));
    bridges.flat_map(|link| {
        let global = index.addresses(link.ifindex).iter().filter(|fact| fact.global);
        let networks = global.map(|fact| fact.address);
        networks.filter(|address| !is_single(*address)).map(move |address| (link, address.trunc()))
    })
}

/// Bridges whose network is one of the node's pod networks.
pub(super) fn pod_bridges<'i>(
    index: &'i Index<'_>,
    own: &'i [OwnPodCidr],
) -> impl Iterator<Item = &'i LinkFact> {
    let is_own = |network: IpNet| own.iter().any(|own| own.cidr == network);
    bridge_networks(index).filter(move |(_, network)| is_own(*network)).map(|(link, _)| link)
}

/// A /32 or /128.
pub(super) fn is_single(address: IpNet) -> bool {
    address.prefix_len() == address.max_prefix_len()
}

fn addresses(index: &Index<'_>, tunnels: &[&Tunnel], own: &[OwnPodCidr]) -> Vec<NodeAddress> {
    let locals: BTreeSet<IpAddr> = tunnels.iter().filter_map(|tunnel| tunnel.local).collect();
    let used: BTreeSet<u32> = tunnels
        .iter()
        .flat_map(|tunnel| tunnel.underlays())
        .map(|underlay| underlay.ifindex)
        .chain(index.default_devices())
        .collect();
    let is_tunnel = |link: &LinkFact| tunnels.iter().any(|tunnel| tunnel.ifindex == link.ifindex);
    let is_of_node =
        |link: &LinkFact| !is_tunnel(link) && (used.contains(&link.ifindex) || leads_outside(index, link, 0));
    // What outer packets come from is the node's, whatever it is on.
    let is_local = |fact: &AddressFact| locals.contains(&fact.address.addr());
    let addresses = index.facts.addresses.rows().iter().filter(|fact| fact.global);
    addresses
        .filter(|fact| !own.iter().any(|own| own.cidr.contains(&fact.address.addr())))
        .filter_map(|fact| {
            let link = index.link(fact.ifindex)?;
            let is_of_node = is_of_node(link) || is_local(fact) && !is_tunnel(link);
            is_of_node.then(|| NodeAddress { interface: link.name.clone(), address: fact.address })
        })
        .collect()
}

/// Packets of the device get out of the node. A bridge is as good as its ports; those to containers and to tunnels lead to the
/// inside. A dummy has addresses of services (kube-ipvs0, nodelocaldns).
fn leads_outside(index: &Index<'_>, link: &LinkFact, depth: usize) -> bool {
    const DEPTH: usize = 4;
    if link.is_loopback() || super::index::is_any_tunnel(link) || depth > DEPTH {
        return false;
    }
    match link.kind.as_deref() {
        Some("bridge") => {
            let mut ports = index.facts.links.iter().filter(|port| port.master == Some(link.ifindex));
            ports.any(|port| !leads_to_other_namespace(port) && leads_outside(index, port, depth + 1))
        }
        Some("dummy" | "ip6tnl" | "sit" | "gre" | "gretap" | "ip6gre" | "ip6gretap" | "vti" | "vti6") => {
            false
        }
        // Of a pair whose other end is here, neither leads outside. A node in a container has its NICs' other ends elsewhere.
        Some("veth" | "netkit") => link.link_netns.is_some(),
        _ => true,
    }
}

fn leads_to_other_namespace(link: &LinkFact) -> bool {
    matches!(link.kind.as_deref(), Some("veth" | "netkit")) && link.link_netns.is_some()
}

fn default_routes(index: &Index<'_>) -> Vec<DefaultRoute> {
    let is_default =
        |route: &&RouteFact| route.destination.prefix_len() == 0 && route.kind == RouteType::Unicast;
    let mut routes: Vec<DefaultRoute> = index
        .facts
        .routes
        .iter()
        .filter(is_default)
        .map(|route| DefaultRoute {
            family: family(route.destination.addr()),
            gateway: route.gateway,
            interface: route.ifindex.and_then(|ifindex| index.link(ifindex)).map(|link| link.name.clone()),
            metric: route.metric,
        })
        .collect();
    routes.sort_by_key(|route| (route.family, route.metric));
    routes
}
