//! `check --format json`.

use serde::Serialize;

use super::{Health, severity};
use crate::check::{self, Acceptance, Accepted, Became, Changes, Key, Outcome, Row, SubjectKind, Verdict};

/// Version of the documents.
pub(super) const SCHEMA_VERSION: u32 = 1;

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
    /// What `--since` compares; null without it.
    since: Option<Since<'a>>,
}

#[derive(Default, Serialize)]
struct Numbers {
    passed: usize,
    warned: usize,
    failed: usize,
    explained: usize,
    accepted: usize,
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
    accepted: Option<Agreed<'a>>,
}

#[derive(Serialize)]
struct Agreed<'a> {
    reason: &'a str,
    until: String,
}

#[derive(Default, Serialize)]
struct Since<'a> {
    new: Vec<Which<'a>>,
    worse: Vec<Which<'a>>,
    better: Vec<Which<'a>>,
    resolved: Vec<Which<'a>>,
    not_judged: Vec<Which<'a>>,
    same: usize,
}

#[derive(Serialize)]
struct Which<'a> {
    id: &'a str,
    subject: Subject<'a>,
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
            Outcome::Judged(found) if found.is_empty() && row.accepted.is_empty() => passed.push(id),
            Outcome::Judged(found) => {
                findings.extend(found.iter().map(|finding| entry(health, row, finding)));
                findings.extend(row.accepted.iter().map(|Accepted { finding, acceptance }| Entry {
                    causes: Vec::new(),
                    explained_by: None,
                    accepted: Some(acceptance.into()),
                    ..entry(health, row, finding)
                }));
            }
            Outcome::NotJudged(why) => not_judged.push(Missing { id, why }),
            Outcome::DoesNotApply(why) => not_applicable.push(Missing { id, why }),
        }
    }
    let counts = health.judgement.counts();
    super::super::document(&Document {
        schema_version: SCHEMA_VERSION,
        verdict: verdict(health.verdict),
        reason: None,
        counts: Numbers {
            passed: counts.passed,
            warned: counts.warned,
            failed: counts.failed,
            explained: counts.explained,
            accepted: counts.accepted,
            not_judged: counts.not_judged,
            not_applicable: counts.not_applicable,
        },
        node: health.model.inventory.node.hostname.as_deref(),
        duration_s: health.took_s,
        findings,
        not_judged,
        passed,
        not_applicable,
        since: health.since.map(Since::from),
    })
}

fn entry<'a>(health: &Health<'_>, row: &Row, finding: &'a check::Finding) -> Entry<'a> {
    // By devices causes find their symptoms; their names are in the texts.
    let check::Finding { severity: how_bad, subject, devices: _, summary, evidence, fix } = finding;
    Entry {
        id: row.check.id,
        severity: severity(*how_bad),
        subject: subject.into(),
        summary,
        symptom: row.check.symptom,
        evidence: evidence.iter().map(Evidence::from).collect(),
        causes: health.judgement.symptoms_of(row.check.id),
        explained_by: row.explained_by,
        fix: fix.into(),
        accepted: None,
    }
}

/// The document of a node that could not be looked at.
pub fn unknown(reason: &str) -> Result<String, serde_json::Error> {
    super::super::document(&Document {
        schema_version: SCHEMA_VERSION,
        verdict: verdict(Verdict::Unknown),
        reason: Some(reason.to_owned()),
        counts: Numbers::default(),
        node: None,
        duration_s: 0.0,
        findings: Vec::new(),
        not_judged: Vec::new(),
        passed: Vec::new(),
        not_applicable: Vec::new(),
        since: None,
    })
}

/// What a subject's kind is called.
pub(super) const KINDS: [(SubjectKind, &str); 6] = [
    (SubjectKind::Node, "node"),
    (SubjectKind::Interface, "interface"),
    (SubjectKind::Peer, "peer"),
    (SubjectKind::Pod, "pod"),
    (SubjectKind::File, "file"),
    (SubjectKind::Setting, "setting"),
];

fn kind(kind: SubjectKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("node", |(_, word)| word)
}

impl<'a> From<&'a check::Subject> for Subject<'a> {
    fn from(subject: &'a check::Subject) -> Self {
        let check::Subject { kind, name } = subject;
        Self { kind: self::kind(*kind), name }
    }
}

impl<'a> From<&'a Acceptance> for Agreed<'a> {
    fn from(acceptance: &'a Acceptance) -> Self {
        let Acceptance { reason, until, .. } = acceptance;
        Self { reason, until: until.to_string() }
    }
}

impl<'a> From<&'a Changes> for Since<'a> {
    fn from(changes: &'a Changes) -> Self {
        let mut since = Self { same: changes.same, ..Self::default() };
        for change in &changes.changes {
            let list = match &change.became {
                Became::New { .. } => &mut since.new,
                Became::Other { before, .. } if *before < change.severity => &mut since.worse,
                Became::Other { .. } => &mut since.better,
                Became::Resolved => &mut since.resolved,
                Became::NotJudged { .. } => &mut since.not_judged,
            };
            let Key { id, kind, name } = &change.key;
            list.push(Which { id, subject: Subject { kind: self::kind(*kind), name } });
        }
        since
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
