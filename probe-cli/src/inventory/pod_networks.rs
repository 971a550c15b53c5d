//! Where pods of other nodes are, by network: what leaves for one of these or arrives from one outside every tunnel is in clear,
//! or is routed without a tunnel as it is meant. Which packets that are is counted by the programs.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    Hole, Inventory, OwnPodCidr, PeerKey, System, Tunnel, TunnelKind,
    dataplane::Encapsulation,
    holes::ClusterNetworks,
    index::{Index, family},
};
use crate::facts::netlink::RouteType;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodNetwork {
    /// The network. One inside another is more specific, and counts for itself.
    pub network: IpNet,
    /// Whose it is.
    pub of: PodNetworkOf,
}

/// Whose a pod network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodNetworkOf {
    /// A peer's: packets to and from it belong in the tunnel.
    Peer {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// The peer.
        key: PeerKey,
    },
    /// This node's own, or the cluster's and no peer's: a pod there is gone, or its node is not known. It belongs in no packet
    /// outside.
    Nobody {
        /// Interface index of the tunnel that carries the other networks of its family.
        tunnel: u32,
    },
    /// It is routed to its node without a tunnel, as it is meant.
    Direct,
}

/// All of them, by network. `inventory` has its tunnels, peers, data planes and node already.
///
/// What a WireGuard peer may receive is its own, whatever routes say: a route that leads there without the tunnel is the
/// fault to be seen. A route by a NIC to a network that no tunnel has is how that network is meant to be reached.
pub(super) fn pod_networks(
    index: &Index<'_>,
    inventory: &Inventory,
    cluster: &ClusterNetworks,
) -> Vec<PodNetwork> {
    let nodes = nodes(inventory);
    let mut found = Found { networks: BTreeMap::new(), nodes: &nodes };
    let peers = |kind: TunnelKind, is_in_use: bool| {
        inventory.peers.iter().filter(move |peer| {
            let tunnel = inventory.tunnel(peer.tunnel);
            tunnel
                .is_some_and(|tunnel| tunnel.kind == kind && inventory.is_in_use(tunnel.ifindex) == is_in_use)
        })
    };
    let in_use = peers(TunnelKind::Wireguard, true).chain(peers(TunnelKind::Vxlan, true));
    for peer in in_use {
        // Cilium encrypts what goes from pod to pod; agents, hosts and what they send to pods it does not.
        let of = match system(inventory, peer.tunnel) {
            System::Cilium => PodNetworkOf::Direct,
            System::Canal
            | System::Rke2Flannel
            | System::Flannel
            | System::Calico
            | System::CalicoEbpf
            | System::Unknown => PodNetworkOf::Peer { tunnel: peer.tunnel, key: peer.key },
        };
        peer.pod_cidrs.iter().for_each(|network| found.add(*network, of));
    }
    let is_tunnel = |ifindex| inventory.tunnel(ifindex).is_some();
    for peer in inventory.routed_peers.iter().filter(|peer| !is_tunnel(peer.ifindex)) {
        peer.pod_cidrs.iter().for_each(|network| found.add(*network, PodNetworkOf::Direct));
    }
    for (network, of) in without_route(index, inventory) {
        found.add(network, of);
    }
    let stale = peers(TunnelKind::Wireguard, false).chain(peers(TunnelKind::Vxlan, false));
    for peer in stale.filter(|peer| inventory.is_of_cni(peer.tunnel)) {
        let of = PodNetworkOf::Peer { tunnel: peer.tunnel, key: peer.key };
        peer.pod_cidrs.iter().for_each(|network| found.add(*network, of));
    }
    let nobodys: Vec<IpNet> =
        own(inventory).map(|own| own.cidr).chain(cluster_networks(inventory, cluster)).collect();
    for route in
        index.below().iter().filter(|route| route.kind == RouteType::Unicast && route.gateway.is_some())
    {
        let network = route.destination;
        let is_new = || !found.networks.contains_key(&network);
        let is_pods = nobodys.iter().any(|wide| wide.contains(&network));
        if is_pods && is_new() && !found.is_encrypted(network, inventory) {
            found.add(network, PodNetworkOf::Direct);
        }
    }
    for network in nobodys {
        if let Some(tunnel) = carrier(inventory, family(network.addr())) {
            found.add(network, PodNetworkOf::Nobody { tunnel: tunnel.ifindex });
        }
    }
    found.networks.into_iter().map(|(network, of)| PodNetwork { network, of }).collect()
}

/// What was found so far: the first to claim a network has it.
struct Found<'a> {
    networks: BTreeMap<IpNet, PodNetworkOf>,
    nodes: &'a BTreeSet<IpAddr>,
}

impl Found<'_> {
    /// Adds the network, unless nodes have addresses in it: then it is not of pods alone. A VPN's may be all there is.
    fn add(&mut self, network: IpNet, of: PodNetworkOf) {
        let network = network.trunc();
        let mut inside = self.nodes.range(network.network()..=network.broadcast());
        if network.prefix_len() > 0 && inside.next().is_none() {
            self.networks.entry(network).or_insert(of);
        }
    }

    /// A WireGuard peer has the network, or one around it.
    fn is_encrypted(&self, network: IpNet, inventory: &Inventory) -> bool {
        self.networks.iter().any(|(around, of)| match of {
            PodNetworkOf::Peer { tunnel, .. } => {
                around.contains(&network)
                    && inventory.tunnel(*tunnel).is_some_and(|tunnel| tunnel.kind == TunnelKind::Wireguard)
            }
            PodNetworkOf::Nobody { .. } | PodNetworkOf::Direct => false,
        })
    }
}

/// Addresses of this node and of the others.
fn nodes(inventory: &Inventory) -> BTreeSet<IpAddr> {
    let own = inventory.node.addresses.iter().map(|own| own.address.addr());
    let peers = inventory.peers.iter().filter_map(|peer| peer.node_address);
    let routed = inventory.routed_peers.iter().map(|peer| peer.node_address);
    own.chain(peers).chain(routed).collect()
}

/// Who made a tunnel.
fn system(inventory: &Inventory, tunnel: u32) -> System {
    let has = |ifindex| move |device: &super::PlaneDevice| device.ifindex == ifindex;
    let plane = inventory.data_planes.iter().find(|plane| plane.devices.iter().any(has(tunnel)));
    plane.map_or(System::Unknown, |plane| plane.system)
}

/// flannel gives each node a network of one length, whose first address its VTEP has: where the route to a peer is missing, its
/// neighbour entry still names the network.
fn without_route(index: &Index<'_>, inventory: &Inventory) -> Vec<(IpNet, PodNetworkOf)> {
    let mut found = Vec::new();
    for hole in &inventory.holes {
        let Hole::FdbWithoutRoute { tunnel, mac, .. } = *hole else { continue };
        if !is_flannels(system(inventory, tunnel)) {
            continue;
        }
        for neighbour in index.neighbours(tunnel).iter().filter(|neighbour| neighbour.mac == Some(mac)) {
            let address = neighbour.address;
            let mut own = inventory.node.pod_cidrs.iter().map(|own| own.cidr);
            let own = own.find(|own| family(own.addr()) == family(address));
            let network = own.and_then(|own| IpNet::new(address, own.prefix_len()).ok());
            if let Some(network) = network.filter(|network| network.network() == address) {
                found.push((network, PodNetworkOf::Peer { tunnel, key: PeerKey::Mac(mac) }));
            }
        }
    }
    found
}

fn is_flannels(system: System) -> bool {
    matches!(system, System::Canal | System::Rke2Flannel | System::Flannel)
}

/// This node's pod networks, as far as nothing leaves the node for them. Cilium's agents and hosts may send without a tunnel.
fn own(inventory: &Inventory) -> impl Iterator<Item = &OwnPodCidr> {
    let is_ciliums = in_use(inventory).any(|(system, _)| system == System::Cilium);
    inventory.node.pod_cidrs.iter().filter(move |_| !is_ciliums)
}

/// The networks of all pods, where they are known for certain: flannel has one. Calico has pools that are in no file.
fn cluster_networks(inventory: &Inventory, cluster: &ClusterNetworks) -> Vec<IpNet> {
    let is_flannel =
        in_use(inventory).any(|(system, wraps)| is_flannels(system) && wraps != Encapsulation::None);
    let is_other = in_use(inventory).any(|(system, _)| !is_flannels(system) && system != System::Unknown);
    if is_flannel && !is_other { cluster.networks().collect() } else { Vec::new() }
}

/// Data planes that carry pods' packets.
fn in_use(inventory: &Inventory) -> impl Iterator<Item = (System, Encapsulation)> {
    let planes = inventory.data_planes.iter().filter(|plane| !plane.is_stale());
    planes.map(|plane| (plane.system, plane.encapsulation))
}

/// The tunnel that carries pod networks of a family; of several, the one that encrypts.
fn carrier(inventory: &Inventory, family: u8) -> Option<&Tunnel> {
    let carries = |tunnel: &&Tunnel| {
        let mut devices = inventory.data_planes.iter().flat_map(|plane| &plane.devices);
        let of = devices.find(|device| device.ifindex == tunnel.ifindex).map(|device| &device.families);
        let is_told = of.is_some_and(|families| !families.is_empty());
        if is_told {
            of.is_some_and(|families| families.contains(&family))
        } else {
            tunnel.outer_family.is_none_or(|outer| outer == family)
        }
    };
    let in_use =
        inventory.tunnels.iter().filter(|tunnel| inventory.is_in_use(tunnel.ifindex)).filter(carries);
    in_use.min_by_key(|tunnel| (tunnel.kind != TunnelKind::Wireguard, tunnel.ifindex))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        facts::{
            Snapshot,
            files::{FlannelConf, HostFiles, Sourced},
            netlink::Facts,
            pods::PodFacts,
        },
        inventory::{DataPlane, inventory, testdata::*},
        observed::Observed,
    };

    /// Networks by whom they are counted for, in few words.
    fn found(facts: &Facts) -> Vec<String> {
        words(&of_kernel(facts))
    }

    fn words(inventory: &Inventory) -> Vec<String> {
        let name = |ifindex| inventory.tunnel(ifindex).unwrap().name.clone();
        let of = |of| match of {
            PodNetworkOf::Peer { tunnel, key } => {
                let is_it = |peer: &&Arc<crate::inventory::Peer>| (peer.tunnel, peer.key) == (tunnel, key);
                let peer = inventory.peers.iter().find(is_it).unwrap();
                format!("{} {}", name(tunnel), peer.node_address.unwrap())
            }
            PodNetworkOf::Nobody { tunnel } => format!("{} nobody", name(tunnel)),
            PodNetworkOf::Direct => "direct".to_owned(),
        };
        inventory.pod_networks.iter().map(|found| format!("{} {}", found.network, of(found.of))).collect()
    }

    fn without_route(mut facts: Facts, network: &str) -> Facts {
        facts.routes.ipv4.retain(|route| route.destination != net(network));
        facts
    }

    /// flannel's configuration names this network.
    fn files(network: &str) -> HostFiles {
        let network = Some(Sourced { value: net(network), file: "net-conf.json".to_owned(), line: None });
        let conf = FlannelConf { network, ..FlannelConf::default() };
        HostFiles { flannel: Observed::Value(conf), ..HostFiles::default() }
    }

    fn with_network(facts: &Facts, network: &str) -> Vec<String> {
        let files = files(network);
        let snapshot = snapshot(facts, &PodFacts::default(), &[]);
        words(&inventory(&Snapshot { files: Arc::new(Observed::Value(files)), ..snapshot }))
    }

    #[test]
    fn the_network_of_all_pods_is_known_of_flannel_alone() {
        let cluster = ClusterNetworks::new(Some(&files("10.42.0.0/16")));
        let known = |planes: &[(System, Encapsulation)]| {
            let plane = |(system, encapsulation): &(System, Encapsulation)| DataPlane {
                system: *system,
                encapsulation: *encapsulation,
                certainty: None,
                evidence: Vec::new(),
                devices: Vec::new(),
            };
            let data_planes = planes.iter().map(plane).collect();
            cluster_networks(&Inventory { data_planes, ..Inventory::default() }, &cluster).len()
        };
        let (flannel, calico) =
            ((System::Canal, Encapsulation::Vxlan), (System::Calico, Encapsulation::Vxlan));
        assert_eq!(known(&[flannel]), 1);
        assert_eq!(known(&[flannel, (System::Unknown, Encapsulation::Vxlan)]), 1, "somebody's own");
        assert_eq!(known(&[flannel, calico]), 0);
        assert_eq!(known(&[calico]), 0);
        assert_eq!(known(&[(System::Flannel, Encapsulation::None)]), 0, "nothing is wrapped");
        assert_eq!(known(&[]), 0);
    }

    #[test]
    fn flannels_network_is_of_nobody_where_no_peer_has_it() {
        let found = with_network(&flannel4(node(), 1), "10.42.0.0/16");
        assert_eq!(
            found,
            [
                "10.42.0.0/16 flannel.1 nobody",
                "10.42.0.0/24 flannel.1 nobody",
                "10.42.2.0/24 flannel.1 192.0.2.2"
            ]
        );
        // What nodes are in is not of pods, and without flannel nobody knows who it would be of.
        assert!(!with_network(&flannel4(node(), 1), "192.0.0.0/8").iter().any(|one| one.starts_with("192")));
        assert_eq!(with_network(&node(), "10.42.0.0/16"), Vec::<String>::new());
    }

    #[test]
    fn networks_of_peers_by_their_routes_and_the_nodes_own() {
        assert_eq!(
            found(&own_block(flannel4(node(), 2))),
            [
                "10.42.0.0/24 flannel.1 nobody",
                "10.42.2.0/24 flannel.1 192.0.2.2",
                "10.42.3.0/24 flannel.1 192.0.2.3"
            ]
        );
    }

    #[test]
    fn a_peer_without_a_route_is_known_by_its_neighbour_entry() {
        let facts = without_route(own_block(flannel4(node(), 2)), "10.42.2.0/24");
        assert!(
            found(&facts).contains(&"10.42.2.0/24 flannel.1 192.0.2.2".to_owned()),
            "{:?}",
            found(&facts)
        );
    }

    #[test]
    fn what_a_nic_leads_to_is_meant_so_but_not_below_wireguard() {
        let mut direct = without_route(own_block(flannel4(node(), 2)), "10.42.2.0/24");
        direct.routes.push(route("10.42.2.0/24", Some("192.0.2.2"), ETH0));
        assert!(found(&direct).contains(&"10.42.2.0/24 direct".to_owned()), "{:?}", found(&direct));

        let mut encrypted = own_block(node());
        encrypted.links.push(wireguard(9, "flannel-wg"));
        encrypted.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24", "10.42.3.0/24"])));
        encrypted.addresses.push(address(9, "10.42.0.0/32"));
        encrypted.routes.push(route("10.42.0.0/16", None, 9));
        // All of the one, and some of the other.
        encrypted.routes.push(route("10.42.2.0/24", Some("192.0.2.2"), ETH0));
        encrypted.routes.push(route("10.42.3.0/25", Some("192.0.2.3"), ETH0));
        assert_eq!(
            found(&encrypted),
            [
                "10.42.0.0/24 flannel-wg nobody",
                "10.42.2.0/24 flannel-wg 192.0.2.2",
                "10.42.3.0/24 flannel-wg 192.0.2.3"
            ]
        );
    }

    #[test]
    fn a_network_that_nodes_are_in_is_not_of_pods() {
        let mut vpn = node();
        vpn.links.push(wireguard(9, "wg0"));
        vpn.wireguard.push(told(wireguard_fact(9, 51820, &["0.0.0.0/0", "192.0.2.0/24", "10.9.0.0/24"])));
        assert_eq!(found(&vpn), ["10.9.0.0/24 wg0 192.0.2.4"]);
    }

    #[test]
    fn ciliums_hosts_send_to_pods_without_a_tunnel() {
        let mut facts = cilium_host(node(), 20);
        facts.links.push(wireguard(9, "cilium_wg0"));
        facts.wireguard.push(told(wireguard_fact(9, 51871, &["10.0.1.7/32"])));
        assert_eq!(found(&facts), ["10.0.1.7/32 direct"]);
    }
}
