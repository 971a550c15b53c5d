//! `check --format markdown`: for tickets and chats.

use std::fmt::Write as _;

use super::{Health, severity, word};
use crate::check::Outcome;

/// The document.
pub fn markdown(health: &Health<'_>) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "**{}** {}: {}, in {:.1} s\n",
        word(health.verdict),
        cell(&health.node()),
        health.counts(),
        health.took_s
    );
    let findings = health.judgement.findings();
    if !findings.is_empty() {
        out.push_str("| | Check | What is wrong | Fix |\n|---|---|---|---|\n");
    }
    for row in findings.into_iter().rev() {
        let Outcome::Judged(found) = &row.outcome else { continue };
        for finding in found {
            let commands: Vec<String> =
                finding.fix.commands.iter().map(|command| format!("`{}`", cell(command))).collect();
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} {} |",
                severity(finding.severity),
                row.check.id,
                cell(&finding.summary),
                cell(&finding.fix.text),
                commands.join("<br>")
            );
        }
    }
    let missing: Vec<String> = health
        .judgement
        .rows
        .iter()
        .filter_map(|row| match &row.outcome {
            Outcome::NotJudged(why) => Some(format!("- {}: {}", row.check.id, cell(why))),
            Outcome::Judged(_) | Outcome::DoesNotApply(_) => None,
        })
        .collect();
    if !missing.is_empty() {
        let _ = writeln!(out, "\nNot judged:\n\n{}", missing.join("\n"));
    }
    out
}

/// Text that ends no cell and starts no element.
fn cell(text: &str) -> String {
    crate::text::escape(text).replace('|', "\\|").replace('<', "&lt;")
}
