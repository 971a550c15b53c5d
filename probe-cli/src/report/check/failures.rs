//! What goes wrong with pod networks, and which checks find it: a page in `docs/checks`.

use std::fmt::Write as _;

use crate::check::{CATALOGUE, Failure, Need, REGISTRY};

/// The page, Markdown.
pub fn failures_page() -> String {
    let all = || CATALOGUE.iter().flat_map(|area| area.failures);
    let (count, seen) = (all().count(), all().filter(|failure| !failure.checks.is_empty()).count());
    let mut out = format!(
        "<!-- Made from the list of failures; a test holds that they agree. -->\n\n# What is found, and what is not\n\n\
         Failures of pod networks that people have reported for RKE2, k3s and their CNIs. {seen} of {count} are found by a check; for \
         the others, and for those that are found under conditions only, the table says why. `overlay-probe check` reads one \
         node: it asks no API server and sends no packet. It looks at packets, and sends probes, when it is asked to \
         (`--with-traffic`, `--probe`).\n"
    );
    for area in CATALOGUE {
        let _ = writeln!(out, "\n## {}\n\n| What goes wrong | Found by |\n| --- | --- |", area.title);
        for failure in area.failures {
            let _ = writeln!(out, "| {} | {} |", failure.what, found_by(failure));
        }
    }
    out
}

fn found_by(failure: &Failure) -> String {
    let checks: Vec<String> = failure.checks.iter().map(|id| link(id)).collect();
    let checks = checks.join(", ");
    match failure.missed {
        None => checks,
        Some((why, words)) if checks.is_empty() => format!("- ({}: {words})", why.words()),
        Some((why, words)) => format!("{checks}; not always ({}: {words})", why.words()),
    }
}

/// A link to what a check's page says, and what has to be asked for.
fn link(id: &str) -> String {
    let check = REGISTRY.iter().find(|check| check.id == id);
    let page = check.map_or("", |check| check.family.name());
    let needs = check.map(|check| check.needs).unwrap_or_default();
    let asked = [
        (Need::Traffic, " (`--with-traffic`)"),
        (Need::ProbedFlows, " (`--probe --flows 16`)"),
        (Need::Probes, " (`--probe`)"),
        (Need::Planned, " (`--for wireguard`)"),
    ];
    let asked = asked.iter().find(|(need, _)| needs.contains(need)).map_or("", |(_, words)| words);
    format!("[{id}]({page}.md#{id}){asked}")
}
