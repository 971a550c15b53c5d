//! The health check as text for people and as documents for machines, a file for each format.

mod changes;
mod earlier;
mod explain;
mod failures;
mod faults;
mod json;
mod junit;
mod markdown;
mod nagios;
mod npd;
mod sarif;
mod table;
#[cfg(test)]
mod tests;

pub use changes::{changes, since};
pub use earlier::{Earlier, ReadError, read};
pub use explain::{explain, list, page};
pub use failures::failures_page;
pub use faults::{faults, faults_page};
pub use json::{json, unknown};
pub use junit::junit;
pub use markdown::markdown;
pub use nagios::nagios;
pub use npd::npd;
pub use sarif::sarif;
pub use table::{last_line, table};

use crate::{
    check::{Acceptance, Changes, Finding, Judgement, Severity, Verdict},
    model::Model,
    text,
};

/// Why something could not be judged: names in it may be as a recording has them.
fn one_line(why: &str) -> String {
    text::escape_lines(why).replace('\n', " ")
}

/// What is printed.
#[derive(Clone, Copy, Debug)]
pub struct Health<'a> {
    /// The node.
    pub model: &'a Model,
    /// What its checks came to.
    pub judgement: &'a Judgement,
    /// The verdict.
    pub verdict: Verdict,
    /// Seconds that it took.
    pub took_s: f64,
    /// What became of findings since an earlier look, where there is one.
    pub since: Option<&'a Changes>,
}

impl Health<'_> {
    /// `1 failed, 1 warning, 58 passed, 1 not judged, 12 do not apply`: what is zero is left out, but for what passed.
    fn counts(&self) -> String {
        const PASSED: &str = "passed";
        let counts = self.judgement.counts();
        let parts = [
            (counts.failed, "failed"),
            (counts.warned, if counts.warned == 1 { "warning" } else { "warnings" }),
            (counts.explained, "explained by others"),
            (counts.accepted, "accepted"),
            (counts.passed, PASSED),
            (counts.not_judged, "not judged"),
            (
                counts.not_applicable,
                if counts.not_applicable == 1 { "does not apply" } else { "do not apply" },
            ),
        ];
        let parts = parts.into_iter().filter(|(count, words)| *count > 0 || *words == PASSED);
        let parts: Vec<String> = parts.map(|(count, words)| format!("{count} {words}")).collect();
        parts.join(", ")
    }

    /// Name of the node; escaped.
    fn node(&self) -> String {
        let name = self.model.inventory.node.hostname.as_deref();
        name.map_or_else(|| "this node".to_owned(), text::escape)
    }
}

/// The verdict's word: at the start of the last line.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "OK",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
        Verdict::Unknown => "UNKNOWN",
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Warn => "warn",
        Severity::Fail => "fail",
    }
}

/// Why an accepted finding is no alarm; escaped.
fn agreed(acceptance: &Acceptance) -> String {
    format!("accepted until {}: {}", acceptance.until, text::escape(&acceptance.reason))
}

/// Names of what findings are about: three, and how many more. Escaped.
fn subjects(findings: &[Finding]) -> String {
    let mut names: Vec<String> =
        findings.iter().take(3).map(|finding| text::escape(&finding.subject.name)).collect();
    names.dedup();
    match findings.len().checked_sub(3).filter(|more| *more > 0) {
        Some(more) => format!("{} and {more} more", names.join(", ")),
        None => names.join(", "),
    }
}
