//! What is said between the machine and this program: the scripts that run inside, and the lines by which they report.

use std::collections::BTreeMap;

/// The first program in the machine: makes the host's file system its root.
pub(super) const INIT: &str = include_str!("guest/init.sh");

/// What runs when that is done.
pub(super) const SCRIPT: &str = include_str!("guest/guest.sh");

/// How a line starts that is no test's.
const MARK: &str = "@vm ";

/// What a line of the machine's output says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A test could not judge: its name and what it said.
    Skip { test: &'a str, said: &'a str },
    /// Everything ran to its end, well or not.
    End { good: bool },
    /// Of a test binary.
    Other,
}

/// Reads one line.
pub(super) fn line(text: &str) -> Line<'_> {
    let Some(rest) = text.trim_end().strip_prefix(MARK) else { return Line::Other };
    match rest.split_once(' ') {
        Some(("skip", rest)) => {
            let (test, said) = rest.split_once(": ").unwrap_or((rest, "no reason given"));
            Line::Skip { test, said }
        }
        Some(("end", status)) => Line::End { good: status == "0" },
        _ => Line::Other,
    }
}

/// A shell's assignments. Values are quoted whatever they hold.
pub(super) fn settings(values: &BTreeMap<&str, String>) -> String {
    let mut text = String::new();
    for (name, value) in values {
        text.extend([name, "='", &value.replace('\'', "'\\''"), "'\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_told_from_what_tests_print() {
        assert_eq!(line("test numbers ... ok"), Line::Other);
        assert_eq!(line("@vm end 0\r"), Line::End { good: true });
        assert_eq!(line("@vm end 1"), Line::End { good: false });
        assert_eq!(
            line("@vm skip sriov::moves: needs sriov: no PCI device"),
            Line::Skip { test: "sriov::moves", said: "needs sriov: no PCI device" }
        );
        assert_eq!(line("@vm skip x"), Line::Skip { test: "x", said: "no reason given" });
    }

    #[test]
    fn settings_survive_a_shell() {
        let values = BTreeMap::from([("A", "a 'b' $c".to_owned()), ("B", String::new())]);
        assert_eq!(settings(&values), "A='a '\\''b'\\'' $c'\nB=''\n");
    }
}
