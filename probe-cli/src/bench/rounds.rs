//! From rounds to numbers: which of them count, and what each says of a metric. The rule is fixed before anything is measured and
//! does not look at what the overlay did.

use super::{
    metric::{Load, Metric, Scenario, Side},
    result::{Round, Run, Slice},
    stats,
};

/// A slice with more of its time taken by the hypervisor does not count.
const MOST_STEAL: f64 = 0.05;
/// Nor does one whose host side is further from the middle of all.
pub(super) const MOST_OFF: f64 = 0.20;
/// With more rounds than this thrown away the machine is unstable.
const MOST_THROWN: f64 = 0.25;
/// And when the host's own speed drifts by more than this.
pub const MOST_DRIFT: f64 = 0.15;
/// Between these quantiles of its rounds, in thousandths, a host's own speed wanders.
const LOW_END: usize = 100;
const HIGH_END: usize = 900;
/// Rounds that a drift can be seen in.
const FEWEST_FOR_DRIFT: usize = 6;

/// What the rounds of a run say of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The cost of each round that counts ([`Metric::cost`]).
    pub costs: Vec<f64>,
    /// By how much what the hypervisor took may have slowed down the host's and the overlay's slices of these rounds, as a logarithm, in
    /// the mean.
    pub stolen: [f64; 2],
    /// The host's own value in the middle of the rounds: of the load, and not of the metric.
    pub anchor: Option<f64>,
    /// The two of these values between which eight of ten rounds are, of rounds that do not count as well: one wild round in eighty is no
    /// measure of a machine.
    pub ends: Option<[f64; 2]>,
    /// Rounds that were measured.
    pub rounds: usize,
    /// Those that do not count.
    pub thrown: usize,
    /// Why nothing can be said, whatever the costs are.
    pub unstable: Option<Unstable>,
    /// Payload of each datagram, of loads that send some; of the last round.
    pub datagram_bytes: Option<u32>,
}

/// What is wrong with the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unstable {
    /// Too many rounds do not count.
    Thrown {
        /// So many.
        thrown: usize,
        /// Of these.
        rounds: usize,
    },
    /// The host's own speed at the end is so many times that at the beginning.
    Drift(f64),
    /// The host's own speed is so many times that of the base.
    Moved(f64),
}

/// By which value of the host a round is known to be an ordinary one.
fn anchor(load: Load) -> Metric {
    match load {
        Load::Stream => Metric::Throughput,
        Load::Datagrams => Metric::PacketRate,
        Load::Datagrams512 => Metric::PacketRate512,
        Load::DatagramsFull => Metric::PacketRateFull,
        Load::Requests => Metric::LatencyP50,
        Load::Streams => Metric::ThroughputN,
        Load::LoadedRequests => Metric::LoadedP50,
        Load::Connections => Metric::ConnectionRate,
        Load::Command => Metric::CommandThroughput,
    }
}

impl Series {
    /// Of the first `rounds` rounds of a run.
    pub fn of(run: &Run, rounds: usize, scenario: Scenario, metric: Metric) -> Self {
        let load = metric.load();
        let pairs: Vec<(&Slice, &Slice)> = run
            .rounds
            .iter()
            .take(rounds)
            .filter_map(|round| {
                let of = |side| slice(round, scenario, load, side);
                of(Side::Host).zip(of(Side::Overlay))
            })
            .collect();
        let anchors: Vec<Option<f64>> = pairs
            .iter()
            .map(|(host, _)| host.value(anchor(load)).filter(|value| value.is_finite() && *value > 0.0))
            .collect();
        let known: Vec<f64> = anchors.iter().copied().flatten().collect();
        let middle = stats::median(&known);
        let end = |per_mille| stats::quantile(&known, per_mille);
        let ends = end(LOW_END).zip(end(HIGH_END)).map(<[f64; 2]>::from);
        let counts = |((host, overlay), own): (&(&Slice, &Slice), &Option<f64>)| {
            let is_stolen = |slice: &Slice| slice.cpu.steal.is_some_and(|steal| steal > MOST_STEAL);
            let off = (own.as_ref()? / middle? - 1.0).abs();
            let is_ordinary = off <= MOST_OFF && !is_stolen(host) && !is_stolen(overlay);
            let cost = metric.cost(overlay.value(metric)?, host.value(metric)?).filter(|_| is_ordinary)?;
            Some((cost, [host, overlay].map(|slice| stolen(slice, run.machine.cores))))
        };
        let (costs, all_stolen): (Vec<f64>, Vec<[f64; 2]>) =
            pairs.iter().zip(&anchors).filter_map(counts).unzip();
        let mean = |side: fn(&[f64; 2]) -> f64| {
            all_stolen.iter().map(side).sum::<f64>() / all_stolen.len().max(1) as f64
        };
        let stolen = [mean(|[host, _]| *host), mean(|[_, overlay]| *overlay)];
        let (rounds, thrown) = (pairs.len(), pairs.len() - costs.len());
        let has_values = pairs
            .iter()
            .any(|(host, overlay)| host.value(metric).is_some() && overlay.value(metric).is_some());
        let unstable = if has_values { unstable(thrown, rounds, &known) } else { None };
        let costs = if has_values { costs } else { Vec::new() };
        let datagram_bytes = pairs.last().and_then(|(_, overlay)| overlay.datagram_bytes);
        Self { costs, stolen, anchor: middle, ends, rounds, thrown, unstable, datagram_bytes }
    }

    /// Nothing was measured.
    pub fn is_missing(&self) -> bool {
        self.costs.is_empty() && self.unstable.is_none()
    }

    /// How far the host's own speed wanders in both, as a logarithm: at least as far as that of rounds that count may.
    pub fn unrest(&self, other: &Self) -> f64 {
        let ends = self.ends.into_iter().chain(other.ends);
        let both = ends.reduce(|[low, high], [least, most]| [low.min(least), high.max(most)]);
        let range = both.map_or(0.0, |[low, high]| (high / low).ln());
        range.max((1.0 + MOST_OFF).ln())
    }

    /// How much of a difference from this run to the new one, as a logarithm, may be the hypervisor's: of what makes the new one look
    /// slower, and of what makes it look faster.
    pub fn stolen_until(&self, new: &Self) -> [f64; 2] {
        let ([host, overlay], [new_host, new_overlay]) = (self.stolen, new.stolen);
        [host + new_overlay, overlay + new_host]
    }

    /// The host's own speed is another one than that of the base.
    pub fn moved_from(&self, base: &Self) -> Option<Unstable> {
        let ratio = self.anchor? / base.anchor?;
        is_far(ratio).then_some(Unstable::Moved(ratio))
    }
}

/// How much slower a slice may be for what the hypervisor took of all processors' time, when all of that was taken from the one that
/// everything waits for: a tunnel keeps a processor busier than the host's own path, and loses more.
fn stolen(slice: &Slice, cores: u32) -> f64 {
    let of_one = slice.cpu.steal.unwrap_or(0.0) * f64::from(cores);
    -(1.0 - of_one.clamp(0.0, 0.9)).ln()
}

fn slice(round: &Round, scenario: Scenario, load: Load, side: Side) -> Option<&Slice> {
    round.slices.iter().find(|slice| (slice.scenario, slice.load, slice.side) == (scenario, load, side))
}

fn unstable(thrown: usize, rounds: usize, anchors: &[f64]) -> Option<Unstable> {
    if thrown as f64 > MOST_THROWN * rounds as f64 {
        return Some(Unstable::Thrown { thrown, rounds });
    }
    if anchors.len() < FEWEST_FOR_DRIFT {
        return None;
    }
    let third = anchors.len() / 3;
    let (first, last) = (anchors.get(..third)?, anchors.get(anchors.len() - third..)?);
    let drift = stats::median(last)? / stats::median(first)?;
    is_far(drift).then_some(Unstable::Drift(drift))
}

/// In either direction.
fn is_far(ratio: f64) -> bool {
    !(1.0 / (1.0 + MOST_DRIFT)..=1.0 + MOST_DRIFT).contains(&ratio)
}
