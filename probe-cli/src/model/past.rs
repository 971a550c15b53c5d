//! What was there in an earlier model and is not in this one: kept for screens, so that what breaks does not vanish from sight.

use std::{collections::BTreeSet, time::Duration};

use super::{Condition, Flow, Model, OuterFlow, PeerRow, PodRow, TunnelRow};
use crate::{
    inventory::{Hole, PeerKey, Pod, PodKey},
    sample::{Both, Sample},
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
        // What is missing while a table cannot be read may be there.
        if !model.inventory.table_notes.is_empty() {
            return;
        }
        self.tunnels(before, model);
        self.peers(before, sample, model);
        self.pods(before, sample, model);
        model.gone.tunnels.clone_from(&self.tunnels);
        model.gone.peers = self.peers.iter().map(|went| went.row.clone()).collect();
        model.gone.pods = self.pods.iter().map(|went| went.row.clone()).collect();
    }

    fn tunnels(&mut self, before: &Model, model: &Model) {
        let gone = before.tunnels.iter().map(|row| TunnelRow {
            condition: Condition::Gone,
            flow: ended(&row.flow),
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
            let name = went.row.tunnel_name.as_str();
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
        self.pods.retain(|went| {
            let is_back = pod_key(&went.row).is_some_and(|key| there.contains(&key));
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
    row.pod.as_ref().map(Pod::key)
}

/// The peer that a neighbour entry without an FDB entry is left of.
fn without_fdb(hole: &Hole) -> Option<(u32, PeerKey)> {
    match hole {
        Hole::NeighbourWithoutFdb { tunnel, mac, .. } => Some((*tunnel, PeerKey::Mac(*mac))),
        Hole::RouteWithoutNeighbour { .. } | Hole::FdbWithoutRoute { .. } => None,
    }
}

/// What is gone has no rates.
fn ended(flow: &Both<Flow>) -> Both<Flow> {
    Both { tx: Flow { rate: None, ..flow.tx }, rx: Flow { rate: None, ..flow.rx } }
}

fn ended_outer(outer: &Both<OuterFlow>) -> Both<OuterFlow> {
    Both { tx: OuterFlow { rate: None, ..outer.tx }, rx: OuterFlow { rate: None, ..outer.rx } }
}

fn less(flow: &Both<Flow>, part: &Both<Flow>) -> Both<Flow> {
    let one = |flow: Flow, part: Flow| Flow { total: flow.total.less(&part.total), rate: flow.rate };
    Both { tx: one(flow.tx, part.tx), rx: one(flow.rx, part.rx) }
}

fn less_outer(outer: &Both<OuterFlow>, part: &Both<OuterFlow>) -> Both<OuterFlow> {
    let one = |outer: OuterFlow, part: OuterFlow| OuterFlow {
        total: outer.total.less(&part.total),
        rate: outer.rate,
    };
    Both { tx: one(outer.tx, part.tx), rx: one(outer.rx, part.rx) }
}
