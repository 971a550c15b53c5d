//! Lines of `KEY=VALUE`, with and without `[sections]`: environment files, systemd's and NetworkManager's configuration. The
//! crates for such files do not say which line a value is in, and each of these programs has rules of its own.

use std::{rc::Rc, str::FromStr};

use super::{notes::FileNotes, parse::note_trouble, root::Root, tree::short};
use crate::facts::files::Sourced;

/// Most entries of one file.
const MOST: usize = 10_000;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The section that it is in; empty before the first one. Shared: its name may be as long as the file.
    pub(super) section: Rc<str>,
    /// Before the `=`, without what makes it `+=` or `-=`.
    pub(super) key: String,
    /// How it changes the value before it.
    pub(super) change: Change,
    /// Behind the `=`, without blanks and one pair of quotes around it.
    pub(super) value: Sourced<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// `=`
    Set,
    /// `+=`
    Add,
    /// `-=`
    Remove,
}

/// The entries of a file; none where it is not there, and a note where it cannot be read.
pub(super) fn read(root: &Root, file: &str, notes: &mut FileNotes) -> Vec<Entry> {
    let answer = root.text(file);
    note_trouble(&answer, file, notes);
    answer.value().map(|text| entries(file, text)).unwrap_or_default()
}

/// The entries of a text. Lines that are none, comments among them, are passed over.
pub(super) fn entries(file: &str, text: &str) -> Vec<Entry> {
    let mut section: Rc<str> = Rc::from("");
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = Rc::from(name);
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, change) = match key.trim_end() {
            key if key.ends_with('+') => (key.trim_end_matches('+'), Change::Add),
            key if key.ends_with('-') => (key.trim_end_matches('-'), Change::Remove),
            key => (key, Change::Set),
        };
        if found.len() >= MOST {
            break;
        }
        let value =
            Sourced { value: unquoted(value.trim()).to_owned(), file: file.to_owned(), line: Some(number) };
        found.push(Entry { section: Rc::clone(&section), key: key.trim().to_owned(), change, value });
    }
    found
}

fn unquoted(value: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value)
}

/// The value of a key as something else; of equal keys the last one counts. What it cannot be is a note.
pub(super) fn parsed<T: FromStr>(
    entries: &[Entry],
    key: &str,
    what: &str,
    notes: &mut FileNotes,
) -> Option<Sourced<T>> {
    let found = &entries.iter().rev().find(|entry| entry.key == key)?.value;
    if found.value.is_empty() {
        return None;
    }
    let parsed = found.value.parse().ok().map(|value| found.with(value));
    if parsed.is_none() {
        notes.add(&found.file, found.line, format!("{key} is {}, not {what}", short(&found.value)));
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_share_the_name_of_their_section() {
        let found = entries("x", "a=1\n[one]\nb=2\nc+=3\n[two]\nd-='4'\n# e=5\n");
        let short: Vec<_> =
            found.iter().map(|entry| (&*entry.section, entry.key.as_str(), entry.change)).collect();
        assert_eq!(
            short,
            [
                ("", "a", Change::Set),
                ("one", "b", Change::Set),
                ("one", "c", Change::Add),
                ("two", "d", Change::Remove)
            ]
        );
        // Its name may be as long as the file, and there may be thousands of entries.
        assert!(Rc::ptr_eq(&found[1].section, &found[2].section));
    }
}
