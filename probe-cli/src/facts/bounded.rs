//! A table of which so many rows are kept, whoever filled it.

use serde::{Deserialize, Serialize};

/// Rows, and what is known of those that are not among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounded<T> {
    /// Those that were kept, in the order of the source.
    pub rows: Vec<T>,
    /// Further rows, which were left out.
    pub left_out: u64,
    /// What is wrong with the table: it changed while it was read, or rows could not be understood.
    pub notes: Vec<String>,
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), left_out: 0, notes: Vec::new() }
    }
}

impl<T> Bounded<T> {
    /// Keeps a row, when there are fewer than `most`.
    pub fn add(&mut self, row: T, most: usize) {
        if self.rows.len() < most {
            self.rows.push(row);
        } else {
            self.left_out += 1;
        }
    }
}
