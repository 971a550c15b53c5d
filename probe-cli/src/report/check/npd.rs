//! `check --format npd`: one line for node-problem-detector's custom plugin monitor, which takes 80 characters.

use super::{Health, subjects};
use crate::check::{Outcome, Verdict};

/// What the monitor keeps of a line (`max_output_length` of its configuration).
const LENGTH: usize = 80;

/// The worst finding, or that all is well; with a line end.
pub fn npd(health: &Health<'_>) -> String {
    let worst = health.judgement.findings().into_iter().next_back().and_then(|row| match &row.outcome {
        Outcome::Judged(findings) => Some(format!("{}: {}", row.check.id, subjects(findings))),
        Outcome::DoesNotApply(_) | Outcome::NotJudged(_) => None,
    });
    let line = match (health.verdict, worst) {
        (_, Some(worst)) => worst,
        (Verdict::Unknown, None) => {
            format!("unknown: {} checks not judged", health.judgement.counts().not_judged)
        }
        (Verdict::Ok | Verdict::Warn | Verdict::Fail, None) => "overlay network is healthy".to_owned(),
    };
    ascii(&line) + "\n"
}

/// At most [`LENGTH`] bytes of ASCII, which is what the monitor counts.
fn ascii(line: &str) -> String {
    let line: String = line.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    if line.len() <= LENGTH { line } else { format!("{}...", &line[..LENGTH - 3]) }
}
