//! Runs checks over a model: each by itself, then causes swallow their symptoms, then the verdict.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{Acceptances, Accepted, Check, Finding, Outcome, Severity, SubjectKind};
use crate::{model::Model, text};

/// The node's state, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that was judged is well.
    Ok,
    /// At least one warning.
    Warn,
    /// At least one failure.
    Fail,
    /// Nothing is known to be wrong, but a check that the verdict rests on could not be judged.
    Unknown,
}

/// A check with what it came to.
#[derive(Clone, Debug)]
pub struct Row {
    /// The check.
    pub check: &'static Check,
    /// What it came to.
    pub outcome: Outcome,
    /// The check whose finding is the cause of this one's.
    pub explained_by: Option<&'static str>,
    /// Findings that somebody has accepted: they are not in the outcome.
    pub accepted: Vec<Accepted>,
}

/// What all checks came to, in the registry's order.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// See [`Row`].
    pub rows: Vec<Row>,
}

/// How many checks came to what. They add up to those that were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Judged, and nothing is wrong.
    pub passed: usize,
    /// With warnings only.
    pub warned: usize,
    /// With a failure.
    pub failed: usize,
    /// Symptoms of another one's finding.
    pub explained: usize,
    /// With accepted findings only.
    pub accepted: usize,
    /// Could not be judged.
    pub not_judged: usize,
    /// About nothing that is here.
    pub not_applicable: usize,
}

/// Runs these checks. One that fails to run is not judged, and stops no other.
pub fn run(model: &Model, checks: impl IntoIterator<Item = &'static Check>) -> Judgement {
    run_with(model, checks, &Acceptances::default())
}

/// Runs these checks, and takes out what is accepted. An accepted finding explains no other: who accepts a cause has not yet
/// said that its symptoms are well.
pub fn run_with(
    model: &Model,
    checks: impl IntoIterator<Item = &'static Check>,
    accepted: &Acceptances,
) -> Judgement {
    let mut judgement =
        Judgement { rows: checks.into_iter().map(|check| row(model, check, accepted)).collect() };
    relate(&mut judgement.rows);
    judgement
}

/// One check by itself.
pub(super) fn row(model: &Model, check: &'static Check, accepted: &Acceptances) -> Row {
    match judge(model, check) {
        Outcome::Judged(findings) => {
            let (alarms, accepted) = accepted.split(check.id, findings, model.time);
            Row { check, outcome: Outcome::Judged(alarms), explained_by: None, accepted }
        }
        outcome @ (Outcome::DoesNotApply(_) | Outcome::NotJudged(_)) => {
            Row { check, outcome, explained_by: None, accepted: Vec::new() }
        }
    }
}

/// Finds out which of these checks' findings are the cause of which.
pub(super) fn relate(rows: &mut [Row]) {
    let found: BTreeMap<&str, &[Finding]> = rows.iter().map(|row| (row.check.id, row.findings())).collect();
    let explained: Vec<Option<&'static str>> = rows
        .iter()
        .map(|row| {
            let mut causes = row.check.explained_by.iter().copied();
            causes.find(|cause| found.get(cause).is_some_and(|cause| explains(cause, row.findings())))
        })
        .collect();
    for (row, cause) in rows.iter_mut().zip(explained) {
        row.explained_by = cause;
    }
}

/// Whether these causes are why all of these symptoms are there: each symptom has a cause on its interface that is no less bad,
/// and what is wrong with one peer explains what is seen of one peer.
fn explains(causes: &[Finding], symptoms: &[Finding]) -> bool {
    let mut free: Vec<&Finding> = causes.iter().collect();
    let mut has_cause = |symptom: &Finding| {
        let is_where = |cause: &Finding| {
            let (here, there) = (&symptom.devices, &cause.devices);
            here.is_empty() || there.is_empty() || here.iter().any(|ifindex| there.contains(ifindex))
        };
        let found = free.iter().position(|cause| cause.severity >= symptom.severity && is_where(cause));
        let Some(at) = found else { return false };
        let kinds = [free[at], symptom].map(|finding| finding.subject.kind);
        if kinds == [SubjectKind::Peer; 2] {
            free.remove(at);
        }
        true
    };
    !symptoms.is_empty() && symptoms.iter().all(&mut has_cause)
}

fn judge(model: &Model, check: &Check) -> Outcome {
    if let Some(why) = check.needs.iter().find_map(|need| need.unasked(model)) {
        return Outcome::DoesNotApply(why);
    }
    if let Some(why) = check.needs.iter().find_map(|need| need.missing(model)) {
        return Outcome::NotJudged(why);
    }
    // A check reads and returns: there is nothing that a panic could leave half done.
    catch_unwind(AssertUnwindSafe(|| (check.run)(model)))
        .unwrap_or_else(|_| Outcome::NotJudged("this check failed to run; please report it".to_owned()))
}

impl Row {
    /// What was found and is an alarm or a symptom of one.
    pub fn findings(&self) -> &[Finding] {
        match &self.outcome {
            Outcome::Judged(findings) => findings,
            Outcome::DoesNotApply(_) | Outcome::NotJudged(_) => &[],
        }
    }

    /// The worst of its findings; none when there is none.
    pub fn severity(&self) -> Option<Severity> {
        self.findings().iter().map(|finding| finding.severity).max()
    }
}

/// Checks in few words: `mtu-pods-differ and 3 more`.
pub fn named(ids: &[&str]) -> String {
    match ids {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, more @ ..] => format!("{one} and {} more", more.len()),
    }
}

impl Severity {
    /// The word in front of a finding, for people.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

impl Judgement {
    /// See [`Counts`].
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in &self.rows {
            let count = match (&row.outcome, row.severity()) {
                (Outcome::NotJudged(_), _) => &mut counts.not_judged,
                (Outcome::DoesNotApply(_), _) => &mut counts.not_applicable,
                (Outcome::Judged(_), Some(_)) if row.explained_by.is_some() => &mut counts.explained,
                (Outcome::Judged(_), Some(Severity::Fail)) => &mut counts.failed,
                (Outcome::Judged(_), Some(Severity::Warn)) => &mut counts.warned,
                (Outcome::Judged(_), None) if row.accepted.is_empty() => &mut counts.passed,
                (Outcome::Judged(_), None) => &mut counts.accepted,
            };
            *count += 1;
        }
        counts
    }

    /// The verdict: a failure before a warning before what could not be judged. With `strict` everything that could not be
    /// judged counts, else only what the verdict rests on.
    pub fn verdict(&self, strict: bool) -> Verdict {
        let counts = self.counts();
        let unknown = |row: &Row| matches!(row.outcome, Outcome::NotJudged(_)) && (strict || row.check.core);
        if counts.failed > 0 {
            Verdict::Fail
        } else if counts.warned > 0 {
            Verdict::Warn
        } else if self.rows.iter().any(unknown) {
            Verdict::Unknown
        } else {
            Verdict::Ok
        }
    }

    /// Rows with findings that no other explains, the worst last.
    pub fn findings(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> =
            self.rows.iter().filter(|row| row.severity().is_some() && row.explained_by.is_none()).collect();
        rows.sort_by_key(|row| row.severity());
        rows
    }

    /// What could not be judged, by the reason: why, and the ids of the checks.
    pub fn not_judged(&self) -> Vec<(String, Vec<&'static str>)> {
        text::by_sentence(self.rows.iter().filter_map(|row| {
            let Outcome::NotJudged(why) = &row.outcome else { return None };
            Some((why.clone(), row.check.id))
        }))
    }

    /// Ids of the checks whose findings this one explains.
    pub fn symptoms_of(&self, id: &str) -> Vec<&'static str> {
        self.rows.iter().filter(|row| row.explained_by == Some(id)).map(|row| row.check.id).collect()
    }
}
