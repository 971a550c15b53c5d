//! Files as trees: reading and parsing in one step, and what went wrong as an answer.

use std::rc::Rc;

use super::{
    notes::FileNotes,
    root::{Names, Root},
    tree::Node,
    yaml::{self, Broken},
};
use crate::observed::Observed;

/// The documents of a YAML file. Those before what cannot be read are there all the same, and the rest is a note.
pub(super) fn documents(root: &Root, path: &str, notes: &mut FileNotes) -> Observed<Vec<Rc<Node>>> {
    root.text(path).and_then(|text| {
        let (documents, broken) = yaml::documents(&text);
        match broken {
            Some(broken) if documents.is_empty() => return failed(path, &broken),
            Some(broken) => {
                notes.add(path, Some(broken.line), format!("left out from here: {}", broken.cause));
            }
            None => {}
        }
        Observed::Value(documents)
    })
}

/// A JSON file.
pub(super) fn json(root: &Root, path: &str) -> Observed<Rc<Node>> {
    root.text(path).and_then(|text| tree(path, &text))
}

/// The JSON text of a file.
pub(super) fn tree(path: &str, text: &str) -> Observed<Rc<Node>> {
    match yaml::json(text) {
        Ok(node) => Observed::Value(node),
        Err(broken) => failed(path, &broken),
    }
}

fn failed<T>(path: &str, broken: &Broken) -> Observed<T> {
    Observed::Failed { error: format!("cannot read {path}: line {}: {}", broken.line, broken.cause) }
}

/// Has a file's name one of these endings? Case counts, as it does for those who read the files.
pub(super) fn ends(name: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending))
}

/// Notes what a directory has that is not looked at.
pub(super) fn note_rest(names: &Names, directory: &str, notes: &mut FileNotes) {
    if names.further > 0 {
        notes.add(
            directory,
            None,
            format!("{} more files than {} are left out", names.further, names.first.len()),
        );
    }
    if names.is_cut {
        notes.add(directory, None, "has too many entries: files may be missing here");
    }
    if names.odd > 0 {
        notes.add(directory, None, format!("{} file names that are not UTF-8 are left out", names.odd));
    }
}

/// The `.conf` files of a directory, by name, at most so many; what is left out or cannot be read is a note.
pub(super) fn conf_files(root: &Root, directory: &str, most: usize, notes: &mut FileNotes) -> Vec<String> {
    let names = root.names(directory, most, |name, kind| !kind.is_dir() && ends(name, &[".conf"]));
    note_trouble(&names, directory, notes);
    let Observed::Value(names) = names else { return Vec::new() };
    note_rest(&names, directory, notes);
    names.first
}

/// A file that could not be read, as a note of its own.
pub(super) fn note_trouble<T>(answer: &Observed<T>, path: &str, notes: &mut FileNotes) {
    if let Some(trouble) = answer.trouble() {
        notes.add(path, None, trouble);
    }
}
