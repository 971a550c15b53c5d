//! What readers could not read or understand: bounded, each with its place.

use super::tree::At;
use crate::facts::files::Sourced;

/// Notes that are kept. A node has a few dozen files.
const MOST: usize = 64;

/// Notes on the way.
#[derive(Debug, Default)]
pub(super) struct FileNotes {
    kept: Vec<Sourced<String>>,
    further: usize,
}

impl FileNotes {
    pub(super) fn add(&mut self, file: &str, line: Option<u32>, text: impl Into<String>) {
        if self.kept.len() < MOST {
            self.kept.push(Sourced { value: text.into(), file: file.to_owned(), line });
        } else {
            self.further += 1;
        }
    }

    /// About a value.
    pub(super) fn at(&mut self, at: &At<'_>, text: String) {
        let place = at.sourced(());
        self.add(&place.file, place.line, text);
    }

    /// Those of a part.
    pub(super) fn extend(&mut self, other: Self) {
        let room = MOST.saturating_sub(self.kept.len());
        self.further += other.further + other.kept.len().saturating_sub(room);
        self.kept.extend(other.kept.into_iter().take(room));
    }

    pub(super) fn into_list(mut self) -> Vec<Sourced<String>> {
        if self.further > 0 {
            let text = format!("and {} more notes on files below it", self.further);
            self.kept.push(Sourced { value: text, file: "/".to_owned(), line: None });
        }
        self.kept
    }
}
