//! Measured path MTUs for people and machines: `mtu`. Pure: text out of what was measured.

mod json;
mod table;
#[cfg(test)]
mod tests;
mod watch;
mod words;

pub use table::{Lines, lines, planned, table};
pub use watch::{Watched, line as watched_line, table as watched};

use crate::mtu::{Judged, Path};

/// The document, with a line end.
pub fn json(judged: &Judged) -> Result<String, serde_json::Error> {
    super::document(&json::Measured::from(judged))
}

/// What would be measured, as a document with a line end.
pub fn planned_json(paths: &[Path]) -> Result<String, serde_json::Error> {
    super::document(&json::Planned::from(paths))
}
