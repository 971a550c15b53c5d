//! `check --format markdown`: for tickets and chats.

use std::fmt::Write as _;

use super::{Health, one_line, severity, word};
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
    let mut commands = Vec::new();
    for row in findings.into_iter().rev() {
        let Outcome::Judged(found) = &row.outcome else { continue };
        for finding in found {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                severity(finding.severity),
                row.check.id,
                cell(&finding.summary),
                cell(&finding.fix.text)
            );
            commands
                .extend(finding.fix.commands.iter().map(|command| format!("{command}  # {}", row.check.id)));
        }
    }
    if !commands.is_empty() {
        // In a table a command would have to be changed to be shown.
        let _ = writeln!(out, "\n```\n{}\n```", commands.join("\n"));
    }
    let missing: Vec<String> = health
        .judgement
        .rows
        .iter()
        .filter_map(|row| match &row.outcome {
            Outcome::NotJudged(why) => Some(format!("- {}: {}", row.check.id, cell(&one_line(why)))),
            Outcome::Judged(_) | Outcome::DoesNotApply(_) => None,
        })
        .collect();
    if !missing.is_empty() {
        let _ = writeln!(out, "\nNot judged:\n\n{}", missing.join("\n"));
    }
    out
}

/// Text that ends no cell and starts no element. Names in it are escaped already.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
