//! A baseline of several accepted runs, of other days: the unit is then a whole run and not a round, since what differs from day to
//! day is in all rounds of a run alike. Pure.

use super::{
    basis::Scope,
    gate::{FEWEST_RUNS, Growth, LEVEL, Row, Summary, Verdict, Why, verdict},
    metric::{Metric, Scenario},
    plan::LOOKS,
    result::Run,
    rounds::Series,
    stats::{self, Shift, Tails, student_quantile},
};

/// What a run as a whole says of a metric.
pub fn whole(run: &Run, scenario: Scenario, metric: Metric, tails: &mut Tails) -> Result<Shift, Why> {
    let series = Series::of(run, usize::MAX, scenario, metric);
    if let Some(unstable) = series.unstable {
        return Err(Why::Unstable(unstable));
    }
    let fewest = LOOKS.first().copied().unwrap_or_default();
    if series.rounds < fewest && !series.is_missing() {
        return Err(Why::Few(fewest));
    }
    Shift::middle(&series.costs, tails).ok_or(Why::Missing)
}

/// The level of earlier runs, and how much the next one may differ by chance.
struct Level {
    mean: f64,
    deviation: f64,
    runs: usize,
}

impl Level {
    fn of(values: &[f64]) -> Option<Self> {
        let runs = values.len();
        let mean = values.iter().sum::<f64>() / runs as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (runs >= FEWEST_RUNS).then(|| Self { mean, deviation: (squares / (runs - 1) as f64).sqrt(), runs })
    }

    /// Half of the interval in which the next run is, with this probability of being beyond either end.
    fn half(&self, probability: f64) -> f64 {
        student_quantile(self.runs - 1, probability) * self.deviation * (1.0 + 1.0 / self.runs as f64).sqrt()
    }

    /// By how much a run as far above the others is more than chance: the probability of one that is further above.
    fn p_above(&self, growth: f64) -> f64 {
        // The level at which the lower bound is zero, found by halving: quantiles fall as probabilities grow.
        let (mut low, mut high) = (0.0, 0.5);
        for _ in 0..48 {
            let middle = f64::midpoint(low, high);
            if self.half(middle) > growth { low = middle } else { high = middle }
        }
        high
    }
}

/// The rows of earlier runs and a new one. A scenario that one of them has measured has rows.
pub(super) fn rows(base: &[&Run], new: &Run, scope: &Scope<'_>, tails: &mut Tails) -> Vec<Row> {
    let of_base = base.iter().flat_map(|run| run.measured());
    let measured: Vec<Scenario> = of_base.chain(new.measured()).collect();
    let mut found: Vec<(Row, Option<(Level, f64)>)> = Vec::new();
    for scenario in Scenario::ALL.into_iter().filter(|scenario| measured.contains(scenario)) {
        for metric in scope.metrics.iter().copied() {
            let is_there = |run: &Run| Series::of(run, usize::MAX, scenario, metric).rounds > 0;
            let mut all = base.iter().chain([&new]);
            if !all.any(|run| is_there(run) || run.parameters.measures(metric)) {
                continue;
            }
            let nothing = Row::nothing(scenario, metric);
            // A run of the base that was unstable, or that lacks the metric, says nothing of it.
            let mut level = |run: &Run| whole(run, scenario, metric, tails).map(|middle| middle.estimate());
            let values: Vec<f64> = base.iter().filter_map(|run| level(run).ok()).collect();
            let row = match (Level::of(&values), level(new)) {
                (Some(level), Ok(now)) => {
                    let growth = now - level.mean;
                    let summary = Some(summary(metric, &level));
                    (Row { base: summary, why: None, ..nothing }, Some((level, growth)))
                }
                (Some(_), Err(why)) => (Row { why: Some(why), ..nothing }, None),
                (None, _) => (nothing, None),
            };
            found.push(row);
        }
    }
    let p =
        |known: &Option<(Level, f64)>| known.as_ref().map_or(1.0, |(level, growth)| level.p_above(*growth));
    let gating: Vec<f64> =
        found.iter().filter(|(row, _)| row.metric.gates()).map(|(_, known)| p(known)).collect();
    let level_of_all = LEVEL * scope.share;
    let mut levels = stats::holm(&gating, level_of_all).into_iter();
    let judged = |(row, known): (Row, Option<(Level, f64)>)| {
        let own = if row.metric.gates() { levels.next().unwrap_or(level_of_all) } else { level_of_all };
        let Some((level, estimate)) = known else { return row };
        let growth =
            Growth { estimate, low: estimate - level.half(own), high: estimate + level.half(level_of_all) };
        let verdict = verdict(&growth, row.metric.margin(scope.margins.of(row.metric)));
        let why = (verdict == Verdict::Inconclusive).then_some(Why::Runs(level.runs));
        Row { verdict, why, growth: Some(growth), ..row }
    };
    found.into_iter().map(judged).collect()
}

fn summary(metric: Metric, level: &Level) -> Summary {
    let half = student_quantile(level.runs - 1, 0.025) * level.deviation / (level.runs as f64).sqrt();
    Summary {
        ratio: metric.ratio(level.mean),
        error: half.exp_m1(),
        rounds: level.runs,
        thrown: 0,
        spread: Some(level.deviation),
        datagram_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        basis::Basis,
        gate::{self, FactsPolicy, Options, Outcome, Relation},
        random::Random,
        testdata::{self, World},
    };

    /// A run of another day: everything in it is faster or slower by the same.
    fn day(random: &mut Random, number: u64, wander: f64, slower: f64) -> Run {
        let mut run = testdata::run(random, 20, &World::quiet(0.01));
        run.started_at_s += number * 86_400;
        run.machine.boot_id = Some(format!("boot {number}"));
        let day = 1.0 + wander * if number.is_multiple_of(2) { 1.0 } else { -1.0 };
        for slice in run.rounds.iter_mut().flat_map(|round| &mut round.slices) {
            if slice.side == crate::bench::metric::Side::Overlay {
                slice.bits_per_s = slice.bits_per_s.map(|rate| (rate * day).round());
                slice.packets_per_s = slice.packets_per_s.map(|rate| (rate * day * (1.0 - slower)).round());
            }
        }
        run
    }

    fn compare(base: &[Run], new: &Run) -> gate::Comparison {
        gate::compare(base, new, &Options::default(), &mut Tails::default()).unwrap()
    }

    #[test]
    fn five_runs_know_how_much_days_differ() {
        let mut random = Random::new(11);
        let quiet: Vec<Run> = (0..6).map(|number| day(&mut random, number, 0.002, 0.0)).collect();
        let wild: Vec<Run> = (0..6).map(|number| day(&mut random, number, 0.04, 0.0)).collect();
        let same = day(&mut random, 9, 0.002, 0.0);
        let slow = [10, 11].map(|number| day(&mut random, number, 0.002, 0.1));
        let found = compare(&quiet, &same);
        assert_eq!(
            (found.relation, found.outcome(FactsPolicy::Default)),
            (Relation::History(6), Outcome::Pass)
        );
        let both = compare(&quiet, &slow[0]).confirm(compare(&quiet, &slow[1]));
        assert_eq!(both.outcome(FactsPolicy::Default), Outcome::Fail);
        // Where days differ by eight percent, a tenth may be the day's.
        let found = compare(&wild, &slow[0]);
        let row = found.rows.iter().find(|row| row.metric == Metric::PacketRate).unwrap();
        assert_eq!((row.verdict, row.why), (Verdict::Inconclusive, Some(Why::Runs(6))));
        // Rounds alone would call that worse.
        let one = compare(&wild[..1], &slow[0]);
        assert_eq!((one.relation, one.outcome(FactsPolicy::Default)), (Relation::Advisory, Outcome::Warn));
    }

    #[test]
    fn fewer_than_five_are_advisory_and_those_of_this_session_come_first() {
        let mut random = Random::new(12);
        let runs: Vec<Run> = (0..6).map(|number| day(&mut random, number, 0.002, 0.0)).collect();
        let new = day(&mut random, 9, 0.002, 0.0);
        let relation = |base: &[Run]| Basis::of(base, &new).unwrap().relation();
        assert_eq!(relation(&runs[..4]), Relation::Advisory);
        assert_eq!(relation(&runs[..5]), Relation::History(5));
        let mut today = day(&mut random, 9, 0.002, 0.0);
        today.started_at_s -= 600;
        assert_eq!(relation(&[&runs[..], &[today]].concat()), Relation::OneSession);
        // Of another machine they do not count.
        let mut others = runs;
        others.iter_mut().take(3).for_each(|run| run.machine.cores = 64);
        assert_eq!(relation(&others), Relation::Advisory);
        assert!(Basis::of(&[], &new).is_none());
    }

    #[test]
    fn the_bound_and_the_probability_agree() {
        let level = Level::of(&[0.1, 0.12, 0.09, 0.11, 0.1, 0.13]).unwrap();
        for growth in [0.0, 0.01, 0.02, 0.05, 0.1] {
            for probability in [0.001, 0.0033, 0.01, 0.1] {
                let is_above = growth - level.half(probability) > 0.0;
                assert_eq!(is_above, level.p_above(growth) <= probability, "{growth} {probability}");
            }
        }
        assert!(Level::of(&[0.1; 4]).is_none());
    }
}
