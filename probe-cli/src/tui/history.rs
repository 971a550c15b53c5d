//! The last rates of everything on screen, for the graphs. Bounded: what is gone is forgotten.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::{
    rate::Rate,
    subject::{self, RowKey, Subject, subjects},
};
use crate::{
    model::{Model, PerDirection},
    tui::{measure::Measure, tab::Tab},
};

/// Samples kept: two for every column of a graph on the widest usual terminal.
pub(super) const LENGTH: usize = 400;

/// Whose rates a graph shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose<'a> {
    /// All tunnels together.
    Tunnels,
    /// All virtual functions together, as far as they are counted.
    Vfs,
    /// One row's.
    Row(&'a RowKey),
}

/// One interval of one thing, both directions; none where the rate is unknown.
type Point = PerDirection<Option<Triple>>;

/// Outer bits, inner bits and packets per second. Graphs have fewer than a hundred steps: `f32` is plenty, and
/// a thousand peers stay small.
type Triple = [f32; 3];

/// The last points of everything.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    of: HashMap<RowKey, VecDeque<Point>>,
    tunnels: VecDeque<Point>,
    vfs: VecDeque<Point>,
    /// When the points were, wall clock.
    times: VecDeque<Duration>,
}

impl History {
    /// Adds one model's rates.
    pub(super) fn push(&mut self, model: &Model) {
        append(&mut self.times, model.time);
        append(&mut self.tunnels, total(subject::of(model, Tab::Tunnels)));
        append(&mut self.vfs, total(subject::of(model, Tab::Vfs)));
        let mut now: HashMap<RowKey, Point> = HashMap::with_capacity(self.of.len());
        now.extend(subjects(model).map(|subject| (subject.key(), point(subject))));
        self.of.retain(|key, points| {
            let Some(point) = now.remove(key) else { return false };
            append(points, point);
            true
        });
        self.of.extend(now.into_iter().map(|(key, point)| (key, VecDeque::from([point]))));
    }

    /// How long before the newest point others were, in seconds, oldest first.
    pub(super) fn ages(&self) -> Vec<f64> {
        let newest = self.times.back().copied().unwrap_or_default();
        self.times.iter().map(|time| newest.saturating_sub(*time).as_secs_f64()).collect()
    }

    /// Points, oldest first: values of `measure`.
    pub(super) fn values(&self, whose: Whose<'_>, measure: Measure) -> Vec<PerDirection<Option<f64>>> {
        let points = match whose {
            Whose::Tunnels => Some(&self.tunnels),
            Whose::Vfs => Some(&self.vfs),
            Whose::Row(key) => self.of.get(key),
        };
        let value = |triple: Option<Triple>| triple.map(|triple| rate(triple).of(measure));
        points
            .into_iter()
            .flatten()
            .map(|point| PerDirection { tx: value(point.tx), rx: value(point.rx) })
            .collect()
    }
}

fn append<T>(points: &mut VecDeque<T>, point: T) {
    if points.len() == LENGTH {
        points.pop_front();
    }
    points.push_back(point);
}

/// Unknown and known is known: a tunnel that appeared a moment ago does not hide the others.
fn total<'a>(subjects: impl Iterator<Item = Subject<'a>>) -> Point {
    let add = |one: Option<Triple>, other: Option<Triple>| match (one, other) {
        (Some([outer, inner, packets]), Some([o, i, p])) => Some([outer + o, inner + i, packets + p]),
        (one, other) => one.or(other),
    };
    subjects.map(point).fold(Point::default(), |total, point| PerDirection {
        tx: add(total.tx, point.tx),
        rx: add(total.rx, point.rx),
    })
}

fn point(subject: Subject<'_>) -> Point {
    let PerDirection { tx, rx } = subject.rate();
    PerDirection { tx: tx.map(triple), rx: rx.map(triple) }
}

#[allow(clippy::cast_possible_truncation, reason = "f64 to f32 rounds, and infinity is out of reach")]
fn triple(rate: Rate) -> Triple {
    [rate.outer_bits as f32, rate.inner_bits as f32, rate.packets as f32]
}

fn rate([outer_bits, inner_bits, packets]: Triple) -> Rate {
    Rate { outer_bits: f64::from(outer_bits), inner_bits: f64::from(inner_bits), packets: f64::from(packets) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model;

    #[test]
    fn what_is_gone_is_forgotten_and_nothing_grows_without_end() {
        let model = model::testdata::model();
        let mut history = History::default();
        for _ in 0..LENGTH + 5 {
            history.push(&model);
        }
        let key = RowKey::Tunnel(model.tunnels[0].tunnel.ifindex);
        let of_one = Whose::Row(&key);
        assert_eq!(history.values(of_one, Measure::Packets).len(), LENGTH);
        history.push(&Model::default());
        assert!(history.values(of_one, Measure::Packets).is_empty());
        for all in [Whose::Tunnels, Whose::Vfs] {
            assert_eq!(history.values(all, Measure::Packets).len(), LENGTH);
            let last = history.values(all, Measure::Packets).pop().unwrap();
            assert_eq!(last, PerDirection { tx: None, rx: None }, "nothing is unknown, not zero");
        }
    }

    #[test]
    fn the_total_is_the_sum_of_the_tunnels() {
        let model = model::testdata::model();
        let mut history = History::default();
        history.push(&model);
        let sum: f64 = model.tunnels.iter().map(|row| row.flow.tx.rate.unwrap().packets_per_s).sum();
        let total = history.values(Whose::Tunnels, Measure::Packets)[0].tx.unwrap();
        assert!((total - sum).abs() < 1.0, "{total} {sum}");
    }

    #[test]
    fn the_total_of_vfs_is_of_those_that_are_counted() {
        let model = model::testdata::vfs();
        let mut history = History::default();
        history.push(&model);
        assert!(model.vfs.iter().any(|row| row.rate.is_none()));
        let sum: f64 = model.vfs.iter().filter_map(|row| row.rate).map(|rate| rate.rx.bits_per_s).sum();
        for measure in [Measure::OuterBits, Measure::InnerBits] {
            let total = history.values(Whose::Vfs, measure)[0].rx.unwrap();
            assert!(sum > 0.0 && (total - sum).abs() < 1.0, "{total} {sum}");
        }
        let uncounted = model.vfs.iter().find(|row| row.rate.is_none()).unwrap();
        let key = Subject::Vf(uncounted).key();
        assert_eq!(history.values(Whose::Row(&key), Measure::Packets), [PerDirection { tx: None, rx: None }]);
    }
}
