//! What faults are and what to do, in words for a line on screen. Names are escaped. No finding of faults.

use ipnet::IpNet;

use super::{Problem, in_clear};
use crate::{
    inventory::{LinkState, PeerKey},
    model::{Fault, Model, MtuPath},
    text::shown,
};

const AGENT: &str = "the CNI's agent on this node (canal, flannel, calico-node)";

/// Peers that get a note of their own for one kind of fault; the rest is a number.
const NOTED: usize = 8;

/// What is told of the model's faults, in their order.
pub(super) fn problems(model: &Model) -> Vec<Problem> {
    let mut problems = Vec::new();
    let gone = model.faults.iter().any(|fault| matches!(fault, Fault::TunnelGone { .. }));
    if gone && model.inventory.all_tunnels().next().is_none() {
        problems.push(Problem {
            key: "no tunnel".to_owned(),
            words:
                "no VXLAN or WireGuard device is left on this node: nothing carries pods' packets to other \
                    nodes through a tunnel"
                    .to_owned(),
        });
    }
    let (mut unrouted, mut unknown, mut in_clear) = (0_usize, 0_usize, 0_usize);
    for fault in &model.faults {
        let count = match fault {
            Fault::NoRoute { .. } => &mut unrouted,
            Fault::NoEndpoint { .. } => &mut unknown,
            Fault::InClear { .. } => &mut in_clear,
            Fault::TunnelGone { .. }
            | Fault::TunnelMadeAgain { .. }
            | Fault::TunnelUnconfigured { .. }
            | Fault::TunnelDown { .. }
            | Fault::UnderlayDown { .. }
            | Fault::TooBig { .. }
            | Fault::NoNeighbour { .. }
            | Fault::NoFdb { .. } => &mut 0,
        };
        *count += 1;
        if *count <= NOTED {
            problems.extend(problem(model, fault));
        }
    }
    let further = |count: usize, what: &str| {
        let more = count.saturating_sub(NOTED);
        let key = format!("{what}, further");
        (more > 0).then(|| Problem { key, words: format!("{what} {more} more peers") })
    };
    problems.extend(further(unrouted, "no route leads to"));
    problems.extend(further(unknown, "no endpoint is known of"));
    problems.extend(further(in_clear, "outside the tunnel are packets of pods of"));
    problems
}

fn problem(model: &Model, fault: &Fault) -> Option<Problem> {
    let tunnel = |ifindex: u32| Some(shown(&model.inventory.tunnel(ifindex)?.name));
    Some(match fault {
        Fault::TunnelGone { name } => Problem {
            key: format!("gone {name}"),
            words: format!(
                "{} is gone: somebody deleted the device, and pods' packets to other nodes do not go through it any \
                 more; if that was not intended, restart {AGENT}, which makes it again",
                shown(name)
            ),
        },
        Fault::TunnelMadeAgain { name: device, earlier, .. } => {
            let name = shown(device);
            Problem {
                key: format!("made again {device}"),
                words: format!(
                    "{name} was deleted and made again without its routes: no route leads to {} any more, so packets to \
                     pods there are dropped or leave by another device; restart {AGENT}, which writes the entries of the \
                     new device",
                    first_of(earlier),
                ),
            }
        }
        Fault::TunnelUnconfigured { name: device, .. } => {
            let name = shown(device);
            Problem {
                key: format!("unconfigured {device}"),
                words: format!(
                    "{name} has no address, no peer and no route, although this node has pods of its address family: they \
                     reach no pod of another node; restart {AGENT}, which configures it"
                ),
            }
        }
        Fault::TunnelDown { name: device, .. } => {
            let name = shown(device);
            Problem {
                key: format!("down {device}"),
                words: format!(
                    "{name} is down: it carries no packets; `ip link set {name} up`, then restart {AGENT}, since its \
                     routes went with it"
                ),
            }
        }
        Fault::UnderlayDown { ifindex, name, state, tunnels } => not_sending(*ifindex, name, *state, tunnels),
        Fault::TooBig { tunnel, .. } => {
            too_big(model.setup.mtu.iter().find(|path| path.ifindex == *tunnel)?)?
        }
        Fault::NoRoute { tunnel: ifindex, key, node_address, earlier } => {
            let name = tunnel(*ifindex)?;
            let node = node_address.map_or_else(|| key.to_string(), |address| address.to_string());
            let networks = match earlier.as_slice() {
                [] => String::new(),
                some => format!(" any more ({} was routed to it)", first_of(some)),
            };
            Problem {
                key: format!("no route {name} {node}"),
                words: format!(
                    "{name}: no route leads to {node}{networks}, so packets to its pods are dropped or leave by another \
                     device; restart {AGENT}, which writes the routes"
                ),
            }
        }
        Fault::NoEndpoint { tunnel: ifindex, key } => {
            let name = tunnel(*ifindex)?;
            Problem {
                key: format!("no endpoint {name} {key}"),
                words: format!(
                    "{name}: peer {} ({}) has no endpoint, so packets to it are dropped until it sends something; give \
                     its node an address of the tunnel's family",
                    key.short(),
                    networks_of(model, *ifindex, *key)
                ),
            }
        }
        Fault::InClear { tunnel, key, goes } => in_clear::problem(model, *tunnel, *key, *goes)?,
        // The inventory has notes of these.
        Fault::NoNeighbour { .. } | Fault::NoFdb { .. } => return None,
    })
}

fn networks_of(model: &Model, tunnel: u32, key: PeerKey) -> String {
    let peers = model.inventory.peers.iter().filter(|peer| (peer.tunnel, peer.key) == (tunnel, key));
    first_of(peers.flat_map(|peer| &peer.pod_cidrs))
}

/// The first two of some networks; how many more there are.
fn first_of<'a>(networks: impl IntoIterator<Item = &'a IpNet>) -> String {
    let mut networks = networks.into_iter();
    let first: Vec<String> = networks.by_ref().take(2).map(ToString::to_string).collect();
    let first = first.join(", ");
    match networks.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn not_sending(ifindex: u32, device: &str, state: Option<LinkState>, tunnels: &[String]) -> Problem {
    let device = shown(device);
    let tunnels = tunnels.iter().map(|tunnel| shown(tunnel)).collect::<Vec<_>>().join(", ");
    let words = match state {
        Some(LinkState::Down) => {
            format!("{device} is down: outer packets of {tunnels} cannot leave; `ip link set {device} up`")
        }
        Some(LinkState::NoCarrier | LinkState::Up) => format!(
            "{device} has no carrier: outer packets of {tunnels} cannot leave; look at its cable and the switch's port"
        ),
        None => format!("{device} is gone: outer packets of {tunnels} cannot leave"),
    };
    Problem { key: format!("underlay {ifindex} {tunnels}"), words }
}

/// `eth0 1400` of what is below a path.
fn room(path: &MtuPath) -> Option<(String, u32)> {
    let devices = path.underlays.iter().map(|device| (shown(&device.name), device.mtu));
    let route = path.underlay_route_mtu.map(|mtu| ("a route to another node".to_owned(), mtu));
    devices.chain(route).min_by_key(|(_, mtu)| *mtu)
}

fn too_big(path: &MtuPath) -> Option<Problem> {
    let (below, mtu) = room(path)?;
    let most = path.max_inner?;
    let device = shown(&path.device);
    let takes = path.route_mtu.map_or(path.mtu, |route| route.min(path.mtu));
    let words = format!(
        "{device} takes packets of {takes} bytes and adds {}, but {below} has an MTU of {mtu}: packets over {most} bytes \
         leave in fragments or are dropped; raise that MTU to {}, or lower that of {device} and of the pods to {most}",
        path.overhead,
        takes.saturating_add(path.overhead),
    );
    Some(Problem { key: format!("mtu {}", path.device), words })
}

/// A size that fits.
pub(super) fn fits(path: &MtuPath) -> String {
    let below = room(path).map_or_else(String::new, |(name, mtu)| format!(" in {name} {mtu}"));
    format!("MTU: {} {} + {} fits{below}", shown(&path.device), path.mtu, path.overhead)
}
