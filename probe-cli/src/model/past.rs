//! What was there in an earlier model and is not in this one: kept for screens, so that what breaks does not vanish from sight.

use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

use super::{Condition, Flow, Model, OuterFlow, PeerRow, PodRow, TunnelRow, cores};
use crate::{
    inventory::{Hole, PeerKey, PodKey},
    sample::{PerDirection, Sample},
};

/// So long peers and pods that went keep rows of their own.
const KEPT: Duration = Duration::from_secs(60);
/// So many of them do.
const MOST: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Past {
    tunnels: Vec<TunnelRow>,
    peers: Vec<Went<PeerRow>>,
    pods: Vec<Went<PodRow>>,
}

/// A row, and when what it is of went.
#[derive(Debug)]
struct Went<T> {
    row: T,
    at: Duration,
    /// It had counters of its own, which are in what the sample has of those that went.
    is_counted: bool,
}

impl Past {
    /// Puts what went since the model `before`, and what had gone by then, into the model. `sample` is that of `before`.
    pub(super) fn carry(&mut self, before: &Model, sample: &Sample, model: &mut Model) {
        // The same inventory has the same rows.
        if self.is_empty() && Arc::ptr_eq(&before.inventory, &model.inventory) {
            return;
        }
        self.tunnels(before, model);
        // Peers and pods that are missing while a table cannot be read may be there. Without links there is no inventory at all.
        if model.inventory.table_notes.is_empty() {
            self.peers(before, sample, model);
            self.pods(before, sample, model);
        }
        model.gone.tunnels.clone_from(&self.tunnels);
        model.gone.peers = self.peers.iter().map(|went| went.row.clone()).collect();
        model.gone.pods = self.pods.iter().map(|went| went.row.clone()).collect();
    }

    fn is_empty(&self) -> bool {
        self.tunnels.is_empty() && self.peers.is_empty() && self.pods.is_empty()
    }

    fn tunnels(&mut self, before: &Model, model: &Model) {
        let gone = before.tunnels.iter().map(|row| TunnelRow {
            condition: Condition::Gone,
            flow: ended(&row.flow),
            cores: cores::ended(&row.cores),
            dropped: None,
            outer: row.outer.as_ref().map(ended_outer),
            ..row.clone()
        });
        self.tunnels.extend(gone);
        // Made again, it is the same to whoever looks at it.
        let names: BTreeSet<&str> = model.tunnels.iter().map(|row| row.tunnel.name.as_str()).collect();
        self.tunnels.retain(|row| !names.contains(row.tunnel.name.as_str()));
    }

    fn peers(&mut self, before: &Model, sample: &Sample, model: &Model) {
        let there: BTreeSet<(u32, PeerKey)> = model.peers.iter().filter_map(peer_key).collect();
        let known: BTreeSet<(u32, PeerKey)> =
            self.peers.iter().filter_map(|went| peer_key(&went.row)).collect();
        let went = before.peers.iter().filter_map(|row| {
            let key = peer_key(row).filter(|key| !there.contains(key) && !known.contains(key))?;
            let row = PeerRow {
                condition: Condition::Gone,
                flow: ended(&row.flow),
                outer: row.outer.as_ref().map(ended_outer),
                paths: Vec::new(),
                ..row.clone()
            };
            Some(Went { row, at: model.time, is_counted: sample.peers.contains_key(&key) })
        });
        self.peers.extend(went);
        let broken: BTreeSet<(u32, PeerKey)> = model.inventory.holes.iter().filter_map(without_fdb).collect();
        for went in &mut self.peers {
            if peer_key(&went.row).is_some_and(|key| broken.contains(&key)) {
                went.at = model.time;
            }
        }
        // Peers of a tunnel that was made again are peers of the new one.
        let now: BTreeSet<(&str, u32)> =
            model.tunnels.iter().map(|row| (row.tunnel.name.as_str(), row.tunnel.ifindex)).collect();
        self.peers.retain(|went| {
            let name = &*went.row.tunnel_name;
            let is_replaced =
                now.iter().any(|(other, ifindex)| *other == name && *ifindex != went.row.tunnel);
            let is_back = peer_key(&went.row).is_some_and(|key| there.contains(&key));
            !is_back && !is_replaced && model.time.saturating_sub(went.at) < KEPT
        });
        self.peers.drain(..self.peers.len().saturating_sub(MOST));
    }

    fn pods(&mut self, before: &Model, sample: &Sample, model: &Model) {
        let there: BTreeSet<PodKey> = model.pods.iter().filter_map(pod_key).collect();
        let went = before.pods.iter().filter_map(|row| {
            let key = pod_key(row).filter(|key| !there.contains(key))?;
            let row = PodRow {
                condition: Condition::Gone,
                flow: ended(&row.flow),
                interfaces: Vec::new(),
                ..row.clone()
            };
            Some(Went { row, at: model.time, is_counted: sample.pods.contains_key(&key) })
        });
        self.pods.extend(went);
        // Under another name when who names pods cannot be asked, or has been asked meanwhile: it is there all the same.
        let addresses: BTreeSet<IpAddr> = model
            .pods
            .iter()
            .filter_map(|row| row.pod.as_ref())
            .flat_map(|pod| pod.addresses.clone())
            .collect();
        self.pods.retain(|went| {
            let is_back = went.row.pod.as_ref().is_some_and(|pod| {
                there.contains(&pod.key()) || pod.addresses.iter().any(|address| addresses.contains(address))
            });
            !is_back && model.time.saturating_sub(went.at) < KEPT
        });
        self.pods.drain(..self.pods.len().saturating_sub(MOST));
    }

    /// Adds the rows that sum up what went longer ago: all that went, less what has a row of its own.
    pub(super) fn sum_up(&self, model: &mut Model) {
        let shown: BTreeSet<(u32, PeerKey)> = model.gone.peers.iter().filter_map(peer_key).collect();
        let mut rest: Vec<PeerRow> = model.peers.iter().filter(|row| row.gone > 0).cloned().collect();
        for sum in &mut rest {
            for went in self.peers.iter().filter(|went| went.is_counted && went.row.tunnel == sum.tunnel) {
                if peer_key(&went.row).is_some_and(|key| shown.contains(&key)) {
                    sum.gone = sum.gone.saturating_sub(1);
                    sum.flow = less(&sum.flow, &went.row.flow);
                    sum.outer =
                        sum.outer.zip(went.row.outer).map(|(sum, own)| less_outer(&sum, &own)).or(sum.outer);
                }
            }
        }
        model.gone.peers.extend(rest.into_iter().filter(|row| row.gone > 0));
        let Some(mut rest) = model.pods.iter().find(|row| row.gone > 0).cloned() else { return };
        for went in self.pods.iter().filter(|went| went.is_counted) {
            rest.gone = rest.gone.saturating_sub(1);
            rest.flow = less(&rest.flow, &went.row.flow);
        }
        model.gone.pods.extend(Some(rest).filter(|row| row.gone > 0));
    }
}

fn peer_key(row: &PeerRow) -> Option<(u32, PeerKey)> {
    Some((row.tunnel, row.peer.as_ref()?.key))
}

fn pod_key(row: &PodRow) -> Option<PodKey> {
    row.pod.as_ref().map(|pod| pod.key())
}

/// The peer that a neighbour entry without an FDB entry is left of.
fn without_fdb(hole: &Hole) -> Option<(u32, PeerKey)> {
    match hole {
        Hole::NeighbourWithoutFdb { tunnel, mac, .. } => Some((*tunnel, PeerKey::Mac(*mac))),
        Hole::RouteWithoutNeighbour { .. } | Hole::FdbWithoutRoute { .. } => None,
    }
}

/// What is gone has no rates.
fn ended(flow: &PerDirection<Flow>) -> PerDirection<Flow> {
    PerDirection { tx: Flow { rate: None, ..flow.tx }, rx: Flow { rate: None, ..flow.rx } }
}

fn ended_outer(outer: &PerDirection<OuterFlow>) -> PerDirection<OuterFlow> {
    PerDirection { tx: OuterFlow { rate: None, ..outer.tx }, rx: OuterFlow { rate: None, ..outer.rx } }
}

fn less(flow: &PerDirection<Flow>, part: &PerDirection<Flow>) -> PerDirection<Flow> {
    let one = |flow: Flow, part: Flow| Flow { total: flow.total.less(&part.total), rate: flow.rate };
    PerDirection { tx: one(flow.tx, part.tx), rx: one(flow.rx, part.rx) }
}

fn less_outer(outer: &PerDirection<OuterFlow>, part: &PerDirection<OuterFlow>) -> PerDirection<OuterFlow> {
    let one = |outer: OuterFlow, part: OuterFlow| OuterFlow {
        total: outer.total.less(&part.total),
        rate: outer.rate,
    };
    PerDirection { tx: one(outer.tx, part.tx), rx: one(outer.rx, part.rx) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        inventory::Inventory,
        model::{
            both,
            testdata::{build, inventory, sample},
        },
        sample::{GonePeers, GonePods},
    };

    /// The sample of a second in which the first pod and the first peer are gone, with what they carried.
    fn without_first(whole: &Inventory, second: u64) -> (Inventory, Sample) {
        let before = sample(whole, 40);
        let mut left = whole.clone();
        let (pod, peer) = (left.pods.remove(0), left.peers.remove(0));
        let mut now = sample(whole, second);
        now.pods.remove(&pod.key());
        now.peers.remove(&(peer.tunnel, peer.key));
        now.gone_pods = GonePods { pods: 1, counts: before.pods[&pod.key()] };
        let carried = before.peers[&(peer.tunnel, peer.key)];
        now.gone_peers.insert(peer.tunnel, GonePeers { peers: 1, carried });
        (left, now)
    }

    fn shown_packets(model: &Model) -> (u64, u64) {
        let peers = model.peers.iter().filter(|row| row.gone == 0).chain(&model.gone.peers);
        let pods = model.pods.iter().filter(|row| row.gone == 0).chain(&model.gone.pods);
        (peers.map(|row| both(&row.flow).packets).sum(), pods.map(|row| both(&row.flow).packets).sum())
    }

    fn told_packets(model: &Model) -> (u64, u64) {
        (
            model.peers.iter().map(|row| both(&row.flow).packets).sum(),
            model.pods.iter().map(|row| both(&row.flow).packets).sum(),
        )
    }

    #[test]
    fn what_went_has_a_row_for_a_minute_and_is_in_one_sum_then() {
        let whole = inventory(3);
        let mut past = Past::default();
        let mut before = build(&whole, &sample(&whole, 40), None);
        let mut earlier = sample(&whole, 40);
        for (second, own_row) in [(41, true), (99, true), (102, false)] {
            let (left, now) = without_first(&whole, second);
            let mut model = build(&left, &now, Some(&earlier));
            past.carry(&before, &earlier, &mut model);
            past.sum_up(&mut model);
            let pods: Vec<(bool, u64)> =
                model.gone.pods.iter().map(|row| (row.pod.is_some(), row.gone)).collect();
            let peers: Vec<(bool, u64)> =
                model.gone.peers.iter().map(|row| (row.peer.is_some(), row.gone)).collect();
            let expected = if own_row { vec![(true, 0)] } else { vec![(false, 1)] };
            assert_eq!((&pods, &peers), (&expected, &expected), "{second}");
            for row in &model.gone.pods {
                assert_eq!((row.condition, row.flow.tx.rate), (Condition::Gone, None));
                assert!(row.flow.tx.total.packets > 0);
            }
            // Nothing is counted twice and nothing is lost: on screens, and in documents.
            assert_eq!(shown_packets(&model), told_packets(&model), "{second}");
            // What went is no alarm and not among what nobody knows.
            let other = model.pods.iter().find(|row| row.pod.is_none() && row.gone == 0).unwrap();
            assert_eq!(both(&other.flow).packets, both_of(&now.other_pods));
            (before, earlier) = (model, now);
        }
    }

    #[test]
    fn a_pod_that_nobody_names_for_a_moment_is_not_gone() {
        let whole = inventory(2);
        let mut past = Past::default();
        let before = build(&whole, &sample(&whole, 40), None);
        let mut unnamed = whole.clone();
        let pod = Arc::make_mut(&mut unnamed.pods[0]);
        (pod.namespace, pod.name) = (None, None);
        let mut model = build(&unnamed, &sample(&unnamed, 41), None);
        past.carry(&before, &sample(&whole, 40), &mut model);
        assert!(model.gone.pods.is_empty());
    }

    fn both_of(counts: &PerDirection<crate::sample::Counts>) -> u64 {
        counts.tx.packets + counts.rx.packets
    }

    #[test]
    fn what_comes_back_has_its_row_and_its_past_is_summed_up() {
        let whole = inventory(2);
        let mut past = Past::default();
        let before = build(&whole, &sample(&whole, 40), None);
        let (left, now) = without_first(&whole, 41);
        let mut gone = build(&left, &now, None);
        past.carry(&before, &sample(&whole, 40), &mut gone);
        past.sum_up(&mut gone);
        let mut back = build(&whole, &Sample { gone_pods: now.gone_pods, ..sample(&whole, 42) }, None);
        past.carry(&gone, &now, &mut back);
        past.sum_up(&mut back);
        assert!(back.gone.peers.is_empty());
        assert_eq!(back.gone.pods.iter().map(|row| row.gone).collect::<Vec<_>>(), [1]);
    }
}
