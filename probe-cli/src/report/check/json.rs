//! `check --format json`.

use serde::Serialize;

use super::{Health, severity};
use crate::check::{self, Finding, Outcome, SubjectKind, Verdict};

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    verdict: &'static str,
    /// Why there is no verdict; null when there is one.
    reason: Option<String>,
    counts: Numbers,
    node: Option<&'a str>,
    duration_s: f64,
    findings: Vec<Entry<'a>>,
    not_judged: Vec<Missing<'a>>,
    passed: Vec<&'static str>,
    not_applicable: Vec<Missing<'a>>,
}

#[derive(Default, Serialize)]
struct Numbers {
    passed: usize,
    warned: usize,
    failed: usize,
    explained: usize,
    not_judged: usize,
    not_applicable: usize,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'static str,
    severity: &'static str,
    subject: Subject<'a>,
    summary: &'a str,
    symptom: &'static str,
    evidence: Vec<Evidence<'a>>,
    causes: Vec<&'static str>,
    explained_by: Option<&'static str>,
    fix: Fix<'a>,
}

#[derive(Serialize)]
struct Subject<'a> {
    kind: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
struct Evidence<'a> {
    what: &'a str,
    value: &'a str,
    source: &'a str,
}

#[derive(Serialize)]
struct Fix<'a> {
    text: &'a str,
    commands: &'a [String],
    elsewhere: bool,
}

#[derive(Serialize)]
struct Missing<'a> {
    id: &'static str,
    why: &'a str,
}

/// The document, with a line end. Each finding is an entry; those of one check follow each other.
pub fn json(health: &Health<'_>) -> Result<String, serde_json::Error> {
    let rows = &health.judgement.rows;
    let mut findings = Vec::new();
    let (mut not_judged, mut passed, mut not_applicable) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let id = row.check.id;
        match &row.outcome {
            Outcome::Judged(found) if found.is_empty() => passed.push(id),
            Outcome::Judged(found) => findings.extend(found.iter().map(|finding| {
                let Finding { severity: how_bad, subject, summary, evidence, fix } = finding;
                Entry {
                    id,
                    severity: severity(*how_bad),
                    subject: subject.into(),
                    summary,
                    symptom: row.check.symptom,
                    evidence: evidence.iter().map(Evidence::from).collect(),
                    causes: health.judgement.symptoms_of(id),
                    explained_by: row.explained_by,
                    fix: fix.into(),
                }
            })),
            Outcome::NotJudged(why) => not_judged.push(Missing { id, why }),
            Outcome::DoesNotApply(why) => not_applicable.push(Missing { id, why }),
        }
    }
    let counts = health.judgement.counts();
    super::super::document(&Document {
        schema_version: 1,
        verdict: verdict(health.verdict),
        reason: None,
        counts: Numbers {
            passed: counts.passed,
            warned: counts.warned,
            failed: counts.failed,
            explained: counts.explained,
            not_judged: counts.not_judged,
            not_applicable: counts.not_applicable,
        },
        node: health.model.inventory.node.hostname.as_deref(),
        duration_s: health.took_s,
        findings,
        not_judged,
        passed,
        not_applicable,
    })
}

/// The document of a node that could not be looked at.
pub fn unknown(reason: &str) -> Result<String, serde_json::Error> {
    super::super::document(&Document {
        schema_version: 1,
        verdict: verdict(Verdict::Unknown),
        reason: Some(reason.to_owned()),
        counts: Numbers::default(),
        node: None,
        duration_s: 0.0,
        findings: Vec::new(),
        not_judged: Vec::new(),
        passed: Vec::new(),
        not_applicable: Vec::new(),
    })
}

impl<'a> From<&'a check::Subject> for Subject<'a> {
    fn from(subject: &'a check::Subject) -> Self {
        let check::Subject { kind, name } = subject;
        let kind = match kind {
            SubjectKind::Node => "node",
            SubjectKind::Interface => "interface",
            SubjectKind::Peer => "peer",
            SubjectKind::Pod => "pod",
            SubjectKind::File => "file",
            SubjectKind::Setting => "setting",
        };
        Self { kind, name }
    }
}

impl<'a> From<&'a check::Evidence> for Evidence<'a> {
    fn from(evidence: &'a check::Evidence) -> Self {
        let check::Evidence { what, value, source } = evidence;
        Self { what, value, source }
    }
}

impl<'a> From<&'a check::Fix> for Fix<'a> {
    fn from(fix: &'a check::Fix) -> Self {
        let check::Fix { text, commands, elsewhere } = fix;
        Self { text, commands, elsewhere: *elsewhere }
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "fail",
        Verdict::Unknown => "unknown",
    }
}
