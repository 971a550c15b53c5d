//! Inventory and two samples to a [`Model`].

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{
    Flow, Handshake, Model, ObserverRow, PeerRow, PmtuEventRow, PodRow, ProgramRow, Rates, Setup, TunnelRow,
    WireguardRow, interfaces, mtu, sizes::sizes, vfs,
};
use crate::{
    inventory::{Inventory, Peer},
    sample::{Both, Counts, PeerSample, ProgramCost, Sample, WireguardSample},
    text,
};

/// What `now` means, with rates against `before`.
///
/// Something that has no counters in `now` (it appeared a moment ago) is shown with zero totals and no rates; a
/// counter that is smaller than before belongs to a new thing of the same name and has no rates either.
pub(super) fn build(
    inventory: &Arc<Inventory>,
    setup: &Arc<Setup>,
    now: &Sample,
    before: Option<&Sample>,
) -> Model {
    let interval = before
        .and_then(|before| now.monotonic.checked_sub(before.monotonic))
        .filter(|interval| !interval.is_zero());
    let flows = |now: Option<Both<Counts>>, before: Option<Both<Counts>>| {
        let now = now.unwrap_or_default();
        Both {
            tx: flow(now.tx, before.map(|b| b.tx), interval),
            rx: flow(now.rx, before.map(|b| b.rx), interval),
        }
    };
    Model {
        time: now.time,
        interval,
        inventory: Arc::clone(inventory),
        setup: Arc::clone(setup),
        tunnels: inventory
            .tunnels
            .iter()
            .map(|tunnel| {
                let sample = now.tunnels.get(&tunnel.ifindex);
                let earlier = before.and_then(|before| before.tunnels.get(&tunnel.ifindex));
                let kinds = sample.map(|sample| sample.kinds.clone()).unwrap_or_default();
                let room = mtu::room(inventory, tunnel);
                TunnelRow {
                    tunnel: tunnel.clone(),
                    room,
                    flow: flows(sample.map(|s| s.counts), earlier.map(|s| s.counts)),
                    sizes: sizes(room.budget, &kinds),
                    kinds,
                    outer: sample.and_then(|sample| sample.outer),
                }
            })
            .collect(),
        peers: peers(inventory, now, before, flows),
        pods: pods(inventory, now, before, interval, flows),
        pmtu_events: pmtu_events(inventory, now),
        observer: observer(now, before, interval),
        vfs: vfs::rows(&inventory.vfs, now, before),
        notes: notes(inventory, now),
    }
}

/// Of two sources that read the same file, both may tell of it.
fn notes(inventory: &Inventory, now: &Sample) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut notes: Vec<String> = (inventory.notes.iter().chain(&inventory.vf_notes).chain(&now.vf_notes))
        .filter(|note| seen.insert(note.as_str()))
        .cloned()
        .collect();
    notes.extend(now.problems.iter().cloned());
    notes.extend(now.behind.iter().map(|place| {
        format!(
            "{} ({}): a filter of somebody else runs before ours, and packets that it decides on are not \
             counted; use --attach tcx where the kernel has it (Linux 6.6)",
            text::escape(&name(inventory, place.ifindex)),
            if place.egress { "egress" } else { "ingress" },
        )
    }));
    notes
}

/// Name of a tunnel or of a device below one, else its index.
fn name(inventory: &Inventory, ifindex: u32) -> String {
    let devices = inventory.tunnels.iter().flat_map(|tunnel| {
        let below = tunnel.underlays().map(|below| (below.ifindex, &below.name));
        std::iter::once((tunnel.ifindex, &tunnel.name)).chain(below)
    });
    let mut named = devices.filter(|(index, _)| *index == ifindex);
    named.next().map_or_else(|| ifindex.to_string(), |(_, name)| name.clone())
}

fn peers(
    inventory: &Inventory,
    now: &Sample,
    before: Option<&Sample>,
    flows: impl Fn(Option<Both<Counts>>, Option<Both<Counts>>) -> Both<Flow>,
) -> Vec<PeerRow> {
    let mut rows = Vec::new();
    for tunnel in &inventory.tunnels {
        let row = |peer: Option<Peer>, sample: Option<&PeerSample>, earlier: Option<&PeerSample>| PeerRow {
            node_name: peer.as_ref().and_then(|peer| inventory.node_names.get(&peer.node_address?)).cloned(),
            tunnel_name: tunnel.name.clone(),
            tunnel: tunnel.ifindex,
            peer,
            flow: flows(sample.map(|s| s.counts), earlier.map(|s| s.counts)),
            outer: sample.and_then(|sample| sample.outer),
            wireguard: None,
        };
        let mut of_tunnel: Vec<_> =
            inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex).collect();
        of_tunnel.sort_by_key(|peer| (peer.node_address, peer.key));
        rows.extend(of_tunnel.into_iter().map(|peer| {
            let key = (peer.tunnel, peer.key);
            PeerRow {
                wireguard: now.wireguard.get(&key).map(|sample| wireguard(sample, now.time)),
                ..row(
                    Some(peer.clone()),
                    now.peers.get(&key),
                    before.and_then(|before| before.peers.get(&key)),
                )
            }
        }));
        let other = &tunnel.ifindex;
        rows.push(row(
            None,
            now.other_peers.get(other),
            before.and_then(|before| before.other_peers.get(other)),
        ));
    }
    rows
}

fn wireguard(sample: &WireguardSample, now: Duration) -> WireguardRow {
    let handshake =
        sample.last_handshake.map_or(Handshake::Never, |last| Handshake::Ago(now.saturating_sub(last)));
    WireguardRow { handshake, bytes: sample.bytes }
}

fn pods(
    inventory: &Inventory,
    now: &Sample,
    before: Option<&Sample>,
    interval: Option<Duration>,
    flows: impl Fn(Option<Both<Counts>>, Option<Both<Counts>>) -> Both<Flow>,
) -> Vec<PodRow> {
    let counted = interfaces::counted(now);
    let earlier = before.map(interfaces::counted);
    let mut sorted: Vec<_> = inventory.pods.iter().map(|pod| (pod.key(), pod)).collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut rows: Vec<_> = sorted
        .into_iter()
        .map(|(key, pod)| PodRow {
            pod: Some(pod.clone()),
            interfaces: interfaces::rows(pod, &counted, earlier.as_ref(), interval),
            flow: flows(
                now.pods.get(&key).copied(),
                before.and_then(|before| before.pods.get(&key)).copied(),
            ),
        })
        .collect();
    rows.push(PodRow {
        pod: None,
        interfaces: Vec::new(),
        flow: flows(Some(now.other_pods), before.map(|before| before.other_pods)),
    });
    rows
}

fn flow(now: Counts, before: Option<Counts>, interval: Option<Duration>) -> Flow {
    let rate = before.zip(interval).and_then(|(before, interval)| rates(&now, &before, interval));
    Flow { total: now, rate }
}

fn rates(now: &Counts, before: &Counts, interval: Duration) -> Option<Rates> {
    let seconds = interval.as_secs_f64();
    let rate = |now: u64, before: u64| now.checked_sub(before).map(|delta| delta as f64 / seconds);
    Some(Rates {
        packets_per_s: rate(now.packets, before.packets)?,
        inner_bits_per_s: rate(now.inner_bytes, before.inner_bytes)? * 8.0,
        outer_bits_per_s: rate(now.outer_bytes, before.outer_bytes)? * 8.0,
    })
}

fn pmtu_events(inventory: &Inventory, now: &Sample) -> Vec<PmtuEventRow> {
    now.pmtu_events
        .iter()
        .map(|event| PmtuEventRow {
            tunnel_name: inventory
                .tunnels
                .iter()
                .find(|tunnel| tunnel.ifindex == event.tunnel)
                .map(|tunnel| tunnel.name.clone())
                .unwrap_or_default(),
            age: now.monotonic.saturating_sub(event.at),
            reporter: event.reporter,
            destination: event.destination,
            mtu: event.mtu,
        })
        .collect()
}

fn observer(now: &Sample, before: Option<&Sample>, interval: Option<Duration>) -> ObserverRow {
    let cpu_percent = before.zip(interval).and_then(|(before, interval)| {
        let spent = now.observer.cpu?.checked_sub(before.observer.cpu?)?;
        Some(spent.as_secs_f64() / interval.as_secs_f64() * 100.0)
    });
    ObserverRow {
        programs: now
            .observer
            .programs
            .iter()
            .map(|program| {
                let earlier = before
                    .and_then(|before| before.observer.programs.iter().find(|p| p.name == program.name));
                ProgramRow {
                    name: program.name.clone(),
                    runs: program.runs,
                    ns_per_run: ns_per_run(program, earlier),
                }
            })
            .collect(),
        cpu_percent,
        rss_bytes: now.observer.rss_bytes,
        map_bytes: now.observer.map_bytes,
        events_lost: now.observer.events_ring_full + now.observer.events_rate_limited,
        unknown_fragments: now.observer.unknown_fragments,
        pods_without_slot: now.observer.pods_without_slot,
        peers_without_slot: now.observer.peers_without_slot,
    }
}

/// Over the interval when it had measured runs, else over all of them.
fn ns_per_run(now: &ProgramCost, before: Option<&ProgramCost>) -> Option<f64> {
    let since = before.and_then(|before| {
        let runs = now.runs.checked_sub(before.runs).filter(|runs| *runs > 0)?;
        Some((runs, now.run_time_ns.checked_sub(before.run_time_ns)?))
    });
    let (runs, time) = since.or((now.runs > 0).then_some((now.runs, now.run_time_ns)))?;
    Some(time as f64 / runs as f64)
}

#[cfg(test)]
mod tests;
