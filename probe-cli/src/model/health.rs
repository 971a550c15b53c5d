//! What is the matter with tunnels, peers and pods: the faults of the node, the word of each row, a note for what is wrong, and
//! what was looked at and is as it should be. From what exists now and what was seen earlier in the run: a device or a route that
//! was there is missed.
//!
//! A fault is found here and nowhere else. How bad it is, what shows it and what mends it is said by the health check, which
//! takes the faults from the model. What the joins of the inventory find between tables is noted there.

mod drops;
mod in_clear;
mod peers;
mod tunnels;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;

use super::{Condition, Fault, Model};
use crate::{
    facts::netlink::{Facts, LinkFact},
    inventory::{Inventory, LinkState},
    text,
};

/// Routes remembered; beyond that only those of peers that are there.
const REMEMBERED: usize = 4096;

/// What was seen in earlier models.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Tunnels that were up once, by name.
    up: BTreeSet<String>,
    /// Tunnels that are missed when they go, by name: in use when they were up last.
    missed: BTreeSet<String>,
    /// What was below a tunnel last, by the tunnel's name: interface index and name.
    below: BTreeMap<String, (u32, String)>,
    /// What was routed by a tunnel, by its name and the address of the node.
    routed: BTreeMap<String, BTreeMap<IpAddr, Routed>>,
    /// What was learned from last: the same is not learned again.
    learned: Option<Arc<Inventory>>,
    /// When what is wrong began, by what it is about.
    since: BTreeMap<String, Duration>,
}

/// Pod networks that were routed to a node.
#[derive(Debug)]
struct Routed {
    /// Interface index of the tunnel that they were routed by: a device that is made again has another one.
    ifindex: u32,
    networks: Vec<IpNet>,
}

/// Something that is wrong, as it is told.
struct Problem {
    /// What it is about: the same while it lasts.
    key: String,
    /// What it is and what to do, in words.
    words: String,
}

/// Links by interface index; empty when they were not read.
struct Links<'a>(BTreeMap<u32, &'a LinkFact>);

/// What is known of a link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It is there.
    There(LinkState),
    /// It is not there.
    NotThere,
    /// Links were not read.
    Unread,
}

impl Links<'_> {
    fn seen(&self, ifindex: u32) -> Seen {
        match self.0.get(&ifindex) {
            _ if self.0.is_empty() => Seen::Unread,
            Some(link) => Seen::There(LinkState::of(link)),
            None => Seen::NotThere,
        }
    }
}

/// Finds the model's faults, gives its rows their conditions, puts what is wrong before its notes, and what is not into
/// `checked`.
pub(super) fn judge(model: &mut Model, facts: &Facts, memory: &mut Memory) {
    let links = Links(facts.links.iter().map(|link| (link.ifindex, link)).collect());
    model.faults = tunnels::faults(model, &links, memory);
    model.faults.extend(peers::faults(model, memory));
    model.faults.extend(in_clear::faults(model));
    tunnels::mark(model, &links, memory);
    peers::mark(model, memory);
    in_clear::mark(model);
    for row in &mut model.pods {
        let host = row.pod.as_ref().and_then(|pod| pod.host_ifindex);
        if host.is_some_and(|ifindex| links.seen(ifindex) == Seen::There(LinkState::Down)) {
            row.condition = Condition::Down;
        }
    }
    memory.learn(&model.inventory, &model.faults);
    let mut problems = words::problems(model);
    let dropped = drops::problems(model);
    model.checked.extend(drops::well(model).filter(|_| dropped.is_empty()));
    problems.extend(dropped);
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
    fn learn(&mut self, inventory: &Arc<Inventory>, faults: &[Fault]) {
        if self.learned.as_ref().is_some_and(|learned| Arc::ptr_eq(learned, inventory)) {
            return;
        }
        self.learned = Some(Arc::clone(inventory));
        let is_made_again = |ifindex: u32| {
            faults
                .iter()
                .any(|fault| matches!(fault, Fault::TunnelMadeAgain { tunnel, .. } if *tunnel == ifindex))
        };
        for tunnel in inventory.all_tunnels() {
            // What made a device is not known for certain while it is down: WireGuard has no port then.
            if tunnel.up {
                self.up.insert(tunnel.name.clone());
                if inventory.is_in_use(tunnel.ifindex) || is_made_again(tunnel.ifindex) {
                    self.missed.insert(tunnel.name.clone());
                } else {
                    self.missed.remove(&tunnel.name);
                }
            }
            if let Some(below) = &tunnel.underlay {
                self.below.insert(tunnel.name.clone(), (below.ifindex, below.name.clone()));
            }
        }
        if self.routed.values().map(BTreeMap::len).sum::<usize>() > REMEMBERED {
            self.routed.clear();
        }
        let by_table = inventory.peers.iter().filter(|peer| !peer.pod_cidrs.is_empty());
        let by_table = by_table.map(|peer| (peer.tunnel, peer.node_address, &peer.pod_cidrs));
        let by_route = inventory.routed_peers.iter();
        let by_route = by_route.map(|peer| (peer.ifindex, Some(peer.node_address), &peer.pod_cidrs));
        for (ifindex, address, networks) in by_table.chain(by_route) {
            if let Some((tunnel, address)) = inventory.tunnel(ifindex).zip(address) {
                let routed = Routed { ifindex, networks: networks.clone() };
                self.routed.entry(tunnel.name.clone()).or_default().insert(address, routed);
            }
        }
    }
}

#[cfg(test)]
mod tests;
