//! The whole join: a snapshot in, an inventory out. Each part has its own file.

use std::sync::Arc;

use super::{
    Inventory, TunnelKind,
    dataplane::data_planes,
    flannel_bridge::flannel_bridges,
    holes::ClusterNetworks,
    index::{Index, is_wireguard},
    ip_tunnels,
    links::links,
    node::this_node,
    outer_routes::outer_routes,
    peers::peers,
    pod_networks::pod_networks,
    pods::pods,
    route_mtu::{host_route_mtu, path_devices, pod_ends},
    tun,
    tunnel_addresses::tunnel_addresses,
    tunnels::tunnel,
    vfs::{name_devices, virtual_functions},
    warnings::Warnings,
    wireguard,
};
use crate::facts::{Snapshot, host::HostFacts, netlink::Facts, pods::PodFacts};

/// Makes the inventory of what the sources said.
///
/// Tunnels come by interface index, peers by tunnel and key, pods by key: the same facts give the same inventory.
pub fn inventory(snapshot: &Snapshot) -> Inventory {
    let facts: &Facts = &snapshot.netlink;
    let named: &PodFacts = &snapshot.pods;
    let index = Index::new(facts);
    let mut notes = Warnings::default();
    let cluster = ClusterNetworks::new(snapshot.files.value());
    let mut inventory = Inventory::default();
    for link in &facts.links {
        if is_wireguard(link) {
            inventory.tunnels.push(wireguard::tunnel(&index, link, &mut notes));
            inventory.peers.extend(wireguard::peers(&index, link, &mut notes).into_iter().map(Arc::new));
        }
        inventory.other_tunnels.extend(ip_tunnels::tunnel(&index, link));
        inventory.other_tunnels.extend(tun::tunnel(&index, link));
        let Some(vxlan) = &link.vxlan else { continue };
        inventory.tunnels.push(tunnel(&index, link, vxlan, &mut notes));
        let (peers, holes) = peers(&index, link, vxlan, &cluster, &mut notes);
        inventory.peers.extend(peers.into_iter().map(Arc::new));
        inventory.holes.extend(holes);
    }
    inventory.tunnels.sort_by_key(|tunnel| tunnel.ifindex);
    inventory.other_tunnels.sort_by_key(|tunnel| tunnel.ifindex);
    inventory.holes.sort();
    inventory.peers.sort_by_key(|peer| (peer.tunnel, peer.key));
    inventory.tunnel_addresses = tunnel_addresses(&index, &inventory);
    let pods = pods(&index, named, &snapshot.namespaces, &mut notes);
    let tunnels: Vec<_> = inventory.all_tunnels().collect();
    let flannels = flannel_bridges(&index, snapshot.files.value(), named);
    inventory.node = this_node(&index, &tunnels, &pods, &flannels);
    inventory.pods = pods.into_iter().map(Arc::new).collect();
    host(&mut inventory, &snapshot.host);
    (inventory.data_planes, inventory.routed_peers) = data_planes(&index, &inventory, &flannels);
    inventory.pod_networks = pod_networks(&index, &inventory, &cluster);
    inventory.pod_links = pod_ends(&index, &inventory);
    inventory.path_devices = path_devices(&index, &inventory);
    inventory.host_route_mtu = host_route_mtu(&index);
    inventory.outer_routes = outer_routes(&index, &inventory);
    inventory.links = links(&index, &inventory, snapshot.sriov.pfs.rows());
    inventory.pfs = snapshot.sriov.pfs.clone();
    inventory.other_pfs.clone_from(&snapshot.sriov.others);
    (inventory.vfs, inventory.vf_notes) = virtual_functions(&snapshot.sriov, named);
    name_devices(&mut inventory.vfs, snapshot.pci.rows());
    if let Some(hosts) = snapshot.files.value().and_then(|files| files.hosts.value()) {
        inventory.name_nodes(hosts);
    }
    let sriov = snapshot.sriov.pfs.trouble().map(|why| format!("SR-IOV devices cannot be read: {why}"));
    inventory.sriov_notes = sriov.into_iter().chain(snapshot.sriov.notes.iter().cloned()).collect();
    inventory.table_notes = facts.troubles();
    let unread = snapshot.namespaces.iter().filter_map(|namespace| {
        let why = namespace.told.trouble()?;
        Some(format!("network namespace {}: {why}", namespace.path))
    });
    inventory.notes = (inventory.table_notes.iter().cloned())
        .chain(named.notes.iter().cloned())
        .chain(named.runtime_trouble())
        .chain(notes.lines())
        .chain(unread)
        .collect();
    inventory
}

/// What the kernel and the machine say of themselves.
fn host(inventory: &mut Inventory, facts: &HostFacts) {
    let has_device = inventory.tunnels.iter().any(|tunnel| tunnel.kind == TunnelKind::Wireguard);
    inventory.node.hostname = facts.hostname.value().cloned();
    inventory.node.kernel = facts.kernel.value().cloned();
    inventory.node.has_wireguard =
        if has_device { Some(true) } else { facts.wireguard_module.value().copied() };
}

#[cfg(test)]
mod tests;
