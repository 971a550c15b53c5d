//! What is the matter with tunnels, peers and pods: the word of each row, a note for what is wrong, and what was looked at and is
//! as it should be. From what exists now and what was seen earlier in the run: a device or a route that was there is missed.
//!
//! What the joins of the inventory find between tables is noted there; here is what needs the state of devices, sizes or time.

mod peers;
mod tunnels;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use ipnet::IpNet;

use super::Model;
use crate::{
    facts::netlink::{Facts, LinkFact},
    inventory::{Inventory, Peer, System, Tunnel, TunnelKind},
    text,
};

/// Routes remembered; beyond that only those of peers that are there.
const REMEMBERED: usize = 4096;

/// What was seen in earlier models.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Tunnels that were up once, by name.
    up: BTreeSet<String>,
    /// Tunnels that are missed when they go, by name: of the overlay, as they were last.
    missed: BTreeSet<String>,
    /// What was below a tunnel last, by the tunnel's name: interface index and name.
    below: BTreeMap<String, (u32, String)>,
    /// Pod networks that were routed to a node by a tunnel.
    routed: BTreeMap<(String, IpAddr), Vec<IpNet>>,
    /// When what is wrong began, by what it is about.
    since: BTreeMap<String, Duration>,
}

/// Something that is wrong.
struct Problem {
    /// What it is about: the same while it lasts.
    key: String,
    /// What it is and what to do, in words.
    words: String,
}

/// Links by interface index; empty when they were not read.
struct Links<'a>(BTreeMap<u32, &'a LinkFact>);

/// Whether a device can send.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sends {
    Yes,
    Down,
    NoCarrier,
    NotThere,
    Unknown,
}

impl Links<'_> {
    fn sends(&self, ifindex: u32) -> Sends {
        match self.0.get(&ifindex) {
            _ if self.0.is_empty() => Sends::Unknown,
            None => Sends::NotThere,
            Some(link) if !link.up => Sends::Down,
            Some(link) if link.carrier == Some(false) => Sends::NoCarrier,
            Some(_) => Sends::Yes,
        }
    }
}

/// Fills in the conditions of the model's rows, puts what is wrong before its notes, and what is not into `checked`.
pub(super) fn judge(model: &mut Model, facts: &Facts, memory: &mut Memory) {
    let links = Links(facts.links.iter().map(|link| (link.ifindex, link)).collect());
    let mut problems = tunnels::judge(model, &links, memory);
    problems.extend(peers::judge(model, memory));
    for row in &mut model.pods {
        let host = row.pod.as_ref().and_then(|pod| pod.host_ifindex);
        if host.is_some_and(|ifindex| links.sends(ifindex) == Sends::Down) {
            row.condition = super::Condition::Down;
        }
    }
    memory.learn(&model.inventory);
    let now = model.time;
    let began: BTreeMap<String, Duration> = problems
        .iter()
        .map(|problem| (problem.key.clone(), memory.since.get(&problem.key).copied().unwrap_or(now)))
        .collect();
    let notes = problems.into_iter().map(|Problem { key, words }| match began.get(&key) {
        // What was so when counting began is older than anybody here knows.
        Some(&since) if since > model.since => format!("{words} (since {})", text::clock(since)),
        _ => words,
    });
    let notes: Vec<String> = notes.collect();
    memory.since = began;
    model.notes.splice(0..0, notes);
}

impl Memory {
    fn learn(&mut self, inventory: &Inventory) {
        for tunnel in &inventory.tunnels {
            if tunnel.up {
                self.up.insert(tunnel.name.clone());
            }
            if is_of_overlay(inventory, tunnel) {
                self.missed.insert(tunnel.name.clone());
            } else {
                self.missed.remove(&tunnel.name);
            }
            if let Some(below) = &tunnel.underlay {
                self.below.insert(tunnel.name.clone(), (below.ifindex, below.name.clone()));
            }
        }
        if self.routed.len() > REMEMBERED {
            self.routed.clear();
        }
        for peer in inventory.peers.iter().filter(|peer| !peer.pod_cidrs.is_empty()) {
            if let Some((name, address)) = tunnel_of(inventory, peer).zip(peer.node_address) {
                self.routed.insert((name.name.clone(), address), peer.pod_cidrs.clone());
            }
        }
    }
}

fn tunnel_of<'a>(inventory: &'a Inventory, peer: &Peer) -> Option<&'a Tunnel> {
    inventory.tunnels.iter().find(|tunnel| tunnel.ifindex == peer.tunnel)
}

/// False for a device that carries nothing any more, and for a WireGuard device of nobody known, which may be a VPN: whoever sets
/// it down or takes it away may do so.
fn is_of_overlay(inventory: &Inventory, tunnel: &Tunnel) -> bool {
    let mut planes = inventory.data_planes.iter().filter(|plane| plane.system != System::Unknown);
    let is_known = planes.any(|plane| plane.devices.iter().any(|device| device.ifindex == tunnel.ifindex));
    (is_known || tunnel.kind == TunnelKind::Vxlan) && !inventory.is_stale(tunnel.ifindex)
}

#[cfg(test)]
mod tests;
