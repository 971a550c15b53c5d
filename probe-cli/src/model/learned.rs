//! Path MTUs that the kernel has learned to other nodes, by the path whose outer packets they are about.

use std::net::IpAddr;

use super::{Model, MtuPath};

/// An exception of the route cache, to another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedMtu {
    /// The node's address.
    pub destination: IpAddr,
    /// The node's name, where one is known. Hostile input: escape before showing.
    pub peer: Option<String>,
    /// Bytes of the outer IP packet.
    pub mtu: u32,
    /// Seconds until it is forgotten; none when the kernel does not say.
    pub expires_s: Option<u64>,
}

/// Those of the nodes that a path leads to, the smallest first.
pub fn learned_mtus(model: &Model, path: &MtuPath) -> Vec<LearnedMtu> {
    let inventory = &model.inventory;
    let by_tunnel = inventory.peers.iter().filter(|peer| peer.tunnel == path.ifindex);
    let by_route = inventory.routed_peers.iter().filter(|peer| peer.ifindex == path.ifindex);
    let nodes: Vec<IpAddr> = by_tunnel
        .filter_map(|peer| peer.node_address)
        .chain(by_route.map(|peer| peer.node_address))
        .collect();
    let network = &model.snapshot.network;
    let tables = [&network.pmtu_ipv4, &network.pmtu_ipv6].into_iter().filter_map(|table| table.value());
    let rows = tables.flat_map(|table| &table.rows).filter(|row| nodes.contains(&row.destination));
    let mut learned: Vec<LearnedMtu> = rows
        .map(|row| LearnedMtu {
            destination: row.destination,
            peer: inventory.node_names.get(&row.destination).cloned(),
            mtu: row.mtu,
            expires_s: row.expires_s,
        })
        .collect();
    learned.sort_by_key(|learned| (learned.mtu, learned.destination));
    learned
}
