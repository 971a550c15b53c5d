//! Colour for tables on a terminal: what is wrong stands out. No layout, and no word that is not there without colour.

use std::cmp::Reverse;

use crate::model::fields::columns::{FRAGMENTS, OVERSIZE};

/// Bold and yellow (ECMA-48 select graphic rendition), and back.
const WRONG: &str = "\u{1b}[1;33m";
const PLAIN: &str = "\u{1b}[0m";

/// What tables say of what is wrong, in words of theirs.
const PHRASES: [&str; 14] = [
    "bytes too big",
    "too big",
    "no route to it",
    "no route",
    "no neigh",
    "no FDB",
    "no address",
    "NIC down",
    "differs",
    "black hole",
    "no answer",
    "unreachable",
    "refused here",
    "in outer fragments",
];

/// A table with colour: lines that begin with `!`, with those that go on with them, phrases about what is wrong, and numbers in
/// columns of what should not happen.
pub fn coloured(table: &str) -> String {
    let mut out = String::with_capacity(table.len() + 64);
    let (mut goes_on, mut counts_alarms) = (false, false);
    for line in table.split_inclusive('\n') {
        let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
        goes_on = words.starts_with("! ") || (goes_on && words.starts_with("  "));
        let is_heading = words.ends_with(&heading());
        counts_alarms = is_heading || (counts_alarms && !words.is_empty() && !goes_on);
        if goes_on {
            out.extend([WRONG, words, PLAIN, end]);
            continue;
        }
        let (words, alarms) = if counts_alarms && !is_heading { alarms(words) } else { (words, "") };
        phrase(&mut out, words);
        if alarms.is_empty() {
            out.push_str(end);
        } else {
            out.extend([WRONG, alarms, PLAIN, end]);
        }
    }
    out
}

/// How the heading of a table ends whose last two columns are of what should not happen.
fn heading() -> String {
    [OVERSIZE.title, FRAGMENTS.title].join(" ")
}

/// A line without its last two cells, and these, when one of them is more than nothing.
fn alarms(line: &str) -> (&str, &str) {
    let mut at = line.len();
    let mut is_something = false;
    for _ in 0..2 {
        let before = line.get(..at).unwrap_or_default().trim_end();
        let start = before.rfind(' ').map_or(0, |blank| blank + 1);
        is_something |= !matches!(before.get(start..), Some("0" | "-") | None);
        at = start;
    }
    if is_something { line.split_at(at) } else { (line, "") }
}

/// A line with its first phrase about what is wrong in colour.
fn phrase(out: &mut String, words: &str) {
    let found = PHRASES.iter().filter_map(|phrase| Some((words.find(phrase)?, Reverse(phrase.len())))).min();
    let Some((at, Reverse(length))) = found else { return out.push_str(words) };
    let (before, rest) = words.split_at(at);
    let (phrase, after) = rest.split_at(length);
    // The number that belongs to it.
    let (before, number) = if phrase.starts_with("bytes") {
        before.split_at(before.trim_end().rfind(' ').map_or(0, |blank| blank + 1))
    } else {
        (before, "")
    };
    out.extend([before, WRONG, number, phrase, PLAIN, after]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str) -> String {
        text.replace(WRONG, "").replace(PLAIN, "")
    }

    #[test]
    fn what_is_wrong_stands_out_and_no_word_changes() {
        let table = "flannel.1  1450  100 bytes too big\n  eth0 1400\n! eth0 is down: outer packets\n  cannot leave\n\
                     10.42.2.0  no route to it\nall is well\n世界 no FDB entry for x";
        let painted = coloured(table);
        assert_eq!(without(&painted), table);
        for wrong in [
            "100 bytes too big",
            "! eth0 is down: outer packets",
            "  cannot leave",
            "no route to it",
            "no FDB",
        ] {
            assert!(painted.contains(&format!("{WRONG}{wrong}{PLAIN}")), "{wrong}: {painted:?}");
        }
        assert_eq!(painted.matches(WRONG).count(), 5, "{painted:?}");
    }

    #[test]
    fn packets_too_big_and_fragments_stand_out_in_their_columns() {
        let table = crate::report::table::table(&crate::model::testdata::troubled(), &[]);
        let painted = coloured(&table);
        assert_eq!(without(&painted), table);
        assert!(painted.contains(&format!("3.8%    {WRONG}42     84{PLAIN}\n")), "{painted:?}");
        assert!(painted.contains("5.2%     0      0\n"), "{painted:?}");
        assert_eq!(painted.matches(WRONG).count(), 3, "the cells and two notes: {painted:?}");
    }

    #[test]
    fn a_table_without_trouble_stays_as_it_is() {
        let table = crate::report::table::table(&crate::model::testdata::model(), &[]);
        assert_eq!(coloured(&table), table);
    }
}
