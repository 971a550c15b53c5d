//! `--format csv` of a comparison: a row for each metric, and fields as all CSV of the benchmark has them.

use std::fmt::Write as _;

use super::{Gate, words};
use crate::text;

/// A row for each metric; a field is empty where nothing is known.
pub fn csv(gate: &Gate<'_>) -> String {
    let comparison = gate.comparison;
    let mut out = String::from(
        "scenario,metric,gates,base,new,change,change_low,change_high,verdict,confirmed,reason\n",
    );
    for row in &comparison.rows {
        let change = row.growth.as_ref().map(|growth| row.metric.change(growth.estimate));
        let bounds = row.growth.as_ref().map(|growth| words::interval(row.metric, growth));
        let confirmed = comparison.confirmed.as_ref().map(|keys| keys.contains(&row.key()).to_string());
        let _ = writeln!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{}",
            row.scenario,
            row.metric.name(),
            row.metric.gates(),
            number(row.base.as_ref().map(|side| side.ratio)),
            number(row.new.as_ref().map(|side| side.ratio)),
            number(change),
            number(bounds.map(|[low, _]| low)),
            number(bounds.map(|[_, high]| high)),
            words::verdict(row).to_lowercase(),
            confirmed.unwrap_or_default(),
            field(&words::why(row).unwrap_or_default()),
        );
    }
    out
}

fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(|value| format!("{value:.6}")).unwrap_or_default()
}

/// A text as a field (RFC 4180), which no spreadsheet takes for a formula.
pub(super) fn field(value: &str) -> String {
    let value = text::escape(value);
    let value = if value.starts_with(['=', '+', '-', '@']) { format!("'{value}") } else { value };
    if value.contains([',', '"']) { format!("\"{}\"", value.replace('"', "\"\"")) } else { value }
}
