//! Rows of cells as aligned text. What the cells say is for the others.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use crate::text;

/// Columns of a terminal that tables fit into.
pub(super) const WIDTH: usize = 80;

/// Columns as wide as their longest cell; the last one takes what is left of the terminal's width.
pub(super) fn aligned(out: &mut String, rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let before: usize = widths.iter().take(columns.saturating_sub(1)).map(|width| width + 1).sum();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if column + 1 == columns {
                line.push_str(&text::fit(cell, WIDTH.saturating_sub(before).max(12)));
            } else {
                line.push_str(cell);
                line.push_str(&" ".repeat((width + 1).saturating_sub(cell.width())));
            }
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}
