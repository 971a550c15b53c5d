//! The last rates of everything on screen, for the graphs. Bounded: what is gone is forgotten.

use std::collections::{HashMap, VecDeque};

use super::{
    state::Measure,
    subject::{RowKey, subjects},
};
use crate::{
    model::{Flow, Model, Rates},
    sample::Both,
};

/// Samples kept: two for every column of a graph on the widest usual terminal.
pub(super) const LENGTH: usize = 400;

/// One interval of one thing, both directions; none where the rate is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    tx: Option<Triple>,
    rx: Option<Triple>,
}

/// Outer bits, inner bits and packets per second. Graphs have fewer than a hundred steps: `f32` is plenty, and
/// a thousand peers stay small.
type Triple = [f32; 3];

/// The last points of everything.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    of: HashMap<RowKey, VecDeque<Point>>,
    /// All tunnels together.
    total: VecDeque<Point>,
}

impl History {
    /// Adds one model's rates.
    pub(super) fn push(&mut self, model: &Model) {
        let mut total = Point::default();
        for row in &model.tunnels {
            let point = point(&row.flow);
            total = Point { tx: add(total.tx, point.tx), rx: add(total.rx, point.rx) };
        }
        append(&mut self.total, total);
        let mut now: HashMap<RowKey, Point> =
            subjects(model).map(|subject| (subject.key(), point(subject.flow()))).collect();
        self.of.retain(|key, points| {
            let Some(point) = now.remove(key) else { return false };
            append(points, point);
            true
        });
        self.of.extend(now.into_iter().map(|(key, point)| (key, VecDeque::from([point]))));
    }

    /// The points of one thing, or of all tunnels together, oldest first: values of `measure`.
    pub(super) fn values(&self, key: Option<&RowKey>, measure: Measure) -> Vec<Both<Option<f64>>> {
        let points = match key {
            None => Some(&self.total),
            Some(key) => self.of.get(key),
        };
        let index = match measure {
            Measure::OuterBits => 0,
            Measure::InnerBits => 1,
            Measure::Packets => 2,
        };
        let value = |triple: Option<Triple>| triple.and_then(|t| t.get(index).copied()).map(f64::from);
        points.into_iter().flatten().map(|point| Both { tx: value(point.tx), rx: value(point.rx) }).collect()
    }
}

fn append(points: &mut VecDeque<Point>, point: Point) {
    if points.len() == LENGTH {
        points.pop_front();
    }
    points.push_back(point);
}

fn point(flow: &Both<Flow>) -> Point {
    Point { tx: flow.tx.rate.as_ref().map(triple), rx: flow.rx.rate.as_ref().map(triple) }
}

#[allow(clippy::cast_possible_truncation, reason = "f64 to f32 rounds, and infinity is out of reach")]
fn triple(rates: &Rates) -> Triple {
    [rates.outer_bits_per_s as f32, rates.inner_bits_per_s as f32, rates.packets_per_s as f32]
}

/// Unknown and known is known: a tunnel that appeared a moment ago does not hide the others.
fn add(one: Option<Triple>, other: Option<Triple>) -> Option<Triple> {
    match (one, other) {
        (Some([outer, inner, packets]), Some([o, i, p])) => Some([outer + o, inner + i, packets + p]),
        (one, other) => one.or(other),
    }
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
        assert_eq!(history.values(Some(&key), Measure::Packets).len(), LENGTH);
        history.push(&Model::default());
        assert!(history.values(Some(&key), Measure::Packets).is_empty());
        assert_eq!(history.values(None, Measure::Packets).len(), LENGTH);
        let last = history.values(None, Measure::Packets).pop().unwrap();
        assert_eq!(last, Both { tx: None, rx: None }, "no tunnel is unknown, not zero");
    }

    #[test]
    fn the_total_is_the_sum_of_the_tunnels() {
        let model = model::testdata::model();
        let mut history = History::default();
        history.push(&model);
        let sum: f64 = model.tunnels.iter().map(|row| row.flow.tx.rate.unwrap().packets_per_s).sum();
        let total = history.values(None, Measure::Packets)[0].tx.unwrap();
        assert!((total - sum).abs() < 1.0, "{total} {sum}");
    }
}
