//! A model whose totals are since a later moment than when counting began: since an earlier model. Rates stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CoreRow, DropRow, Flow, LinkCounters, Model, OuterFlow, PeerKey, PeerRow, PodKey, PodRow, SizeBucket,
    VfTraffic,
};
use crate::{observed::Observed, sample::PerDirection};

/// The model with totals since `since`. What was not there then has all of its own.
pub fn totals_since(model: &Model, since: &Model) -> Model {
    let mut model = model.clone();
    model.since = since.time;
    let tunnels: BTreeMap<u32, _> =
        since.tunnels.iter().chain(&since.gone.tunnels).map(|row| (row.tunnel.ifindex, row)).collect();
    for row in model.tunnels.iter_mut().chain(&mut model.gone.tunnels) {
        let Some(before) = tunnels.get(&row.tunnel.ifindex) else { continue };
        less(&mut row.flow, &before.flow);
        less_outer(row.outer.as_mut(), before.outer.as_ref());
        row.kinds.tx = row.kinds.tx.less(&before.kinds.tx);
        row.kinds.rx = row.kinds.rx.less(&before.kinds.rx);
        if let Some((dropped, before)) = row.dropped.as_mut().zip(before.dropped) {
            dropped.total = dropped.total.saturating_sub(before.total);
        }
        less_cores(&mut row.cores.tx, &before.cores.tx);
        less_cores(&mut row.cores.rx, &before.cores.rx);
        if row.sizes_since == before.sizes_since {
            less_sizes(&mut row.sizes, &before.sizes);
        }
    }
    if let Some((now, before)) = model.direct.as_mut().zip(since.direct) {
        *now = PerDirection { tx: now.tx.less(before.tx), rx: now.rx.less(before.rx) };
    }
    if let (Observed::Value(drops), Observed::Value(before)) = (&mut model.drops, &since.drops) {
        for row in &mut drops.rows {
            let is_same = |before: &&DropRow| before.is_the_same(row);
            let before = before.rows.iter().find(is_same).map_or(0, |before| before.total);
            row.total = row.total.saturating_sub(before);
        }
    }
    peers(&mut model, since);
    // They are made of peers.
    model.nodes.take();
    pods(&mut model, since);
    let vfs: BTreeMap<&str, _> = since.vfs.iter().map(|row| (row.vf.pci_address.as_str(), row)).collect();
    for row in &mut model.vfs {
        let Some(before) = vfs.get(row.vf.pci_address.as_str()) else { continue };
        row.traffic = traffic(row.traffic, before.traffic);
        let (Some(wire), Some(before)) = (&mut row.wire, &before.wire) else { continue };
        wire.counts = PerDirection {
            tx: wire.counts.tx.less(&before.counts.tx),
            rx: wire.counts.rx.less(&before.counts.rx),
        };
        wire.kinds.tx = wire.kinds.tx.less(&before.kinds.tx);
        wire.kinds.rx = wire.kinds.rx.less(&before.kinds.rx);
        if wire.sizes_since == before.sizes_since {
            less_sizes(&mut wire.sizes, &before.sizes);
        }
    }
    model
}

type PeerId = (u32, Option<PeerKey>, bool);

fn peer_id(row: &PeerRow) -> PeerId {
    (row.tunnel, row.peer.as_ref().map(|peer| peer.key), row.gone > 0)
}

fn peers(model: &mut Model, since: &Model) {
    let known: BTreeMap<PeerId, &PeerRow> =
        since.gone.peers.iter().chain(&since.peers).map(|row| (peer_id(row), row)).collect();
    let there: BTreeSet<PeerId> = model.peers.iter().chain(&model.gone.peers).map(peer_id).collect();
    for row in model.peers.iter_mut().chain(&mut model.gone.peers) {
        if let Some(before) = known.get(&peer_id(row)) {
            less(&mut row.flow, &before.flow);
            less_outer(row.outer.as_mut(), before.outer.as_ref());
        }
        if row.gone > 0 {
            // What has a row no more is in this one, with what it had carried before.
            let went =
                known.iter().filter(|(id, _)| id.0 == row.tunnel && id.1.is_some() && !there.contains(id));
            for (_, before) in went {
                less(&mut row.flow, &before.flow);
                less_outer(row.outer.as_mut(), before.outer.as_ref());
            }
        }
    }
}

type PodId = (Option<PodKey>, bool);

fn pod_id(row: &PodRow) -> PodId {
    (row.pod.as_ref().map(|pod| pod.key()), row.gone > 0)
}

fn pods(model: &mut Model, since: &Model) {
    let known: BTreeMap<PodId, &PodRow> =
        since.gone.pods.iter().chain(&since.pods).map(|row| (pod_id(row), row)).collect();
    let there: BTreeSet<PodId> = model.pods.iter().chain(&model.gone.pods).map(pod_id).collect();
    for row in model.pods.iter_mut().chain(&mut model.gone.pods) {
        if let Some(before) = known.get(&pod_id(row)) {
            less(&mut row.flow, &before.flow);
            row.syns =
                PerDirection { tx: row.syns.tx.less(before.syns.tx), rx: row.syns.rx.less(before.syns.rx) };
        }
        if row.gone > 0 {
            for (_, before) in known.iter().filter(|(id, _)| id.0.is_some() && !there.contains(*id)) {
                less(&mut row.flow, &before.flow);
            }
        }
    }
}

fn less(flow: &mut PerDirection<Flow>, before: &PerDirection<Flow>) {
    flow.tx.total = flow.tx.total.less(&before.tx.total);
    flow.rx.total = flow.rx.total.less(&before.rx.total);
}

fn less_outer(outer: Option<&mut PerDirection<OuterFlow>>, before: Option<&PerDirection<OuterFlow>>) {
    if let Some((outer, before)) = outer.zip(before) {
        outer.tx.total = outer.tx.total.less(&before.tx.total);
        outer.rx.total = outer.rx.total.less(&before.rx.total);
    }
}

fn less_cores(cores: &mut [CoreRow], before: &[CoreRow]) {
    for core in cores {
        if let Some(before) = before.iter().find(|before| before.cpu == core.cpu) {
            core.total = core.total.saturating_sub(before.total);
        }
    }
}

fn less_sizes(sizes: &mut [SizeBucket], before: &[SizeBucket]) {
    for bucket in sizes {
        let same = before.iter().find(|before| (before.from, before.to) == (bucket.from, bucket.to));
        if let Some(before) = same {
            bucket.packets.tx = bucket.packets.tx.saturating_sub(before.packets.tx);
            bucket.packets.rx = bucket.packets.rx.saturating_sub(before.packets.rx);
        }
    }
}

/// The same counter's only.
fn traffic(now: VfTraffic, before: VfTraffic) -> VfTraffic {
    use VfTraffic::{Ebpf, Interface, NotCountedByTheDriver, PfDriver, Sysfs, Unknown};
    let less = |now: LinkCounters, before: LinkCounters| LinkCounters {
        rx_packets: now.rx_packets.saturating_sub(before.rx_packets),
        tx_packets: now.tx_packets.saturating_sub(before.tx_packets),
        rx_bytes: now.rx_bytes.saturating_sub(before.rx_bytes),
        tx_bytes: now.tx_bytes.saturating_sub(before.tx_bytes),
        rx_dropped: now.rx_dropped.saturating_sub(before.rx_dropped),
        tx_dropped: now.tx_dropped.saturating_sub(before.tx_dropped),
    };
    match (now, before) {
        (Ebpf(now), Ebpf(before)) => Ebpf(less(now, before)),
        (Interface(now), Interface(before)) => Interface(less(now, before)),
        (PfDriver(now), PfDriver(before)) => PfDriver(less(now, before)),
        (Sysfs(now), Sysfs(before)) => Sysfs(less(now, before)),
        (
            now @ (Ebpf(_) | Interface(_) | PfDriver(_) | Sysfs(_) | NotCountedByTheDriver | Unknown),
            Ebpf(_) | Interface(_) | PfDriver(_) | Sysfs(_) | NotCountedByTheDriver | Unknown,
        ) => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        both,
        testdata::{build, inventory, sample},
    };

    #[test]
    fn totals_begin_at_zero_and_rates_stay() {
        let inventory = inventory(2);
        let model = |second: u64| {
            build(&inventory, &sample(&inventory, second), Some(&sample(&inventory, second - 1)))
        };
        let (then, now) = (model(40), model(41));
        let zeroed = totals_since(&then, &then);
        for flow in zeroed.tunnels.iter().map(|row| row.flow).chain(zeroed.pods.iter().map(|row| row.flow)) {
            assert_eq!(both(&flow), crate::sample::Counts::default());
        }
        assert!(zeroed.tunnels[0].cores.rx.iter().all(|core| core.total == 0 && core.share.is_some()));
        assert!(zeroed.tunnels[0].sizes.iter().all(|bucket| bucket.packets == PerDirection::default()));
        assert_eq!(zeroed.tunnels[0].flow.tx.rate, then.tunnels[0].flow.tx.rate);
        assert_eq!(zeroed.since, then.time);
        let later = totals_since(&now, &then);
        let total = |model: &Model| model.peers.iter().map(|row| row.flow.tx.total.packets).sum::<u64>();
        assert_eq!(total(&later), total(&now) - total(&then));
        assert_eq!(later.peers[0].outer.unwrap().tx.total.packets, later.peers[0].flow.tx.total.packets);
    }

    #[test]
    fn a_pod_that_went_takes_what_it_carried_before_along() {
        let inventory = inventory(2);
        let then = build(&inventory, &sample(&inventory, 40), None);
        let mut left = inventory;
        let gone = left.pods.remove(0);
        let mut later = sample(&left, 41);
        later.gone_pods.pods = 1;
        later.gone_pods.counts.tx.packets =
            7 + then.pods.iter().find(|row| row.pod.as_ref() == Some(&gone)).unwrap().flow.tx.total.packets;
        let now = totals_since(&build(&left, &later, None), &then);
        let sum = now.pods.iter().find(|row| row.gone > 0).unwrap();
        assert_eq!(sum.flow.tx.total.packets, 7);
    }
}
