//! Inventory and two samples to a [`Model`].

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{
    Condition, Dropped, Flow, Gone, Handshake, Model, OuterFlow, OuterRates, Oversize, PeerRow, PmtuEventRow,
    PodRow, Rates, Setup, TunnelRow, Window, WireguardRow, cores, drops, explained, hooks, interfaces, mtu,
    observer::observer, sizes::Bins, unread::unread, vfs,
};
use crate::{
    facts::Snapshot,
    inventory::{Inventory, Peer},
    observed::Observed,
    sample::{Counts, OuterCounts, PeerSample, PerDirection, Sample, WireguardSample},
    text,
};

/// What `now` means, with rates against `before`.
///
/// Something that has no counters in `now` (it appeared a moment ago) is shown with zero totals and no rates; a
/// counter that is smaller than before belongs to a new thing of the same name and has no rates either. `bins` says since when
/// packet sizes have the bounds that they have.
pub(super) fn build(
    snapshot: &Arc<Snapshot>,
    inventory: &Arc<Inventory>,
    setup: &Arc<Setup>,
    now: &Sample,
    before: Option<&Sample>,
    bins: &mut Bins,
) -> Model {
    let interval = before.and_then(|before| now.time_after(before));
    let flows = |now: Option<PerDirection<Counts>>, before: Option<PerDirection<Counts>>| {
        let now = now.unwrap_or_default();
        PerDirection {
            tx: flow(now.tx, before.map(|b| b.tx), interval),
            rx: flow(now.rx, before.map(|b| b.rx), interval),
        }
    };
    let outer_flows = |now: Option<PerDirection<OuterCounts>>, before: Option<PerDirection<OuterCounts>>| {
        now.map(|now| PerDirection {
            tx: outer_flow(now.tx, before.map(|b| b.tx), interval),
            rx: outer_flow(now.rx, before.map(|b| b.rx), interval),
        })
    };
    let drops = drops::drops(inventory, now, before);
    let unread = unread(snapshot, inventory, now);
    Model {
        time: now.time,
        since: now.time,
        interval,
        snapshot: Arc::clone(snapshot),
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
                let (sizes, sizes_since) = bins.of_tunnel(tunnel.ifindex, room.budget, &kinds, now.time);
                TunnelRow {
                    tunnel: tunnel.clone(),
                    condition: Condition::Unchecked,
                    room,
                    flow: flows(sample.map(|s| s.counts), earlier.map(|s| s.counts)),
                    sizes,
                    sizes_since,
                    kinds,
                    dropped: Dropped::of(&drops, tunnel),
                    cores: cores::of(sample, earlier.filter(|_| interval.is_some())),
                    outer: outer_flows(
                        sample.and_then(|sample| sample.outer),
                        earlier.and_then(|sample| sample.outer),
                    ),
                }
            })
            .collect(),
        peers: peers(inventory, now, before, flows, outer_flows),
        pods: pods(inventory, now, before, interval, flows),
        direct: now.direct,
        pmtu_events: pmtu_events(inventory, now),
        counted: now.counted.clone(),
        drops,
        hooks: hooks::hooks(inventory, now, before),
        probed: Observed::Absent,
        probing: Observed::Absent,
        planned_backend: None,
        explained: explained::rows(inventory, now),
        window: before
            .zip(interval)
            .map(|(before, interval)| Window::between(&before.node, &now.node, interval)),
        oversize: Oversize::of(&now.node.protocols),
        observer: observer(now, before, interval),
        vfs: vfs::rows(&inventory.vfs, now, before, bins),
        notes: notes(inventory, now, &unread),
        unread,
        gone: Gone::default(),
        nodes: OnceLock::new(),
        node_addresses: Arc::default(),
        faults: Vec::new(),
        checked: Vec::new(),
    }
}

/// Of two sources that read the same file, both may tell of it.
fn notes(inventory: &Inventory, now: &Sample, unread: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let told = inventory.notes.iter().chain(&inventory.vf_notes).chain(&now.vf_notes);
    let of_drops = drops::notes(now);
    let told = told.chain(unread).chain(&of_drops);
    let mut notes: Vec<String> = told.filter(|note| seen.insert(note.as_str())).cloned().collect();
    notes.extend(now.behind.iter().map(|place| {
        format!(
            "{} ({}): another program's tc filter runs before ours; packets it accepts or drops are not counted; use \
             --attach tcx where the kernel has it (Linux 6.6)",
            text::escape(&name(inventory, place.ifindex)),
            if place.egress { "egress" } else { "ingress" },
        )
    }));
    notes
}

/// Name of a tunnel or of a device below one, else its index.
pub(super) fn name(inventory: &Inventory, ifindex: u32) -> String {
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
    flows: impl Fn(Option<PerDirection<Counts>>, Option<PerDirection<Counts>>) -> PerDirection<Flow>,
    outer_flows: impl Fn(
        Option<PerDirection<OuterCounts>>,
        Option<PerDirection<OuterCounts>>,
    ) -> Option<PerDirection<OuterFlow>>,
) -> Vec<PeerRow> {
    let mut rows = Vec::new();
    for tunnel in &inventory.tunnels {
        let tunnel_name: Arc<str> = tunnel.name.as_str().into();
        let row =
            |peer: Option<Arc<Peer>>, sample: Option<&PeerSample>, earlier: Option<&PeerSample>| PeerRow {
                node_name: peer
                    .as_ref()
                    .and_then(|peer| inventory.node_names.get(&peer.node_address?))
                    .cloned(),
                tunnel_name: Arc::clone(&tunnel_name),
                tunnel: tunnel.ifindex,
                peer,
                joined: None,
                members: Vec::new(),
                gone: 0,
                condition: Condition::Unchecked,
                flow: flows(sample.map(|s| s.counts), earlier.map(|s| s.counts)),
                outer: outer_flows(
                    sample.and_then(|sample| sample.outer),
                    earlier.and_then(|sample| sample.outer),
                ),
                wireguard: None,
                paths: Vec::new(),
            };
        let mut of_tunnel: Vec<_> =
            inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex).collect();
        of_tunnel.sort_by_key(|peer| (peer.node_address, peer.key));
        rows.extend(of_tunnel.into_iter().map(|peer| {
            let key = (peer.tunnel, peer.key);
            PeerRow {
                wireguard: now.wireguard.get(&key).map(|sample| {
                    let earlier = before.and_then(|before| before.wireguard.get(&key));
                    wireguard(sample, earlier, now.time)
                }),
                ..row(
                    Some(Arc::clone(peer)),
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
        if let Some(gone) = now.gone_peers.get(other) {
            let row = row(None, Some(&gone.carried), None);
            rows.push(PeerRow { gone: gone.peers, condition: Condition::Gone, ..row });
        }
    }
    rows
}

fn wireguard(sample: &WireguardSample, earlier: Option<&WireguardSample>, now: Duration) -> WireguardRow {
    let handshake =
        sample.last_handshake.map_or(Handshake::Never, |last| Handshake::Ago(now.saturating_sub(last)));
    let grown = earlier.and_then(|earlier| {
        let (tx, rx) = (sample.bytes.tx, sample.bytes.rx);
        Some(PerDirection { tx: tx.checked_sub(earlier.bytes.tx)?, rx: rx.checked_sub(earlier.bytes.rx)? })
    });
    WireguardRow { handshake, bytes: sample.bytes, grown }
}

fn pods(
    inventory: &Inventory,
    now: &Sample,
    before: Option<&Sample>,
    interval: Option<Duration>,
    flows: impl Fn(Option<PerDirection<Counts>>, Option<PerDirection<Counts>>) -> PerDirection<Flow>,
) -> Vec<PodRow> {
    let counted = interfaces::counted(now);
    let earlier = before.map(interfaces::counted);
    let mut sorted: Vec<_> = inventory.pods.iter().map(|pod| (pod.key(), pod)).collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut rows: Vec<_> = sorted
        .into_iter()
        .map(|(key, pod)| PodRow {
            pod: Some(Arc::clone(pod)),
            gone: 0,
            condition: Condition::Unchecked,
            interfaces: interfaces::rows(pod, &counted, earlier.as_ref(), interval),
            syns: now.pod_syns.get(&key).copied().unwrap_or_default(),
            flow: flows(
                now.pods.get(&key).copied(),
                before.and_then(|before| before.pods.get(&key)).copied(),
            ),
        })
        .collect();
    let sum = PodRow {
        pod: None,
        gone: 0,
        condition: Condition::Unchecked,
        interfaces: Vec::new(),
        syns: now.other_syns,
        flow: flows(Some(now.other_pods), before.map(|before| before.other_pods)),
    };
    rows.push(sum);
    if now.gone_pods.pods > 0 {
        rows.push(PodRow {
            pod: None,
            gone: now.gone_pods.pods,
            condition: Condition::Gone,
            interfaces: Vec::new(),
            syns: PerDirection::default(),
            // What is added here was carried before: it has no rate.
            flow: flows(Some(now.gone_pods.counts), None),
        });
    }
    rows
}

fn flow(now: Counts, before: Option<Counts>, interval: Option<Duration>) -> Flow {
    let rate = before.zip(interval).and_then(|(before, interval)| Rates::between(&now, &before, interval));
    Flow { total: now, rate }
}

fn outer_flow(now: OuterCounts, before: Option<OuterCounts>, interval: Option<Duration>) -> OuterFlow {
    let rate =
        before.zip(interval).and_then(|(before, interval)| OuterRates::between(&now, &before, interval));
    OuterFlow { total: now, rate }
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

#[cfg(test)]
mod tests;
