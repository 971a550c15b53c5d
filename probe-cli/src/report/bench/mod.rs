//! What `bench` prints: a run by itself, two beside each other, and many over time; a file for each format.

mod csv;
mod json;
mod junit;
mod markdown;
mod table;
#[cfg(test)]
mod tests;
pub mod trend;
mod words;

pub use self::{
    csv::csv,
    json::json,
    junit::junit,
    markdown::markdown,
    table::{run, table},
    words::{LastLine, difference, last_line, refusal, why_unknown},
};

use crate::bench::gate::{Comparison, FactsPolicy, Outcome};

/// Two runs beside each other, as they are printed.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// What was found.
    pub comparison: &'a Comparison,
    /// What facts lead to.
    pub facts: FactsPolicy,
    /// It decides: `gate`, and not `compare`.
    pub decides: bool,
}

impl Gate<'_> {
    fn outcome(&self) -> Outcome {
        self.comparison.outcome(self.facts)
    }
}
