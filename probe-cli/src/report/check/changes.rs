//! What became of findings since an earlier look, a line for each: `check --watch` and `check --since`.

use std::{fmt::Write as _, time::Duration};

use super::{Health, table::last_line};
use crate::{
    check::{Became, Change, Changes},
    report::align::wrapped,
    text,
};

/// A line for each finding that is new (`+`), more or less bad (`~`), gone (`-`) or not judged any more (`?`), with the time
/// where one is given.
pub fn changes(changes: &Changes, time: Option<Duration>) -> String {
    let time = time.map(|time| text::clock(time) + "  ").unwrap_or_default();
    let mut out = String::new();
    for Change { key, severity, became } in &changes.changes {
        let which = format!("{} ({})", text::escape(&key.id), text::escape(&key.name));
        let (mark, word, text) = match became {
            Became::New { summary } => ('+', severity.mark(), format!("{which}: {summary}")),
            Became::Other { before, summary } => {
                ('~', severity.mark(), format!("{which}, was {}: {summary}", before.mark().trim()))
            }
            Became::Resolved => ('-', "ok  ", format!("{which}: resolved")),
            Became::NotJudged { why } => ('?', "??  ", format!("{which}: not judged: {}", text::escape(why))),
        };
        wrapped(&mut out, &format!("{time}{mark} {word}  "), &text);
    }
    out
}

/// The changes, how much is as it was, and the verdict.
pub fn since(health: &Health<'_>, since: &Changes) -> String {
    let mut out = changes(since, None);
    let _ = match (since.changes.len(), since.same) {
        (0, 0) => writeln!(out, "nothing was found then, and nothing is found now"),
        (_, 0) => Ok(()),
        (_, same) => writeln!(out, "{} as before", text::counted(same, "finding")),
    };
    out.push('\n');
    out + &last_line(health)
}
