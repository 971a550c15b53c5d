//! Peers: whether packets find their way to each of them. By the holes in a VXLAN device's tables, and by what WireGuard tells.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::{Memory, tunnels};
use crate::{
    inventory::{Hole, Inventory, Peer, PeerKey, Tunnel, TunnelKind},
    model::{Condition, Fault, Model, PeerRow},
    sample::PerDirection,
    text::{counted, shown},
};

/// `rtm_protocol` of felix and of BIRD.
const CALICO_PROTOCOLS: [u8; 2] = [80, 12];

/// The faults of peers: none of tunnels that are down, whose entries the kernel removes.
pub(super) fn faults(model: &Model, memory: &Memory) -> Vec<Fault> {
    let inventory = &model.inventory;
    let carries = |ifindex: u32| {
        let tunnel = inventory.tunnel(ifindex)?;
        (tunnel.up && inventory.is_in_use(ifindex)).then_some(tunnel)
    };
    let mut faults: Vec<Fault> = Vec::new();
    // Missing neighbours come before missing routes.
    for hole in &inventory.holes {
        let Some(device) = carries(hole.tunnel()) else { continue };
        match *hole {
            Hole::RouteWithoutNeighbour { tunnel, pod_cidr, gateway } => {
                let is_foreign = is_foreign(model, pod_cidr);
                faults.push(Fault::NoNeighbour { tunnel, pod_cidr, gateway, is_foreign });
            }
            Hole::NeighbourWithoutFdb { tunnel, neighbour, mac } => {
                faults.push(Fault::NoFdb { tunnel, neighbour, mac });
            }
            Hole::FdbWithoutRoute { tunnel, mac, node_address } => {
                let earlier = memory.networks(device, node_address);
                if !is_reached_otherwise(inventory, tunnel, node_address)
                    && !has_no_neighbour(&faults, tunnel, earlier)
                {
                    let earlier = earlier.to_vec();
                    faults.push(Fault::NoRoute { tunnel, key: PeerKey::Mac(mac), node_address, earlier });
                }
            }
        }
    }
    for peer in &inventory.peers {
        let Some(told) = peer.wireguard else { continue };
        let Some(device) = carries(peer.tunnel) else { continue };
        let Peer { tunnel, key, node_address, .. } = **peer;
        let earlier = memory.networks(device, node_address);
        if peer.pod_cidrs.is_empty() {
            // An agent that starts again has a new key, to which the networks of the old one go.
            if !earlier.is_empty() && !is_routed(inventory, earlier) {
                faults.push(Fault::NoRoute { tunnel, key, node_address, earlier: earlier.to_vec() });
            }
        } else if told.endpoint.is_none() {
            faults.push(Fault::NoEndpoint { tunnel, key });
        }
    }
    faults
}

/// Gives the rows of peers their conditions, adds rows for those that only a neighbour entry is left of, and tells what is well.
pub(super) fn mark(model: &mut Model, memory: &Memory) {
    let inventory = Arc::clone(&model.inventory);
    let faults = std::mem::take(&mut model.faults);
    let mut well: BTreeMap<TunnelKind, usize> = BTreeMap::new();
    for row in &mut model.peers {
        let Some((peer, tunnel)) = row.peer.as_ref().zip(inventory.tunnel(row.tunnel)) else { continue };
        row.condition = condition(&inventory, &faults, tunnel, peer, memory);
        if row.condition == Condition::Ok {
            *well.entry(tunnel.kind).or_default() += 1;
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
    let told = faults.iter().filter_map(|fault| {
        let Fault::NoRoute { tunnel, node_address, .. } = fault else { return None };
        let tunnel = inventory.tunnel(*tunnel)?;
        Some(format!("{}: no route resolves to node {} ", shown(&tunnel.name), (*node_address)?))
    });
    let told: Vec<String> = told.collect();
    model.notes.retain(|note| !told.iter().any(|start| note.starts_with(start)));
    model.faults = faults;
}

fn condition(
    inventory: &Inventory,
    faults: &[Fault],
    tunnel: &Tunnel,
    peer: &Peer,
    memory: &Memory,
) -> Condition {
    if inventory.is_stale(tunnel.ifindex) || tunnel.told.value().is_none() {
        return Condition::Unchecked;
    }
    if !tunnel.up {
        return Condition::Down;
    }
    // Which of several devices leads to this peer is not known here.
    let is_down = |device: u32| {
        faults.iter().any(|fault| matches!(fault, Fault::UnderlayDown { ifindex, .. } if *ifindex == device))
    };
    let below = tunnels::devices_below(tunnel, memory);
    if !below.is_empty() && below.iter().all(|(ifindex, _)| is_down(*ifindex)) {
        return Condition::UnderlayDown;
    }
    let own = faults.iter().find(|fault| fault.peer() == Some((peer.tunnel, peer.key)));
    match own {
        Some(Fault::NoEndpoint { .. }) => return Condition::NoEndpoint,
        Some(Fault::NoFdb { .. }) => return Condition::NoFdb,
        Some(Fault::NoRoute { .. }) => return Condition::NoRoute,
        Some(
            Fault::TunnelGone { .. }
            | Fault::TunnelMadeAgain { .. }
            | Fault::TunnelUnconfigured { .. }
            | Fault::TunnelDown { .. }
            | Fault::UnderlayDown { .. }
            | Fault::TooBig { .. }
            | Fault::NoNeighbour { .. }
            | Fault::InClear { .. },
        )
        | None => {}
    }
    if has_no_neighbour(faults, peer.tunnel, memory.networks(tunnel, peer.node_address)) {
        return Condition::NoNeighbour;
    }
    let has_route = !peer.pod_cidrs.is_empty()
        || is_lost(inventory, peer) && is_reached_otherwise(inventory, peer.tunnel, peer.node_address);
    let has_address = match &peer.wireguard {
        Some(wireguard) => wireguard.endpoint.is_some(),
        None => peer.node_address.is_some(),
    };
    // A device that asks around finds out by itself, and has no holes.
    if has_route && has_address { Condition::Ok } else { Condition::Unchecked }
}

impl Memory {
    /// Pod networks that the tunnel led to this node earlier.
    fn networks(&self, tunnel: &Tunnel, node: Option<IpAddr>) -> &[IpNet] {
        let known = node.and_then(|node| self.routed.get(&tunnel.name)?.get(&node));
        known.map_or(&[], |routed| routed.networks.as_slice())
    }
}

/// Outside of the networks that files give the cluster. Calico has pools beside these, whose routes it marks as its own.
fn is_foreign(model: &Model, pod_cidr: IpNet) -> bool {
    let Some(intent) = &model.setup.intent else { return false };
    let is_v4 = pod_cidr.addr().is_ipv4();
    let mut of_family =
        intent.cluster_cidrs.iter().filter(|known| known.value.addr().is_ipv4() == is_v4).peekable();
    let mut routes = model.snapshot.netlink.routes.iter();
    of_family.peek().is_some()
        && !of_family.any(|known| known.value.contains(&pod_cidr))
        && !routes.any(|route| route.destination == pod_cidr && CALICO_PROTOCOLS.contains(&route.protocol))
}

/// One of these networks has a gateway without a neighbour entry.
fn has_no_neighbour(faults: &[Fault], of: u32, networks: &[IpNet]) -> bool {
    faults.iter().any(|fault| {
        matches!(fault, Fault::NoNeighbour { tunnel, pod_cidr, .. } if *tunnel == of && networks.contains(pod_cidr))
    })
}

/// No route is the peer's.
fn is_lost(inventory: &Inventory, peer: &Peer) -> bool {
    inventory.holes.iter().any(|hole| {
        matches!(hole, Hole::FdbWithoutRoute { tunnel, mac, .. }
            if *tunnel == peer.tunnel && PeerKey::Mac(*mac) == peer.key)
    })
}

/// All of these networks are routed to some node.
fn is_routed(inventory: &Inventory, networks: &[IpNet]) -> bool {
    let now = inventory.peers.iter().flat_map(|peer| &peer.pod_cidrs);
    networks.iter().all(|network| now.clone().any(|other| other.contains(network)))
}

/// Pods of the node are reached without this tunnel: Calico has FDB entries also for nodes that it routes to directly.
fn is_reached_otherwise(inventory: &Inventory, tunnel: u32, node: Option<IpAddr>) -> bool {
    let directly = inventory.routed_peers.iter().any(|routed| Some(routed.node_address) == node);
    let by_other = inventory
        .peers
        .iter()
        .any(|other| other.tunnel != tunnel && other.node_address == node && !other.pod_cidrs.is_empty());
    node.is_some() && (directly || by_other)
}

/// A neighbour without an FDB entry is no peer of the inventory: it is a row all the same, with what was known of it before.
fn add_without_fdb(model: &mut Model, inventory: &Inventory) {
    for hole in &inventory.holes {
        let Hole::NeighbourWithoutFdb { tunnel, mac, .. } = hole else { continue };
        let Some(device) = inventory.tunnel(*tunnel).filter(|device| inventory.is_in_use(device.ifindex))
        else {
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
            tunnel_name: device.name.as_str().into(),
            tunnel: *tunnel,
            peer: Some(peer.unwrap_or_else(|| Arc::new(unknown))),
            joined: None,
            members: Vec::new(),
            gone: 0,
            condition: if device.up { Condition::NoFdb } else { Condition::Down },
            node_name,
            flow: PerDirection::default(),
            outer: None,
            wireguard: None,
            paths: Vec::new(),
        };
        let others = model.peers.iter().position(|other| other.tunnel == *tunnel && other.peer.is_none());
        model.peers.insert(others.unwrap_or(model.peers.len()), row);
    }
}
