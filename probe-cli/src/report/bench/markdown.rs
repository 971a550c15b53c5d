//! `--format markdown`: for pull requests.

use std::fmt::Write as _;

use super::{Gate, words};

/// The document.
pub fn markdown(gate: &Gate<'_>) -> String {
    let comparison = gate.comparison;
    let last = words::last_line(gate);
    let mut out = format!("**{}** {}\n\n", last.word, cell(&last.text));
    out.push_str("| Overlay / host | Base | New | Change | Verdict |\n|---|---|---|---|---|\n");
    for row in &comparison.rows {
        let verdict = words::verdict(row);
        let verdict = if row.metric.gates() { verdict.to_owned() } else { format!("({verdict})") };
        let _ = writeln!(
            out,
            "| {} {} | {} | {} | {} | {verdict} |",
            row.scenario,
            words::row_title(row),
            words::side(row.base.as_ref()),
            words::side(row.new.as_ref()),
            cell(&words::change(row)),
        );
    }
    if !comparison.changes.is_empty() {
        out.push_str("\nFacts that changed:\n\n");
    }
    for change in &comparison.changes {
        let mark = if words::is_first_cause(comparison, change) { " (likely cause)" } else { "" };
        let _ = writeln!(out, "- {}: {}{mark}", change.scenario, cell(&words::fact(change)));
    }
    let notes = words::notes(gate);
    if !notes.is_empty() {
        out.push('\n');
    }
    for note in notes {
        let _ = writeln!(out, "> {}", cell(&note));
    }
    out
}

/// Text that ends no cell, starts no element and strikes nothing through. Names in it are escaped already.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('~', "\\~")
}
