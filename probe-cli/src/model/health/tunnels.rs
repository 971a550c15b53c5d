//! Tunnel devices: whether they are there and up, what is below them, and whether their packets fit. No peers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use super::{Links, Memory, Problem, Sends, is_of_overlay};
use crate::{
    inventory::{Inventory, System, Tunnel},
    model::{Condition, Fit, Model, MtuPath},
    text::{counted, shown},
};

const AGENT: &str = "the CNI's agent on this node (canal, flannel, calico-node)";

/// Sizes that are listed among what was checked.
const LISTED: usize = 4;

/// Judges the rows of tunnels.
pub(super) fn judge(model: &mut Model, links: &Links<'_>, memory: &Memory) -> Vec<Problem> {
    let mut problems = gone(model, memory);
    let mut below: BTreeMap<u32, (String, Sends, BTreeSet<String>)> = BTreeMap::new();
    let (mut up, mut unknown) = (0, false);
    let inventory = std::sync::Arc::clone(&model.inventory);
    let setup = std::sync::Arc::clone(&model.setup);
    for row in &mut model.tunnels {
        let tunnel = &row.tunnel;
        let name = shown(&tunnel.name);
        if inventory.is_stale(tunnel.ifindex) {
            continue;
        }
        if !tunnel.up {
            row.condition = Condition::Down;
            // A device that nobody ever used is not missed.
            let is_used = inventory.peers.iter().any(|peer| peer.tunnel == tunnel.ifindex)
                || memory.up.contains(&tunnel.name);
            let is_missed = memory.missed.contains(&tunnel.name) || is_of_overlay(&inventory, tunnel);
            // One that was down all the time may be of an overlay that was there before the one that carries packets.
            let is_old = !memory.up.contains(&tunnel.name) && others_carry(&inventory, tunnel);
            if is_used && is_missed && !is_old {
                problems.push(Problem {
                    key: format!("down {}", tunnel.name),
                    words: format!(
                        "{name} is down: it carries no packets; `ip link set {name} up`, then restart {AGENT}, since \
                         its routes went with it"
                    ),
                });
            }
            continue;
        }
        up += 1;
        row.condition = Condition::Ok;
        let remembered = memory.below.get(&tunnel.name).filter(|_| tunnel.underlay.is_none());
        let devices: Vec<(u32, String)> = tunnel
            .underlays()
            .map(|device| (device.ifindex, device.name.clone()))
            .chain(remembered.cloned())
            .collect();
        unknown |= devices.is_empty();
        let is_of_overlay = is_of_overlay(&inventory, tunnel);
        for (ifindex, device) in devices.into_iter().filter(|_| is_of_overlay) {
            let sends = links.sends(ifindex);
            if matches!(sends, Sends::Down | Sends::NoCarrier | Sends::NotThere) {
                row.condition = Condition::UnderlayDown;
            }
            below.entry(ifindex).or_insert((device, sends, BTreeSet::new())).2.insert(name.clone());
        }
        let path = setup.mtu.iter().find(|path| path.ifindex == tunnel.ifindex);
        let is_told = is_of_overlay && is_size_told(&inventory, tunnel, path);
        if let Some(path) = path.filter(|path| is_told && matches!(path.fit, Some(Fit::TooBig(_)))) {
            if row.condition == Condition::Ok {
                row.condition = Condition::TooBig;
            }
            problems.extend(too_big(path));
        }
    }
    for (ifindex, (device, sends, tunnels)) in &below {
        problems.extend(not_sending(*ifindex, device, *sends, tunnels));
    }
    if up > 0 && problems.is_empty() {
        model.checked.push(format!("{}: there and up", counted(up, "tunnel device")));
        let all_known = !unknown && below.values().all(|(_, sends, _)| *sends == Sends::Yes);
        let names: Vec<String> = below.values().map(|(name, ..)| shown(name)).collect();
        if all_known && !names.is_empty() {
            model.checked.push(format!("{} below: up", names.join(", ")));
        }
        let fits = setup.mtu.iter().filter(|path| matches!(path.fit, Some(Fit::Fits | Fit::Unused(_))));
        model.checked.extend(fits.filter(|path| !path.stale).take(LISTED).map(fits_words));
    }
    problems
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

/// False where a device is larger than what pods send through it, and nothing here tells how large that is: Cilium's devices keep
/// the NIC's MTU, and routes in the pods hold packets to less.
fn is_size_told(inventory: &Inventory, tunnel: &Tunnel, path: Option<&MtuPath>) -> bool {
    let is_by_calico = inventory.data_planes.iter().any(|plane| {
        plane.system == System::CalicoEbpf
            && plane.devices.iter().any(|device| device.ifindex == tunnel.ifindex)
    });
    !tunnel.external || is_by_calico || path.is_some_and(|path| path.route_mtu.is_some())
}

/// Tunnels that were there, and that nothing else does the work of.
fn gone(model: &Model, memory: &Memory) -> Vec<Problem> {
    let rows = model.gone.tunnels.iter().map(|row| &row.tunnel);
    let rows = rows.filter(|tunnel| memory.missed.contains(&tunnel.name));
    let rows = rows.filter(|tunnel| !is_replaced(&model.inventory, tunnel, memory));
    let mut problems: Vec<Problem> = rows
        .map(|tunnel| {
            let name = shown(&tunnel.name);
            Problem {
                key: format!("gone {}", tunnel.name),
                words: format!(
                    "{name} is gone: somebody deleted the device, and pods' packets to other nodes do not go \
                     through it any more; if that was not intended, restart {AGENT}, which makes it again"
                ),
            }
        })
        .collect();
    if !problems.is_empty() && model.tunnels.is_empty() {
        problems.insert(
            0,
            Problem {
                key: "no tunnel".to_owned(),
                words: "no VXLAN or WireGuard device is left on this node: nothing carries pods' packets to other \
                        nodes through a tunnel"
                    .to_owned(),
            },
        );
    }
    problems
}

/// All pod networks that were routed by the tunnel are routed to their nodes by something else: somebody moved the overlay.
fn is_replaced(inventory: &Inventory, tunnel: &Tunnel, memory: &Memory) -> bool {
    let mut networks = memory.routed.iter().filter(|((name, _), _)| *name == tunnel.name).peekable();
    let now = || {
        let peers = inventory.peers.iter().flat_map(|peer| &peer.pod_cidrs);
        peers.chain(inventory.routed_peers.iter().flat_map(|peer| &peer.pod_cidrs))
    };
    networks.peek().is_some()
        && networks
            .flat_map(|(_, networks)| networks)
            .all(|network| now().any(|other| other.contains(network)))
}

fn not_sending(ifindex: u32, device: &str, sends: Sends, tunnels: &BTreeSet<String>) -> Option<Problem> {
    let device = shown(device);
    let tunnels = tunnels.iter().cloned().collect::<Vec<_>>().join(", ");
    let words = match sends {
        Sends::Yes | Sends::Unknown => return None,
        Sends::Down => {
            format!("{device} is down: outer packets of {tunnels} cannot leave; `ip link set {device} up`")
        }
        Sends::NoCarrier => format!(
            "{device} has no carrier: outer packets of {tunnels} cannot leave; look at its cable and the switch's port"
        ),
        Sends::NotThere => format!("{device} is gone: outer packets of {tunnels} cannot leave"),
    };
    Some(Problem { key: format!("underlay {ifindex} {tunnels}"), words })
}

/// `eth0 1400` of what is below a path.
fn room_words(path: &MtuPath) -> Option<(String, u32)> {
    let devices = path.underlays.iter().map(|device| (shown(&device.name), device.mtu));
    let route = path.underlay_route_mtu.map(|mtu| ("a route to another node".to_owned(), mtu));
    devices.chain(route).min_by_key(|(_, mtu)| *mtu)
}

fn too_big(path: &MtuPath) -> Option<Problem> {
    let (below, mtu) = room_words(path)?;
    let most = path.max_inner?;
    let device = shown(&path.device);
    let takes = path.route_mtu.map_or(path.mtu, |route| route.min(path.mtu));
    let words = format!(
        "{device} takes packets of {takes} bytes and adds {}, but {below} has an MTU of {mtu}: packets over {most} bytes \
         leave in fragments or are dropped; raise that MTU to {}, or lower that of {device} and of the pods to {most}",
        path.overhead,
        takes + path.overhead,
    );
    Some(Problem { key: format!("mtu {}", path.device), words })
}

fn fits_words(path: &MtuPath) -> String {
    let below = room_words(path).map_or_else(String::new, |(name, mtu)| format!(" in {name} {mtu}"));
    format!("MTU: {} {} + {} fits{below}", shown(&path.device), path.mtu, path.overhead)
}
