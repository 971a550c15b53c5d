//! `check --format nagios`: one line, as monitoring plugins print it (Monitoring Plugins Development Guidelines).

use super::{Health, subjects};
use crate::check::{Outcome, Verdict};

/// `OVERLAY CRITICAL - mtu-pod-exceeds-tunnel (flannel-wg) | failed=1 warn=1`, with a line end.
pub fn nagios(health: &Health<'_>) -> String {
    let word = match health.verdict {
        Verdict::Ok => "OK",
        Verdict::Warn => "WARNING",
        Verdict::Fail => "CRITICAL",
        Verdict::Unknown => "UNKNOWN",
    };
    let findings: Vec<String> = health
        .judgement
        .findings()
        .into_iter()
        .rev()
        .filter_map(|row| match &row.outcome {
            Outcome::Judged(findings) => Some(format!("{} ({})", row.check.id, subjects(findings))),
            Outcome::DoesNotApply(_) | Outcome::NotJudged(_) => None,
        })
        .collect();
    let counts = health.judgement.counts();
    let text = if findings.is_empty() { health.counts() } else { findings.join(", ") };
    // A bar would end the text.
    format!(
        "OVERLAY {word} - {} | failed={} warn={} not_judged={}\n",
        text.replace('|', "/"),
        counts.failed,
        counts.warned,
        counts.not_judged
    )
}
