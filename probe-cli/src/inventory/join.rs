//! The whole join: facts and named pods in, inventory out. Each part has its own file.

use super::{
    Inventory,
    dataplane::data_planes,
    index::{Index, is_wireguard},
    ip_tunnels,
    node::this_node,
    notes::Notes,
    peers::peers,
    pods::pods,
    tunnels::tunnel,
    wireguard,
};
use crate::facts::{
    netlink::{Facts, NamespaceFact},
    pods::PodFacts,
};

/// Makes the inventory of what netlink said, of the pods that other sources know by name, and of what is in the network
/// namespaces of those.
///
/// Tunnels come by interface index, peers by tunnel and key, pods by key: the same facts give the same inventory.
pub fn inventory(facts: &Facts, named: &PodFacts, namespaces: &[NamespaceFact]) -> Inventory {
    let index = Index::new(facts);
    let mut notes = Notes::default();
    let mut inventory = Inventory::default();
    for link in &facts.links {
        if is_wireguard(link) {
            inventory.tunnels.push(wireguard::tunnel(&index, link, &mut notes));
            inventory.peers.extend(wireguard::peers(&index, link, &mut notes));
        }
        inventory.other_tunnels.extend(ip_tunnels::tunnel(&index, link));
        let Some(vxlan) = &link.vxlan else { continue };
        inventory.tunnels.push(tunnel(&index, link, vxlan, &mut notes));
        let (peers, holes) = peers(&index, link, vxlan, &mut notes);
        inventory.peers.extend(peers);
        inventory.holes.extend(holes);
    }
    inventory.tunnels.sort_by_key(|tunnel| tunnel.ifindex);
    inventory.other_tunnels.sort_by_key(|tunnel| tunnel.ifindex);
    inventory.holes.sort();
    inventory.peers.sort_by_key(|peer| (peer.tunnel, peer.key));
    inventory.pods = pods(&index, named, namespaces, &mut notes);
    let tunnels: Vec<_> = inventory.all_tunnels().collect();
    inventory.node = this_node(&index, &tunnels, &inventory.pods);
    (inventory.data_planes, inventory.routed_peers) = data_planes(&index, &inventory);
    let runtime = named.sandboxes.trouble().map(|why| {
        format!(
            "the container runtime names no pods ({why}); their names come from files, where there are some"
        )
    });
    let troubles = facts.troubles().into_iter().chain(named.notes.iter().cloned()).chain(runtime);
    inventory.notes.extend(troubles.chain(notes.lines()));
    inventory
}

#[cfg(test)]
mod tests;
