//! Colour for tables on a terminal: what is wrong stands out. No layout, and no word that is not there without colour.

use std::cmp::Reverse;

/// Bold and yellow (ECMA-48 select graphic rendition), and back.
const WRONG: &str = "\u{1b}[1;33m";
const PLAIN: &str = "\u{1b}[0m";

/// What tables say of what is wrong, in words of theirs.
const PHRASES: [&str; 9] = [
    "bytes too big",
    "too big",
    "no route to it",
    "no route",
    "no neigh",
    "no FDB",
    "no address",
    "NIC down",
    "differs",
];

/// A table with colour: lines that begin with `!`, with those that go on with them, and phrases about what is wrong.
pub fn coloured(table: &str) -> String {
    let mut out = String::with_capacity(table.len() + 64);
    let mut goes_on = false;
    for line in table.split_inclusive('\n') {
        let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
        goes_on = words.starts_with("! ") || (goes_on && words.starts_with("  "));
        if goes_on {
            out.extend([WRONG, words, PLAIN, end]);
            continue;
        }
        match PHRASES.iter().filter_map(|phrase| Some((words.find(phrase)?, Reverse(phrase.len())))).min() {
            Some((at, Reverse(length))) => {
                let (before, rest) = words.split_at(at);
                let (phrase, after) = rest.split_at(length);
                // The number that belongs to it.
                let number = before.trim_end().rfind(|c: char| !c.is_ascii_digit());
                let (before, number) = match number {
                    Some(at) if phrase.starts_with("bytes") => {
                        let end = at
                            + before.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
                        before.split_at(end)
                    }
                    _ => (before, ""),
                };
                out.extend([before, WRONG, number, phrase, PLAIN, after, end]);
            }
            None => out.push_str(line),
        }
    }
    out
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
    fn a_table_without_trouble_stays_as_it_is() {
        let table = crate::report::table::table(&crate::model::testdata::model());
        assert_eq!(coloured(&table), table);
    }
}
