//! `--format junit`: a test case for each metric that decides, and one for the facts of each scenario.

use std::fmt::Write as _;

use super::{Gate, words};
use crate::{
    bench::{
        explain::{Change, Weight},
        gate::{FactsPolicy, Row, Verdict},
        metric::Scenario,
    },
    report::xml,
};

/// A test case.
struct Case {
    class: String,
    name: String,
    outcome: Result<(), String>,
    skipped: Option<String>,
}

/// The document, with a line end.
pub fn junit(gate: &Gate<'_>) -> String {
    let cases = cases(gate);
    let failures = cases.iter().filter(|case| case.outcome.is_err()).count();
    let skipped = cases.iter().filter(|case| case.skipped.is_some()).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites><testsuite name=\"overlay-probe bench\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" \
         skipped=\"{skipped}\">",
        cases.len()
    );
    for case in &cases {
        let _ = write!(out, "<testcase classname=\"{}\" name=\"{}\"", xml(&case.class), xml(&case.name));
        match (&case.outcome, &case.skipped) {
            (Err(words), _) => {
                let words = xml(words);
                let _ = writeln!(out, "><failure message=\"{words}\">{words}</failure></testcase>");
            }
            (Ok(()), Some(why)) => {
                let _ = writeln!(out, "><skipped message=\"{}\"/></testcase>", xml(why));
            }
            (Ok(()), None) => out.push_str("/>\n"),
        }
    }
    out.push_str("</testsuite></testsuites>\n");
    out
}

fn cases(gate: &Gate<'_>) -> Vec<Case> {
    let comparison = gate.comparison;
    let mut cases: Vec<Case> =
        comparison.rows.iter().filter(|row| row.metric.gates()).map(|row| of_row(gate, row)).collect();
    for scenario in Scenario::ALL {
        if !comparison.rows.iter().any(|row| row.scenario == scenario) {
            continue;
        }
        let failing: Vec<String> = comparison
            .changes
            .iter()
            .filter(|change| change.scenario == scenario && fails(gate.facts, change))
            .map(words::fact)
            .collect();
        cases.push(Case {
            class: format!("overlay-probe.bench.{scenario}"),
            name: "facts".to_owned(),
            outcome: if failing.is_empty() { Ok(()) } else { Err(failing.join("; ")) },
            skipped: None,
        });
    }
    cases
}

fn of_row(gate: &Gate<'_>, row: &Row) -> Case {
    let comparison = gate.comparison;
    let is_confirmed = comparison.confirmed.as_ref().is_some_and(|keys| keys.contains(&row.key()));
    let words = words::sentence(row, comparison);
    let (outcome, skipped) = match row.verdict {
        Verdict::Same | Verdict::Better => (Ok(()), None),
        Verdict::Worse if is_confirmed => (Err(words), None),
        Verdict::Worse => (Ok(()), Some(format!("{words}; not confirmed"))),
        Verdict::Inconclusive => (Ok(()), Some(words)),
    };
    let class = format!("overlay-probe.bench.{}", row.scenario);
    Case { class, name: row.metric.name().to_owned(), outcome, skipped }
}

fn fails(policy: FactsPolicy, change: &Change) -> bool {
    match change.weight() {
        Weight::Informs => false,
        Weight::Warns => policy == FactsPolicy::Fail,
        Weight::Fails => policy != FactsPolicy::Warn,
    }
}
