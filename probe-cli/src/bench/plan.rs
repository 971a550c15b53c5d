//! What runs next: the order inside of a round, and when to look, to measure on, to confirm and to stop. No clock and no chance but
//! a seed.

use std::collections::BTreeMap;

use super::{
    gate::{Row, Verdict, Why},
    metric::{Load, Metric, Scenario, Side},
    random::Random,
    result::MOST_ROUNDS,
};

/// After so many rounds is looked at the result, each time with a part of the probability of an error: the first is the fewest in
/// which Wilcoxon's signed ranks can reach it.
pub const LOOKS: [usize; 4] = [10, 20, 40, MOST_ROUNDS];

/// One slice that is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planned {
    /// The data plane.
    pub scenario: Scenario,
    /// What is sent.
    pub load: Load,
    /// Which way.
    pub side: Side,
}

/// The order of slices, drawn anew for each round: what is compared runs one after the other, never at once, and neither side is
/// always first.
#[derive(Clone, Debug)]
pub struct Order {
    random: Random,
    scenarios: Vec<Scenario>,
    loads: Vec<Load>,
}

impl Order {
    /// Of these data planes, with these loads each.
    pub fn new(seed: u64, scenarios: Vec<Scenario>, loads: Vec<Load>) -> Self {
        Self { random: Random::new(seed), scenarios, loads }
    }

    /// The next round.
    pub fn round(&mut self) -> Vec<Planned> {
        let mut pairs: Vec<(Scenario, Load)> = self
            .scenarios
            .iter()
            .flat_map(|scenario| self.loads.iter().map(move |load| (*scenario, *load)))
            .collect();
        self.random.shuffle(&mut pairs);
        let mut slices = Vec::new();
        for (scenario, load) in pairs {
            let sides =
                if self.random.coin() { [Side::Host, Side::Overlay] } else { [Side::Overlay, Side::Host] };
            slices.extend(sides.map(|side| Planned { scenario, load, side }));
        }
        slices
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Measure in this session until there are so many rounds, then look.
    Measure(usize),
    /// Begin a second session, with everything new, and measure so many rounds: the first one says worse.
    Confirm(usize),
    /// That was it.
    Done,
}

/// Which comparison.
pub type Key = (Scenario, Metric);

/// Decides by what looks say. What is decided stays so: each look may spend its part of the errors only once.
#[derive(Clone, Debug)]
pub struct Looks {
    rounds: Vec<usize>,
    at: usize,
    settled: BTreeMap<Key, Verdict>,
    /// What the first session found worse.
    first: Option<Vec<Key>>,
}

impl Looks {
    /// After so many rounds each, such as [`LOOKS`].
    pub fn new(rounds: Vec<usize>) -> Self {
        Self { rounds, at: 0, settled: BTreeMap::new(), first: None }
    }

    fn start(&self) -> usize {
        self.rounds.first().copied().unwrap_or(MOST_ROUNDS)
    }

    /// Before the first look.
    pub fn first(&self) -> Next {
        Next::Measure(self.start())
    }

    /// After one: the rows of all rounds of this session so far.
    pub fn look(&mut self, rows: &mut [Row]) -> Next {
        for row in rows.iter_mut().filter(|row| row.metric.gates()) {
            match self.settled.get(&row.key()) {
                Some(verdict) => row.verdict = *verdict,
                None if row.verdict == Verdict::Inconclusive => {}
                None => {
                    self.settled.insert(row.key(), row.verdict);
                }
            }
        }
        let gating = || rows.iter().filter(|row| row.metric.gates());
        let worse: Vec<Key> = gating().filter(|row| row.verdict == Verdict::Worse).map(Row::key).collect();
        // More rounds decide nothing beside a base that decides nothing.
        let is_hopeless = |row: &Row| matches!(row.why, Some(Why::BaseUnstable(_)));
        let is_settled = gating().all(|row| row.verdict != Verdict::Inconclusive || is_hopeless(row));
        let start = self.start();
        match &self.first {
            None if !worse.is_empty() => {
                self.first = Some(worse);
                self.at = 0;
                self.settled.clear();
                return Next::Confirm(start);
            }
            // One that both say is enough.
            Some(first) if worse.iter().any(|key| first.contains(key)) => return Next::Done,
            Some(_) | None => {}
        }
        self.at += 1;
        match self.rounds.get(self.at) {
            Some(rounds) if !is_settled => Next::Measure(*rounds),
            Some(_) | None => Next::Done,
        }
    }

    /// What the first session found worse; none when it found nothing.
    pub fn to_confirm(&self) -> Option<&[Key]> {
        self.first.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rounds::Unstable;

    #[test]
    fn a_round_has_everything_once_in_an_order_of_its_own() {
        let planes = vec![Scenario::VxlanV4, Scenario::VxlanV6];
        let mut order = Order::new(3, planes.clone(), Load::USUAL.to_vec());
        let rounds: Vec<Vec<Planned>> = (0..40).map(|_| order.round()).collect();
        let mut expected: Vec<Planned> = Vec::new();
        for scenario in [Scenario::VxlanV4, Scenario::VxlanV6] {
            for load in Load::USUAL {
                expected.extend([Side::Host, Side::Overlay].map(|side| Planned { scenario, load, side }));
            }
        }
        for round in &rounds {
            let mut sorted = round.clone();
            sorted.sort();
            assert_eq!(sorted, expected);
            for pair in round.chunks(2) {
                assert_eq!((pair[0].scenario, pair[0].load), (pair[1].scenario, pair[1].load));
            }
        }
        let host_first =
            rounds.iter().flat_map(|round| round.chunks(2)).filter(|pair| pair[0].side == Side::Host);
        assert!((80..160).contains(&host_first.count()));
        let mut again = Order::new(3, planes, Load::USUAL.to_vec());
        assert!(rounds.iter().all(|round| *round == again.round()));
        assert_ne!(rounds[0], rounds[1]);
    }

    fn row(metric: Metric, verdict: Verdict) -> Row {
        Row { verdict, ..Row::nothing(Scenario::VxlanV4, metric) }
    }

    #[test]
    fn nothing_is_measured_on_for_a_base_that_decides_nothing() {
        let unstable = Unstable::Thrown { thrown: 7, rounds: 20 };
        let [ours, theirs] = [Why::Unstable(unstable), Why::BaseUnstable(unstable)]
            .map(|why| Row { why: Some(why), ..row(Metric::Throughput, Verdict::Inconclusive) });
        for (unstable, other, next) in [
            (&theirs, Verdict::Same, Next::Done),
            (&theirs, Verdict::Inconclusive, Next::Measure(20)),
            (&theirs, Verdict::Worse, Next::Confirm(10)),
            (&ours, Verdict::Same, Next::Measure(20)),
        ] {
            let mut rows = [unstable.clone(), row(Metric::PacketRate, other)];
            assert_eq!(Looks::new(LOOKS.to_vec()).look(&mut rows), next, "{rows:?}");
        }
    }

    #[test]
    fn looks_go_on_until_all_is_decided_and_confirm_before_they_say_worse() {
        use Verdict::{Better, Inconclusive, Same, Worse};
        type Steps<'a> = &'a [([Verdict; 2], Next)];
        let cases: [Steps<'_>; 6] = [
            &[([Same, Better], Next::Done)],
            &[([Inconclusive, Same], Next::Measure(20)), ([Same, Same], Next::Done)],
            // What was decided stays so, though a later look would say otherwise.
            &[([Inconclusive, Same], Next::Measure(20)), ([Same, Worse], Next::Done)],
            &[
                ([Inconclusive, Same], Next::Measure(20)),
                ([Inconclusive, Same], Next::Measure(40)),
                ([Inconclusive, Same], Next::Measure(80)),
                ([Inconclusive, Same], Next::Done),
            ],
            &[
                ([Same, Worse], Next::Confirm(10)),
                ([Same, Inconclusive], Next::Measure(20)),
                ([Same, Worse], Next::Done),
            ],
            // Another one than in the first session confirms nothing.
            &[
                ([Same, Worse], Next::Confirm(10)),
                ([Worse, Inconclusive], Next::Measure(20)),
                ([Worse, Same], Next::Done),
            ],
        ];
        for steps in cases {
            let mut looks = Looks::new(LOOKS.to_vec());
            assert_eq!(looks.first(), Next::Measure(10));
            for (verdicts, next) in steps {
                let [a, b] = *verdicts;
                let mut rows =
                    [row(Metric::Throughput, a), row(Metric::PacketRate, b), row(Metric::LatencyP99, Worse)];
                assert_eq!(looks.look(&mut rows), *next, "{steps:?} at {verdicts:?}");
            }
        }
    }
}
