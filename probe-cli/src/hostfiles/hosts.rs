//! `/etc/hosts`, and files that are one word: `/etc/hostname`, Calico's `nodename` and `mtu`.

use super::{notes::FileNotes, root::Root, tree::short};
use crate::{
    facts::files::{HostsEntry, Sourced},
    observed::Observed,
};

/// Most lines that are kept: some machines carry lists of a hundred thousand blocked names.
const LINES: usize = 4_096;
/// Most names of one line.
const NAMES: usize = 64;

/// `/etc/hosts` (hosts(5)).
pub(super) fn read(root: &Root, notes: &mut FileNotes) -> Observed<Vec<Sourced<HostsEntry>>> {
    const PATH: &str = "/etc/hosts";
    root.text(PATH).map(|text| {
        let mut found = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(address) = words.next() else { continue };
            // A zone, as in `fe80::1%lo0`, is not part of the address.
            let address = address.split('%').next().unwrap_or_default();
            let Ok(address) = address.parse() else {
                notes.add(PATH, Some(number), format!("{} is not a valid address", short(address)));
                continue;
            };
            if found.len() >= LINES {
                notes.add(PATH, Some(number), format!("more than {LINES} entries: the others are left out"));
                break;
            }
            let entry = HostsEntry { address, names: words.take(NAMES).map(str::to_owned).collect() };
            found.push(Sourced { value: entry, file: PATH.to_owned(), line: Some(number) });
        }
        found
    })
}

/// The first line of a file that has one word.
pub(super) fn one_line(root: &Root, path: &str) -> Observed<Sourced<String>> {
    root.text(path).and_then(|text| {
        match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
            Some(line) => {
                Observed::Value(Sourced { value: line.to_owned(), file: path.to_owned(), line: Some(1) })
            }
            None => Observed::Failed { error: format!("cannot read {path}: it is empty") },
        }
    })
}

/// `/etc/hostname` (hostname(5)): the first line that is neither empty nor a comment.
pub(super) fn hostname(root: &Root) -> Observed<Sourced<String>> {
    const PATH: &str = "/etc/hostname";
    root.text(PATH).and_then(|text| {
        let lines = (1..).zip(text.lines().map(str::trim));
        let mut names = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        match names.next() {
            Some((number, name)) => {
                Observed::Value(Sourced { value: name.to_owned(), file: PATH.to_owned(), line: Some(number) })
            }
            None => Observed::Failed { error: format!("cannot read {PATH}: it has no name") },
        }
    })
}

/// The number that a file is.
pub(super) fn number(root: &Root, path: &str) -> Observed<Sourced<u32>> {
    one_line(root, path).and_then(|line| match line.value.parse() {
        Ok(number) => Observed::Value(line.with(number)),
        Err(_) => {
            Observed::Failed { error: format!("cannot read {path}: {} is not a number", short(&line.value)) }
        }
    })
}
