//! Tunnel devices: whether they are there and up, what is below them, and whether their packets fit. No peers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;

use super::{Links, Memory, Seen, words};
use crate::{
    inventory::{DataPlane, Inventory, LinkState, System, Tunnel},
    model::{Condition, Fault, Fit, Model, paths_in_use},
    text::{counted, shown},
};

/// Sizes that are listed among what was checked.
const LISTED: usize = 4;

/// The faults of tunnels, by the order in which they are told.
pub(super) fn faults(model: &Model, links: &Links<'_>, memory: &Memory) -> Vec<Fault> {
    let inventory = &model.inventory;
    let mut faults = gone(inventory, memory);
    for tunnel in inventory.all_tunnels() {
        // What was routed by the earlier device says more than that this one has nothing.
        faults.extend(made_again(model, tunnel, memory).or_else(|| unconfigured(inventory, tunnel)));
    }
    let down = inventory.all_tunnels().filter(|tunnel| is_missed_down(inventory, tunnel, memory));
    faults.extend(down.map(|tunnel| Fault::TunnelDown { tunnel: tunnel.ifindex, name: tunnel.name.clone() }));
    faults.extend(paths_in_use(inventory, &model.setup.mtu).filter_map(|path| match path.fit? {
        Fit::TooBig(over) => Some(Fault::TooBig { tunnel: path.ifindex, over }),
        Fit::Fits | Fit::Unused(_) => None,
    }));
    let mut below: BTreeMap<u32, (String, Vec<String>)> = BTreeMap::new();
    for tunnel in inventory.all_tunnels().filter(|tunnel| tunnel.up && inventory.is_in_use(tunnel.ifindex)) {
        for (ifindex, name) in devices_below(tunnel, memory) {
            below.entry(ifindex).or_insert((name, Vec::new())).1.push(tunnel.name.clone());
        }
    }
    faults.extend(below.into_iter().filter_map(|(ifindex, (name, tunnels))| {
        let state = match links.seen(ifindex) {
            Seen::Unread | Seen::There(LinkState::Up) => return None,
            Seen::There(state) => Some(state),
            Seen::NotThere => None,
        };
        Some(Fault::UnderlayDown { ifindex, name, state, tunnels })
    }));
    faults
}

/// Gives the rows of tunnels their conditions, and tells what is well.
pub(super) fn mark(model: &mut Model, links: &Links<'_>, memory: &Memory) {
    let inventory = Arc::clone(&model.inventory);
    let faults = &model.faults;
    for row in &mut model.tunnels {
        let tunnel = &row.tunnel;
        let is_below = |fault: &Fault| matches!(fault, Fault::UnderlayDown { tunnels, .. } if tunnels.contains(&tunnel.name));
        let is_too_big =
            |fault: &Fault| matches!(fault, Fault::TooBig { tunnel: of, .. } if *of == tunnel.ifindex);
        let is_without_routes = |fault: &Fault| {
            matches!(fault, Fault::TunnelMadeAgain { tunnel: of, .. } | Fault::TunnelUnconfigured { tunnel: of, .. }
                if *of == tunnel.ifindex)
        };
        row.condition = if faults.iter().any(is_without_routes) {
            Condition::NoRoute
        } else if inventory.is_stale(tunnel.ifindex) {
            Condition::Unchecked
        } else if !tunnel.up {
            Condition::Down
        } else if faults.iter().any(is_below) {
            Condition::UnderlayDown
        } else if faults.iter().any(is_too_big) {
            Condition::TooBig
        } else {
            Condition::Ok
        };
    }
    let is_up = |tunnel: &&Tunnel| tunnel.up && !inventory.is_stale(tunnel.ifindex);
    let up: Vec<&Tunnel> = inventory.tunnels.iter().filter(is_up).collect();
    if up.is_empty() || faults.iter().any(is_of_tunnels) {
        return;
    }
    model.checked.push(format!("{}: there and up", counted(up.len(), "tunnel device")));
    let in_use = up.iter().filter(|tunnel| inventory.is_in_use(tunnel.ifindex));
    let below: BTreeSet<(u32, String)> = in_use.flat_map(|tunnel| devices_below(tunnel, memory)).collect();
    let is_known = up.iter().all(|tunnel| !devices_below(tunnel, memory).is_empty());
    let are_up = below.iter().all(|(ifindex, _)| links.seen(*ifindex) == Seen::There(LinkState::Up));
    if is_known && are_up && !below.is_empty() {
        let names: Vec<String> = below.iter().map(|(_, name)| shown(name)).collect();
        model.checked.push(format!("{} below: up", names.join(", ")));
    }
    let fits = model.setup.mtu.iter().filter(|path| matches!(path.fit, Some(Fit::Fits | Fit::Unused(_))));
    model.checked.extend(fits.filter(|path| !path.stale).take(LISTED).map(words::fits));
}

fn is_of_tunnels(fault: &Fault) -> bool {
    match fault {
        Fault::TunnelGone { .. }
        | Fault::TunnelMadeAgain { .. }
        | Fault::TunnelUnconfigured { .. }
        | Fault::TunnelDown { .. }
        | Fault::UnderlayDown { .. }
        | Fault::TooBig { .. } => true,
        Fault::NoNeighbour { .. }
        | Fault::NoFdb { .. }
        | Fault::NoRoute { .. }
        | Fault::NoEndpoint { .. }
        | Fault::InClear { .. } => false,
    }
}

/// Index and name of each; that which was below last when nothing tells now.
pub(super) fn devices_below(tunnel: &Tunnel, memory: &Memory) -> Vec<(u32, String)> {
    let remembered = memory.below.get(&tunnel.name).filter(|_| tunnel.underlay.is_none());
    let now = tunnel.underlays().map(|device| (device.ifindex, device.name.clone()));
    now.chain(remembered.cloned()).collect()
}

/// It is down and should carry pods' packets.
fn is_missed_down(inventory: &Inventory, tunnel: &Tunnel, memory: &Memory) -> bool {
    if tunnel.up || inventory.is_stale(tunnel.ifindex) {
        return false;
    }
    let has = |plane: &DataPlane| plane.devices.iter().any(|device| device.ifindex == tunnel.ifindex);
    let mut known = inventory.data_planes.iter().filter(|plane| plane.system != System::Unknown);
    if memory.missed.contains(&tunnel.name) || known.any(has) {
        return true;
    }
    // Somebody's device that nobody ever used is not missed. One that was down all the time may be of an overlay that was there
    // before the one that carries packets.
    let mut peers = inventory.peers.iter();
    inventory.is_in_use(tunnel.ifindex)
        && peers.any(|peer| peer.tunnel == tunnel.ifindex)
        && !others_carry(inventory, tunnel)
}

/// Pods of other nodes are reached by something else, in the family of the tunnel's outer packets.
fn others_carry(inventory: &Inventory, tunnel: &Tunnel) -> bool {
    let is_of_family = |address: Option<IpAddr>| {
        address
            .is_none_or(|address| tunnel.outer_family.is_none_or(|family| (family == 6) == address.is_ipv6()))
    };
    let mut peers = inventory.peers.iter().filter(|peer| peer.tunnel != tunnel.ifindex);
    peers.any(|peer| !peer.pod_cidrs.is_empty() && is_of_family(peer.node_address))
        || inventory.routed_peers.iter().any(|peer| is_of_family(Some(peer.node_address)))
}

/// Tunnels that were there, and that nothing else does the work of.
fn gone(inventory: &Inventory, memory: &Memory) -> Vec<Fault> {
    let is_there = |name: &String| inventory.all_tunnels().any(|tunnel| tunnel.name == *name);
    let names = memory.missed.iter().filter(|name| !is_there(name));
    let names = names.filter(|name| !is_replaced(inventory, name, memory));
    names.map(|name| Fault::TunnelGone { name: name.clone() }).collect()
}

/// The tunnel is another device than the one of its name that led to these networks, and they are routed to no node now. The
/// agent that makes a device writes its entries at once; one by one they go with nodes that leave the cluster.
fn made_again(model: &Model, tunnel: &Tunnel, memory: &Memory) -> Option<Fault> {
    let inventory = &model.inventory;
    let routes = &model.snapshot.netlink.routes;
    if !tunnel.up || tunnel.told.value().is_none() || routes.troubles().next().is_some() {
        return None;
    }
    // A node that the device knows, and a route whose gateway it does not know, have faults of their own.
    let is_known = |node: &IpAddr| {
        let mut peers = inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex);
        peers.any(|peer| peer.node_address == Some(*node))
    };
    let has_route = |network: &IpNet| {
        routes.iter().any(|route| route.ifindex == Some(tunnel.ifindex) && route.destination == *network)
    };
    let routed = memory.routed.get(&tunnel.name).into_iter().flatten();
    let lost = routed.filter(|(node, routed)| routed.ifindex != tunnel.ifindex && !is_known(node));
    let lost = lost.flat_map(|(_, routed)| &routed.networks);
    let lost = lost.filter(|network| !is_routed(inventory, network) && !has_route(network));
    let earlier: BTreeSet<IpNet> = lost.copied().collect();
    (!earlier.is_empty()).then(|| Fault::TunnelMadeAgain {
        tunnel: tunnel.ifindex,
        name: tunnel.name.clone(),
        earlier: earlier.into_iter().collect(),
    })
}

fn unconfigured(inventory: &Inventory, tunnel: &Tunnel) -> Option<Fault> {
    let mut devices = inventory.data_planes.iter().flat_map(|plane| &plane.devices);
    let is_it = devices.any(|device| device.ifindex == tunnel.ifindex && device.unconfigured);
    (tunnel.up && is_it)
        .then(|| Fault::TunnelUnconfigured { tunnel: tunnel.ifindex, name: tunnel.name.clone() })
}

/// All pod networks that were routed by the tunnel are routed to their nodes by something else: somebody moved the overlay.
fn is_replaced(inventory: &Inventory, tunnel: &str, memory: &Memory) -> bool {
    let routed = memory.routed.get(tunnel).into_iter().flat_map(BTreeMap::values);
    let mut networks = routed.flat_map(|routed| &routed.networks).peekable();
    networks.peek().is_some() && networks.all(|network| is_routed(inventory, network))
}

/// The network is routed to some node, by a tunnel or without.
fn is_routed(inventory: &Inventory, network: &IpNet) -> bool {
    let peers = inventory.peers.iter().flat_map(|peer| &peer.pod_cidrs);
    let mut now = peers.chain(inventory.routed_peers.iter().flat_map(|peer| &peer.pod_cidrs));
    now.any(|other| other.contains(network))
}
