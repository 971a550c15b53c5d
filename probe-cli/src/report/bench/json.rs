//! `--format json`.

use serde::Serialize;

use super::{Gate, words};
use crate::bench::{
    gate::{Outcome, Relation, Summary, Verdict},
    result::SCHEMA_VERSION,
};

#[derive(Serialize)]
struct Document {
    schema_version: u32,
    outcome: &'static str,
    summary: String,
    /// Of metrics that have none of their own.
    max_regression: f64,
    advisory: bool,
    rows: Vec<Entry>,
    facts: Vec<Fact>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Entry {
    scenario: &'static str,
    metric: &'static str,
    gates: bool,
    /// What is slower by less than this share is the same.
    max_regression: f64,
    base: Option<Measured>,
    new: Option<Measured>,
    /// New over base, less one; null where it cannot be told.
    change: Option<f64>,
    /// Its bounds; null where there is none.
    change_low: Option<f64>,
    change_high: Option<f64>,
    verdict: &'static str,
    confirmed: Option<bool>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Measured {
    ratio: f64,
    /// Half of the interval of 95 %, as a share; null with too few rounds.
    error: Option<f64>,
    rounds: usize,
    thrown_away: usize,
    standard_deviation: Option<f64>,
}

#[derive(Serialize)]
struct Fact {
    scenario: &'static str,
    weight: &'static str,
    likely_cause: bool,
    text: String,
}

/// The document, with a line end.
pub fn json(gate: &Gate<'_>) -> Result<String, serde_json::Error> {
    let comparison = gate.comparison;
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let rows = comparison.rows.iter().map(|row| {
        let bounds = row.growth.as_ref().map(|growth| words::interval(row.metric, growth));
        Entry {
            scenario: row.scenario.name(),
            metric: row.metric.name(),
            gates: row.metric.gates(),
            max_regression: comparison.margins.of(row.metric),
            base: row.base.as_ref().map(measured),
            new: row.new.as_ref().map(measured),
            change: row.growth.as_ref().and_then(|growth| finite(row.metric.change(growth.estimate))),
            change_low: bounds.and_then(|[low, _]| finite(low)),
            change_high: bounds.and_then(|[_, high]| finite(high)),
            verdict: match row.verdict {
                Verdict::Same => "same",
                Verdict::Better => "better",
                Verdict::Worse => "worse",
                Verdict::Inconclusive => "inconclusive",
            },
            confirmed: comparison.confirmed.as_ref().map(|keys| keys.contains(&row.key())),
            reason: words::why(row),
        }
    });
    let facts = comparison.changes.iter().map(|change| Fact {
        scenario: change.scenario.name(),
        weight: words::weight(change),
        likely_cause: words::is_first_cause(comparison, change),
        text: words::fact(change),
    });
    crate::report::document(&Document {
        schema_version: SCHEMA_VERSION,
        outcome: match gate.outcome() {
            Outcome::Pass => "pass",
            Outcome::Warn => "warn",
            Outcome::Unknown => "unknown",
            Outcome::Fail => "fail",
        },
        summary: words::last_line(gate).text,
        max_regression: comparison.margins.all(),
        advisory: comparison.relation == Relation::Advisory,
        rows: rows.collect(),
        facts: facts.collect(),
        notes: words::notes(gate),
    })
}

fn measured(summary: &Summary) -> Measured {
    Measured {
        ratio: summary.ratio,
        error: Some(summary.error).filter(|error| error.is_finite()),
        rounds: summary.rounds,
        thrown_away: summary.thrown,
        standard_deviation: summary.spread,
    }
}
