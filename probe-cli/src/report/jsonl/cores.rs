//! The cores that handled a tunnel's packets.

use serde::Serialize;

use crate::{
    model::{self, CoreRow, fields},
    report::json::Metrics,
};

/// One of them, in one direction.
#[derive(Serialize)]
pub(super) struct Core<'a> {
    cpu: u32,
    #[serde(flatten)]
    metrics: Metrics<'a, CoreRow>,
}

impl<'a> From<&'a CoreRow> for Core<'a> {
    fn from(row: &'a CoreRow) -> Self {
        Self { cpu: row.cpu, metrics: Metrics::new(&fields::CORE, row) }
    }
}

/// The one with most of the packets of the interval.
pub(super) fn busiest(rows: &[CoreRow]) -> Option<Core<'_>> {
    model::busiest(rows).map(Core::from)
}
