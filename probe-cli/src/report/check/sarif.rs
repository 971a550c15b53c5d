//! `check --format sarif`: SARIF 2.1.0 (OASIS), for code scanning services.

use serde_json::{Value, json};

use super::Health;
use crate::{
    check::{Outcome, Severity},
    text,
};

/// The document, with a line end.
pub fn sarif(health: &Health<'_>) -> Result<String, serde_json::Error> {
    let rows = &health.judgement.rows;
    let rules: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.check.id,
                "shortDescription": {"text": row.check.title},
                "fullDescription": {"text": row.check.symptom},
                "help": {"text": row.check.explain.fix},
            })
        })
        .collect();
    let mut results = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let Outcome::Judged(findings) = &row.outcome else { continue };
        let accepted = row.accepted.iter().map(|one| (&one.finding, Some(&one.acceptance)));
        for (finding, acceptance) in findings.iter().map(|finding| (finding, None)).chain(accepted) {
            let level = match finding.severity {
                Severity::Warn => "warning",
                Severity::Fail => "error",
            };
            // A finding that another one explains is no alarm of its own, and neither is one that somebody has accepted.
            let why = match (acceptance, row.explained_by) {
                (Some(acceptance), _) => Some(super::agreed(acceptance)),
                (None, Some(cause)) => Some(format!("explained by {cause}")),
                (None, None) => None,
            };
            let suppressions: Vec<Value> =
                why.into_iter().map(|why| json!({"kind": "external", "justification": why})).collect();
            results.push(json!({
                "suppressions": suppressions,
                "ruleId": row.check.id,
                "ruleIndex": number,
                "level": level,
                "message": {"text": format!("{} Fix: {}", finding.summary, finding.fix.text)},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": "node"}}, "logicalLocations": [{
                    "name": finding.subject.name,
                    "fullyQualifiedName": format!("{}/{}", health.node(), finding.subject.name),
                    "kind": "resource",
                }]}],
            }));
        }
    }
    let document = json!({
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "overlay-probe", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
        }],
    });
    Ok(text::escape_json(serde_json::to_string(&document)?) + "\n")
}
