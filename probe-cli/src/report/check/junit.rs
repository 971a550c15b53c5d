//! `check --format junit`: a test case for each check, as CI systems read it.

use std::fmt::Write as _;

use super::{Health, one_line};
use crate::{check::Outcome, report::xml};

/// The document, with a line end.
pub fn junit(health: &Health<'_>) -> String {
    let rows = &health.judgement.rows;
    let counts = health.judgement.counts();
    let skipped = counts.not_judged + counts.not_applicable + counts.explained + counts.accepted;
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites><testsuite name=\"overlay-probe check\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{skipped}\" \
         time=\"{:.3}\" hostname=\"{}\">",
        rows.len(),
        counts.failed + counts.warned,
        health.took_s,
        xml(&health.node())
    );
    for row in rows {
        let _ = write!(
            out,
            "<testcase classname=\"overlay-probe.{}\" name=\"{}\"",
            row.check.family.name(),
            row.check.id
        );
        if let Some(cause) = row.explained_by {
            let _ = writeln!(out, "><skipped message=\"explained by {cause}\"/></testcase>");
            continue;
        }
        match &row.outcome {
            Outcome::Judged(findings) if findings.is_empty() && row.accepted.is_empty() => {
                out.push_str("/>\n");
            }
            Outcome::Judged(findings) if findings.is_empty() => {
                let words = row.accepted.iter().map(|one| super::agreed(&one.acceptance));
                let words: Vec<String> = words.collect();
                let _ = writeln!(out, "><skipped message=\"{}\"/></testcase>", xml(&words.join("; ")));
            }
            Outcome::Judged(findings) => {
                out.push('>');
                let summaries: Vec<String> = findings.iter().map(|finding| xml(&finding.summary)).collect();
                let kind = row.severity().map_or("fail", super::severity);
                let _ = writeln!(
                    out,
                    "<failure type=\"{kind}\" message=\"{}\">{}</failure></testcase>",
                    xml(row.check.title),
                    summaries.join("\n")
                );
            }
            Outcome::NotJudged(why) => {
                let _ =
                    writeln!(out, "><skipped message=\"not judged: {}\"/></testcase>", xml(&one_line(why)));
            }
            Outcome::DoesNotApply(why) => {
                let _ = writeln!(out, "><skipped message=\"does not apply: {}\"/></testcase>", xml(why));
            }
        }
    }
    out.push_str("</testsuite></testsuites>\n");
    out
}
