//! What of a baseline a new run is compared with. For most metrics that is the same; one whose new level was accepted by itself counts
//! from there on, and the others do not. Pure.

use super::{
    gate::{self, Difference, FEWEST_RUNS, Relation, Row},
    history,
    margin::Margins,
    metric::{Metric, Scenario},
    plan::LOOKS,
    result::{MOST_ROUNDS, Run},
    stats::Tails,
};

/// What a new run is compared with.
#[derive(Clone, Debug)]
pub struct Basis<'a> {
    /// In the order of their metrics.
    parts: Vec<Part<'a>>,
}

/// Metrics that are compared with the same.
#[derive(Clone, Debug)]
struct Part<'a> {
    metrics: Vec<Metric>,
    against: Against<'a>,
}

/// One run or several.
#[derive(Clone, Debug)]
enum Against<'a> {
    /// One run, by its rounds.
    Rounds(&'a Run, Relation),
    /// Several runs, as wholes; the newest last, of which there is one.
    Runs(Vec<&'a Run>, &'a Run),
}

impl<'a> Against<'a> {
    /// The newest run of this session; else all that the new one can be compared with, if there are enough; else the newest.
    fn of(runs: &[&'a Run], new: &Run) -> Option<Self> {
        let last = runs.last()?;
        if let Some(run) = runs.iter().rev().find(|run| gate::is_one_session(run, new)) {
            return Some(Self::Rounds(run, Relation::OneSession));
        }
        let is_fit = |run: &&Run| gate::differences(run, new).is_empty();
        let fit: Vec<&Run> = runs.iter().copied().filter(is_fit).collect();
        let newest = fit.last().copied().filter(|_| fit.len() >= FEWEST_RUNS);
        Some(match newest {
            Some(newest) => Self::Runs(fit, newest),
            None => Self::Rounds(last, Relation::Advisory),
        })
    }

    /// The run whose facts and settings count: the newest.
    fn run(&self) -> &'a Run {
        match self {
            Self::Rounds(run, _) | Self::Runs(_, run) => run,
        }
    }

    fn relation(&self) -> Relation {
        match self {
            Self::Rounds(_, relation) => *relation,
            Self::Runs(runs, _) => Relation::History(runs.len()),
        }
    }
}

/// The runs that say something of a metric: those since its level was accepted by itself, without those of which another metric was.
fn counting(base: &[Run], metric: Metric) -> Vec<&Run> {
    let from = base.iter().rposition(|run| run.accepted_only().contains(&metric)).unwrap_or(0);
    let says = |run: &&Run| run.accepted_only().is_empty() || run.accepted_only().contains(&metric);
    base.iter().skip(from).filter(says).collect()
}

impl<'a> Basis<'a> {
    /// Of the runs of a baseline, the newest last; none of none.
    pub fn of(base: &'a [Run], new: &Run) -> Option<Self> {
        let mut parts: Vec<(Vec<&Run>, Part<'a>)> = Vec::new();
        for metric in Metric::ALL {
            let runs = counting(base, metric);
            if let Some((_, part)) = parts.iter_mut().find(|(known, _)| is_same(known, &runs)) {
                part.metrics.push(metric);
            } else if let Some(against) = Against::of(&runs, new) {
                parts.push((runs, Part { metrics: vec![metric], against }));
            }
        }
        let parts: Vec<Part<'_>> = parts.into_iter().map(|(_, part)| part).collect();
        (!parts.is_empty()).then_some(Self { parts })
    }

    /// One run for all metrics.
    #[cfg(test)]
    pub(crate) fn one(run: &'a Run, relation: Relation) -> Self {
        Self { parts: vec![Part { metrics: Metric::ALL.to_vec(), against: Against::Rounds(run, relation) }] }
    }

    /// How it is related to the new run: that of the metric of which least is known.
    pub fn relation(&self) -> Relation {
        let relations = || self.parts.iter().map(|part| part.against.relation());
        let is_history = |relation: &Relation| matches!(relation, Relation::History(_));
        if relations().any(|relation| relation == Relation::Advisory) {
            return Relation::Advisory;
        }
        relations().find(is_history).unwrap_or(Relation::OneSession)
    }

    /// The run whose facts and settings count: the newest.
    pub fn run(&self) -> Option<&'a Run> {
        let runs = self.parts.iter().map(|part| part.against.run());
        // Of two that began in the same second the one that was accepted for a metric is the later one.
        runs.max_by_key(|run| (run.accepted.as_ref().map_or(0, |accepted| accepted.at_s), run.started_at_s))
    }

    /// The run that a metric is compared with by its rounds.
    pub fn rounds_of(&self, metric: Metric) -> Option<&'a Run> {
        match self.against(metric)? {
            Against::Rounds(run, _) => Some(run),
            Against::Runs(..) => None,
        }
    }

    fn against(&self, metric: Metric) -> Option<&Against<'a>> {
        self.parts.iter().find(|part| part.metrics.contains(&metric)).map(|part| &part.against)
    }

    /// What keeps the new run from being compared with any of it.
    pub fn differences(&self, new: &Run) -> Vec<Difference> {
        let mut found: Vec<Difference> = Vec::new();
        for one in self.parts.iter().flat_map(|part| gate::differences(part.against.run(), new)) {
            if !found.contains(&one) {
                found.push(one);
            }
        }
        found
    }

    /// Levels that were accepted by themselves and count here: the metrics and the reason.
    pub fn levels(&self) -> Vec<(Vec<Metric>, String)> {
        let level = |part: &Part<'_>| {
            let run = part.against.run();
            let accepted = run.accepted.as_ref().filter(|accepted| !accepted.metrics.is_empty())?;
            Some((part.metrics.clone(), accepted.reason.clone()))
        };
        self.parts.iter().filter_map(level).collect()
    }

    /// After so many rounds of a new run is looked at it: a run that is compared as a whole has as many as those before.
    pub fn looks(&self) -> Vec<usize> {
        let wholes = self.parts.iter().filter_map(|part| match &part.against {
            Against::Rounds(..) => None,
            Against::Runs(_, newest) => Some(newest.rounds.len()),
        });
        wholes.max().map_or_else(|| LOOKS.to_vec(), |rounds| vec![rounds.min(MOST_ROUNDS)])
    }

    /// The rows, without summaries. A scenario that one of the runs has measured has rows.
    pub fn verdicts(&self, new: &Run, margins: &Margins, tails: &mut Tails) -> Vec<Row> {
        let gating = |metrics: &[Metric]| metrics.iter().filter(|metric| metric.gates()).count();
        let all: usize = self.parts.iter().map(|part| gating(&part.metrics)).sum();
        let mut rows: Vec<Row> = Vec::new();
        for Part { metrics, against } in &self.parts {
            // The probability of an error is that of all of them together.
            let share = gating(metrics) as f64 / all.max(1) as f64;
            let scope = Scope { metrics, share: if share > 0.0 { share } else { 1.0 }, margins };
            let found = match against {
                Against::Rounds(run, _) => gate::rows(run, new, usize::MAX, &scope, tails),
                Against::Runs(runs, _) => history::rows(runs, new, &scope, tails),
            };
            let relation = against.relation();
            rows.extend(found.into_iter().map(|row| Row { relation, ..row }));
        }
        rows.extend(self.without_base(new));
        rows.sort_by_key(Row::key);
        rows
    }

    /// What no run of the base says anything of.
    fn without_base(&self, new: &Run) -> Vec<Row> {
        let measured: Vec<Scenario> = new.measured().collect();
        let missing = Metric::ALL.into_iter().filter(|metric| self.against(*metric).is_none());
        let missing = missing.filter(|metric| new.parameters.measures(*metric));
        missing.flat_map(|metric| measured.iter().map(move |one| Row::nothing(*one, metric))).collect()
    }
}

/// The same runs, and not only equal ones.
fn is_same(one: &[&Run], other: &[&Run]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| std::ptr::eq(*one, *other))
}

/// What is judged together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// These metrics.
    pub(super) metrics: &'a [Metric],
    /// With this share of the probability of an error.
    pub(super) share: f64,
    /// What is slower by less is the same.
    pub(super) margins: &'a Margins,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        gate::{FactsPolicy, Options, Outcome, Verdict},
        random::Random,
        result::Accepted,
        testdata::{self, World},
    };

    fn run(seed: u64, slower: f64) -> Run {
        let world = World { slower, ..World::quiet(0.01) };
        Run { started_at_s: 1_800_000_000 + seed, ..testdata::run(&mut Random::new(seed), 20, &world) }
    }

    fn accepted(run: Run, at_s: u64, metrics: &[Metric]) -> Run {
        let accepted = Accepted { reason: format!("at {at_s}"), at_s, metrics: metrics.to_vec() };
        Run { accepted: Some(accepted), ..run }
    }

    fn compare(base: &[Run], new: &Run) -> gate::Comparison {
        gate::compare(base, new, &Options::default(), &mut Tails::default()).unwrap()
    }

    #[test]
    fn one_metric_has_its_new_level_and_the_others_keep_theirs() {
        use Metric::{PacketRate, Throughput};
        let (first, slow) = (accepted(run(1, 0.0), 1, &[]), run(2, 0.12));
        let [rate, other] = [PacketRate, Throughput].map(|metric| accepted(slow.clone(), 2, &[metric]));
        let verdict = |base: &[Run], new: &Run| {
            let found = compare(base, new);
            let row = found.rows.iter().find(|row| row.metric == PacketRate).unwrap();
            (row.verdict, found.outcome(FactsPolicy::Default))
        };
        let base = [first.clone(), rate.clone()];
        assert_eq!(verdict(&base[..1], &run(3, 0.12)), (Verdict::Worse, Outcome::Warn));
        // It is the level now; what gets slower from there is slower.
        assert_eq!(verdict(&base, &run(3, 0.12)), (Verdict::Same, Outcome::Pass));
        assert_eq!(verdict(&base, &run(4, 0.25)).0, Verdict::Worse);
        assert_eq!(verdict(&base, &run(5, 0.0)).0, Verdict::Better);
        // Of another metric it says nothing.
        assert_eq!(verdict(&[first.clone(), other], &run(3, 0.12)).0, Verdict::Worse);
        let basis = Basis::of(&base, &slow).unwrap();
        assert_eq!(basis.levels(), [(vec![PacketRate], "at 2".to_owned())]);
        assert!(std::ptr::eq(basis.run().unwrap(), &raw const base[1]), "its facts were accepted with it");
        assert_eq!((basis.looks(), basis.relation()), (LOOKS.to_vec(), Relation::OneSession));
        let rows = compare(&base, &run(3, 0.12)).rows;
        let metrics: Vec<Metric> = rows.iter().map(|row| row.metric).collect();
        assert_eq!(metrics, Metric::ALL[..5]);
        // Runs that were accepted after it count for all.
        let later = accepted(run(6, 0.12), 3, &[]);
        let basis = [first, rate, later];
        assert_eq!(counting(&basis, PacketRate).len(), 2);
        assert_eq!(counting(&basis, Throughput).len(), 2);
        assert_eq!(verdict(&basis, &run(7, 0.12)).0, Verdict::Same);
    }

    #[test]
    fn what_no_run_of_a_baseline_speaks_of_is_unknown() {
        let base = [accepted(run(1, 0.0), 1, &[Metric::PacketRate])];
        let found = compare(&base, &run(2, 0.0));
        assert_eq!(found.outcome(FactsPolicy::Default), Outcome::Unknown);
        let of = |metric| found.rows.iter().find(|row| row.metric == metric).unwrap();
        assert_eq!(of(Metric::PacketRate).verdict, Verdict::Same);
        assert_eq!(of(Metric::Throughput).why, Some(gate::Why::Missing));
        assert_eq!(found.rows.len(), 5);
    }

    #[test]
    fn a_level_of_another_day_warns_and_one_of_today_fails() {
        let mut old = accepted(run(1, 0.0), 1, &[]);
        old.started_at_s -= 86_400;
        let base = [old, accepted(run(2, 0.12), 2, &[Metric::PacketRate])];
        let both = compare(&base, &run(3, 0.25)).confirm(compare(&base, &run(4, 0.25)));
        assert_eq!((both.relation, both.outcome(FactsPolicy::Default)), (Relation::Advisory, Outcome::Fail));
        let row = |metric| both.rows.iter().find(|row| row.metric == metric).unwrap().relation;
        assert_eq!(row(Metric::Throughput), Relation::Advisory);
        assert_eq!(row(Metric::PacketRate), Relation::OneSession);
        // Another machine is one, whichever metric its run is for.
        let mut other = base;
        other[1].machine.cores = 64;
        let refused = gate::compare(&other, &run(5, 0.0), &Options::default(), &mut Tails::default());
        assert_eq!(refused.unwrap_err().len(), 1);
    }
}
