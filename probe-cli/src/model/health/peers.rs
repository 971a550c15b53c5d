//! Peers: whether packets find their way to each of them. By the holes in a VXLAN device's tables, and by what WireGuard tells.

use std::{collections::BTreeMap, sync::Arc};

use super::{Memory, Problem, tunnel_of};
use crate::{
    inventory::{Hole, Inventory, Peer, PeerKey, System, TunnelKind},
    model::{Condition, Model, PeerRow},
    sample::PerDirection,
    text::{counted, shown},
};

/// Peers that get a note of their own; the rest is a number.
const NOTED: usize = 8;

/// Judges the rows of peers, and adds rows for those that only a neighbour entry is left of.
pub(super) fn judge(model: &mut Model, memory: &Memory) -> Vec<Problem> {
    let inventory = Arc::clone(&model.inventory);
    let mut without_route = Vec::new();
    let mut well: BTreeMap<TunnelKind, usize> = BTreeMap::new();
    for row in &mut model.peers {
        let Some(peer) = &row.peer else { continue };
        row.condition = condition(&inventory, peer, memory);
        let kind = tunnel_of(&inventory, peer).map(|tunnel| tunnel.kind);
        match (row.condition, kind) {
            (Condition::Ok, Some(kind)) => *well.entry(kind).or_default() += 1,
            (Condition::NoRoute, Some(TunnelKind::Vxlan)) => without_route.push(peer.clone()),
            _ => {}
        }
    }
    add_without_fdb(model, &inventory);
    let is_well = model.peers.iter().all(|row| !row.condition.is_wrong());
    for (kind, count) in well.into_iter().filter(|_| is_well) {
        model.checked.push(match kind {
            TunnelKind::Wireguard => format!("{}: endpoint, allowed IPs", counted(count, "WireGuard peer")),
            TunnelKind::Vxlan | TunnelKind::Ipip | TunnelKind::Geneve | TunnelKind::Udp => {
                format!("{}: route, neighbour and FDB entry", counted(count, "VXLAN peer"))
            }
        });
    }
    // The inventory tells of such a peer as well, without what was routed to it before.
    let told = without_route.iter().filter_map(|peer| {
        let tunnel = tunnel_of(&inventory, peer)?;
        Some(format!("{}: no route resolves to node {} ", shown(&tunnel.name), peer.node_address?))
    });
    let told: Vec<String> = told.collect();
    model.notes.retain(|note| !told.iter().any(|start| note.starts_with(start)));
    no_route(&inventory, &without_route, memory)
}

fn condition(inventory: &Inventory, peer: &Peer, memory: &Memory) -> Condition {
    let Some(tunnel) = tunnel_of(inventory, peer) else { return Condition::Unchecked };
    if inventory.is_stale(tunnel.ifindex) || tunnel.told.value().is_none() {
        return Condition::Unchecked;
    }
    if !tunnel.up {
        return Condition::Down;
    }
    if let Some(wireguard) = &peer.wireguard {
        return match (wireguard.endpoint, peer.pod_cidrs.is_empty()) {
            (None, _) => Condition::NoEndpoint,
            (Some(_), true) => Condition::NoRoute,
            (Some(_), false) => Condition::Ok,
        };
    }
    let is_lost = inventory.holes.iter().any(|hole| {
        matches!(hole, Hole::FdbWithoutRoute { tunnel, mac, .. }
            if *tunnel == peer.tunnel && PeerKey::Mac(*mac) == peer.key)
    });
    if !is_lost {
        // A device that asks around finds out by itself, and has no holes.
        let is_whole = peer.node_address.is_some() && !peer.pod_cidrs.is_empty();
        return if is_whole { Condition::Ok } else { Condition::Unchecked };
    }
    let remembered = peer.node_address.and_then(|node| memory.routed.get(&(tunnel.name.clone(), node)));
    let gateway_is_lost = inventory.holes.iter().any(|hole| {
        matches!(hole, Hole::RouteWithoutNeighbour { tunnel, pod_cidr, .. }
            if *tunnel == peer.tunnel && remembered.is_some_and(|cidrs| cidrs.contains(pod_cidr)))
    });
    if gateway_is_lost {
        Condition::NoNeighbour
    } else if is_reached_otherwise(inventory, peer) {
        Condition::Ok
    } else if remembered.is_some() || always_routes(inventory, peer.tunnel) {
        Condition::NoRoute
    } else {
        Condition::Unchecked
    }
}

/// Pods of the peer's node are reached without this tunnel: Calico has FDB entries also for nodes that it routes to directly.
fn is_reached_otherwise(inventory: &Inventory, peer: &Peer) -> bool {
    let directly = inventory.routed_peers.iter().any(|routed| Some(routed.node_address) == peer.node_address);
    let by_other = inventory.peers.iter().any(|other| {
        other.tunnel != peer.tunnel && other.node_address == peer.node_address && !other.pod_cidrs.is_empty()
    });
    peer.node_address.is_some() && (directly || by_other)
}

/// flannel gives every node a pod network, and routes it by the device that has the FDB entry. With Calico a node may have none.
fn always_routes(inventory: &Inventory, tunnel: u32) -> bool {
    inventory.data_planes.iter().any(|plane| {
        matches!(plane.system, System::Canal | System::Rke2Flannel | System::Flannel)
            && plane.devices.iter().any(|device| device.ifindex == tunnel)
    })
}

/// A neighbour without an FDB entry is no peer of the inventory: it is a row all the same, with what was known of it before.
fn add_without_fdb(model: &mut Model, inventory: &Inventory) {
    for hole in &inventory.holes {
        let Hole::NeighbourWithoutFdb { tunnel, mac, .. } = hole else { continue };
        let Some(device) = inventory.tunnels.iter().find(|device| device.ifindex == *tunnel) else {
            continue;
        };
        let key = PeerKey::Mac(*mac);
        let is_it = |row: &PeerRow| row.tunnel == *tunnel && row.peer.as_ref().is_some_and(|p| p.key == key);
        let earlier = model.gone.peers.iter().position(is_it).map(|at| model.gone.peers.remove(at));
        let unknown = Peer {
            tunnel: *tunnel,
            key,
            node_address: None,
            pod_cidrs: Vec::new(),
            last_tx_age_s: None,
            wireguard: None,
        };
        let (peer, node_name) = earlier.map_or((None, None), |row| (row.peer, row.node_name));
        let row = PeerRow {
            tunnel_name: device.name.clone(),
            tunnel: *tunnel,
            peer: Some(peer.unwrap_or(unknown)),
            joined: None,
            gone: 0,
            condition: if device.up { Condition::NoFdb } else { Condition::Down },
            node_name,
            flow: PerDirection::default(),
            outer: None,
            wireguard: None,
        };
        let others = model.peers.iter().position(|other| other.tunnel == *tunnel && other.peer.is_none());
        model.peers.insert(others.unwrap_or(model.peers.len()), row);
    }
}

fn no_route(inventory: &Inventory, lost: &[Peer], memory: &Memory) -> Vec<Problem> {
    let problem = |peer: &Peer| {
        let tunnel = tunnel_of(inventory, peer)?;
        let node = peer.node_address.map_or_else(|| peer.key.to_string(), |address| address.to_string());
        let networks = peer.node_address.and_then(|node| memory.routed.get(&(tunnel.name.clone(), node)));
        let networks = networks.map_or_else(String::new, |networks| {
            let networks: Vec<String> = networks.iter().take(2).map(ToString::to_string).collect();
            format!(" any more ({} was routed to it)", networks.join(", "))
        });
        let name = shown(&tunnel.name);
        Some(Problem {
            key: format!("no route {name} {node}"),
            words: format!(
                "{name}: no route leads to {node}{networks}, so packets to its pods are dropped or leave by another \
                 device; restart the CNI's agent on this node (canal, flannel, calico-node), which writes the routes"
            ),
        })
    };
    let more = lost.len().saturating_sub(NOTED);
    let further = (more > 0).then(|| Problem {
        key: "no route, further".to_owned(),
        words: format!("no route leads to {more} more peers"),
    });
    lost.iter().take(NOTED).filter_map(problem).chain(further).collect()
}
