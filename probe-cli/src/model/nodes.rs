//! Nodes behind peers: with a tunnel for each family a node is two peers. Which addresses are of one node is told by its name in
//! this node's files, and by neighbour entries of the device below: one link-layer address for one address of each family.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use super::{Condition, Model, NodePeer, PeerRow, flow::sum};
use crate::{facts::network::NetworkFacts, mac::Mac};

impl Model {
    /// The peers, those of one node together; without "other" and what is gone. Made when a screen asks for them first.
    pub fn nodes(&self) -> &[PeerRow] {
        self.nodes.get_or_init(|| Arc::new(joined(self)))
    }
}

/// Finds which addresses are of one node. `known` has what that came to for this snapshot, as long as its rows are the peers of
/// the inventory: a peer that only a neighbour entry is left of is known by what was seen earlier.
pub(super) fn join_nodes(
    model: &mut Model,
    network: &NetworkFacts,
    known: &mut Option<Arc<BTreeMap<IpAddr, IpAddr>>>,
) {
    let rows = model.peers.iter().filter(|row| row.peer.is_some()).count();
    model.node_addresses = if rows == model.inventory.peers.len() {
        Arc::clone(known.get_or_insert_with(|| Arc::new(same_node(model, network))))
    } else {
        Arc::new(same_node(model, network))
    };
}

/// Peers of one node together, every other peer as it is.
fn joined(model: &Model) -> Vec<PeerRow> {
    let mut rows: Vec<PeerRow> = Vec::with_capacity(model.peers.len());
    let mut places: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for row in model.peers.iter().filter(|row| row.peer.is_some()) {
        let address = row.peer.as_ref().and_then(|peer| peer.node_address);
        let node = address.map(|address| model.node_of(address));
        let known = node.and_then(|node| places.get(&node)).and_then(|at| rows.get_mut(*at));
        match (known, node) {
            (Some(known), Some(node)) => add(known, row, node),
            (_, node) => {
                places.extend(node.map(|node| (node, rows.len())));
                rows.push(row.clone());
            }
        }
    }
    rows
}

/// By address of a node, the first of its addresses.
fn same_node(model: &Model, network: &NetworkFacts) -> BTreeMap<IpAddr, IpAddr> {
    let by_tunnel = model.peers.iter().filter_map(|row| row.peer.as_ref()?.node_address);
    let by_route = model.inventory.routed_peers.iter().map(|peer| peer.node_address);
    let addresses: BTreeSet<IpAddr> = by_tunnel.chain(by_route).collect();
    let mut groups: BTreeMap<(u32, Mac), BTreeSet<IpAddr>> = BTreeMap::new();
    for entry in
        network.devices.iter().filter_map(|device| device.neighbours.value()).flat_map(|table| &table.rows)
    {
        if let Some(mac) = entry.mac.filter(|_| addresses.contains(&entry.address)) {
            groups.entry((entry.ifindex, mac)).or_default().insert(entry.address);
        }
    }
    let mut names: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
    for (address, name) in
        model.inventory.node_names.iter().filter(|(address, _)| addresses.contains(address))
    {
        names.entry(name).or_default().insert(*address);
    }
    let mut same = BTreeMap::new();
    for group in groups.values().chain(names.values()) {
        // Several of one family have a router's link-layer address, or a name that is no node's alone.
        let [v4, v6] = [IpAddr::is_ipv4, IpAddr::is_ipv6].map(|is| group.iter().filter(|a| is(a)).count());
        if let (1, 1, Some(first)) = (v4, v6, group.first()) {
            same.extend(group.iter().map(|address| (*address, *first)));
        }
    }
    same
}

/// Adds a peer to the row of its node.
fn add(node: &mut PeerRow, peer: &PeerRow, address: IpAddr) {
    if node.members.is_empty() {
        node.members.extend(member(node));
    }
    node.members.extend(member(peer));
    node.joined = Some(address);
    node.tunnel_name = format!("{} {}", node.tunnel_name, peer.tunnel_name).into();
    node.node_name = node.node_name.take().or_else(|| peer.node_name.clone());
    node.wireguard = node.wireguard.or(peer.wireguard);
    if let (Some(known), Some(more)) = (&mut node.peer, &peer.peer) {
        Arc::make_mut(known).pod_cidrs.extend(&more.pod_cidrs);
    }
    node.paths.extend(peer.paths.iter().cloned());
    node.condition = worse(node.condition, peer.condition);
    node.flow += peer.flow;
    node.outer = node.outer.zip(peer.outer).map(|(one, other)| sum(one, other));
}

fn member(row: &PeerRow) -> Option<NodePeer> {
    let peer = row.peer.clone()?;
    let (tunnel_name, condition, wireguard) = (Arc::clone(&row.tunnel_name), row.condition, row.wireguard);
    Some(NodePeer { tunnel_name, peer, condition, wireguard })
}

fn worse(one: Condition, other: Condition) -> Condition {
    match (one, other) {
        (one, _) if one.is_wrong() => one,
        (_, other) if other.is_wrong() => other,
        (Condition::Ok, other) => other,
        (one, _) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::{Bounded, netlink::NeighbourStateFact, network::NetworkDevice},
        model::{
            both,
            testdata::{build, inventory, sample},
        },
        observed::Observed,
    };

    fn network(entries: &[(&str, u8)]) -> NetworkFacts {
        let entry = |(address, mac): &(&str, u8)| NeighbourStateFact {
            ifindex: 2,
            address: address.parse().unwrap(),
            mac: Some(Mac([2, 0, 0, 0, 9, *mac])),
            state: None,
            is_router: false,
            confirmed_s: None,
            used_s: None,
            updated_s: None,
            probes: None,
        };
        let table = Bounded { rows: entries.iter().map(entry).collect(), ..Bounded::default() };
        let device = NetworkDevice { neighbours: Observed::Value(table), ..NetworkDevice::default() };
        NetworkFacts { devices: vec![device], ..NetworkFacts::default() }
    }

    fn nodes(model: &Model, network: &NetworkFacts) -> Vec<PeerRow> {
        let mut model = model.clone();
        join_nodes(&mut model, network, &mut None);
        model.nodes().to_vec()
    }

    fn model() -> Model {
        let inventory = inventory(1);
        build(&inventory, &sample(&inventory, 40), Some(&sample(&inventory, 39)))
    }

    #[test]
    fn peers_of_both_families_are_one_node_by_their_link_layer_address() {
        let model = model();
        let told = [("172.31.77.2", 2), ("fd77::2", 2), ("172.31.77.3", 3), ("fd77::3", 3)];
        let rows = nodes(&model, &network(&told));
        let labels: Vec<_> = rows.iter().map(|row| (row.label().unwrap(), &*row.tunnel_name)).collect();
        let tunnels = "flannel.1 flannel-v6.1";
        assert_eq!(labels, [("172.31.77.2".to_owned(), tunnels), ("172.31.77.3".to_owned(), tunnels)]);
        let packets = |rows: &[PeerRow]| rows.iter().map(|row| both(&row.flow).packets).sum::<u64>();
        assert_eq!(
            packets(&rows),
            packets(&model.peers.iter().filter(|r| r.peer.is_some()).cloned().collect::<Vec<_>>())
        );
        assert!(rows.iter().all(|row| row.condition == Condition::Ok && row.flow.tx.rate.is_some()));
        let members: Vec<_> = rows[0].members.iter().map(|member| &*member.tunnel_name).collect();
        assert_eq!(members, ["flannel.1", "flannel-v6.1"]);
        let addresses: Vec<_> = rows[0].peers().filter_map(|peer| peer.node_address).collect();
        assert_eq!(addresses, ["172.31.77.2".parse::<IpAddr>().unwrap(), "fd77::2".parse().unwrap()]);
        assert_eq!(model.peers[0].peers().count(), 1);
    }

    #[test]
    fn one_wrong_peer_makes_its_node_wrong() {
        let mut model = model();
        model.peers.iter_mut().find(|row| row.label().is_some_and(|l| l == "fd77::2")).unwrap().condition =
            Condition::NoRoute;
        let rows = nodes(&model, &network(&[("172.31.77.2", 2), ("fd77::2", 2)]));
        assert_eq!(rows[0].condition, Condition::NoRoute);
        assert_eq!(rows.len(), 3, "of the other node nothing is known");
    }

    #[test]
    fn the_worse_of_two_states() {
        use Condition::{Down, Gone, NoFdb, Ok, TooBig, Unchecked};
        for (one, other, expected) in [
            (Ok, Ok, Ok),
            (Ok, Unchecked, Unchecked),
            (Unchecked, Ok, Unchecked),
            (Gone, Ok, Gone),
            (Down, Ok, Down),
            (Unchecked, NoFdb, NoFdb),
            (TooBig, Down, TooBig),
        ] {
            assert_eq!(worse(one, other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_is_behind_a_router_is_not_one_node() {
        let all = [("172.31.77.2", 1), ("fd77::2", 1), ("172.31.77.3", 1), ("fd77::3", 1)];
        assert_eq!(nodes(&model(), &network(&all)).len(), 4);
        assert_eq!(nodes(&model(), &NetworkFacts::default()).len(), 4);
    }

    #[test]
    fn a_name_of_two_addresses_is_one_node() {
        let mut inventory = inventory(1);
        for address in ["172.31.77.2", "fd77::2"] {
            inventory.node_names.insert(address.parse().unwrap(), "node2".to_owned());
        }
        let model = build(&inventory, &sample(&inventory, 40), None);
        let rows = nodes(&model, &NetworkFacts::default());
        assert_eq!((rows.len(), rows[0].label()), (3, Some("node2".to_owned())));
    }
}
