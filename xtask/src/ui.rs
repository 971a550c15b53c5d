//! Everything the chores print. Words go to stderr, beside cargo's; results go to stdout.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one place that prints")]

use std::io::{self, Write as _};

/// Says what is about to happen.
pub(crate) fn note(text: &str) {
    eprintln!("xtask: {text}");
}

/// Says what went wrong, with its causes.
pub(crate) fn error(error: &anyhow::Error) {
    eprintln!("xtask: {error:#}");
}

/// Heads a part of a longer job.
pub(crate) fn header(text: &str) {
    eprintln!("\n===== {text} =====");
}

/// One line of a result.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Passes on what a child printed, as it comes.
pub(crate) fn pass_on(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// How the cells of a column stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Prints rows with their columns aligned; the first row is the heading.
pub(crate) fn table(align: &[Align], rows: &[Vec<String>]) {
    for row in layout(align, rows) {
        line(&row);
    }
}

fn layout(align: &[Align], rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..align.len()).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(align).zip(&widths).map(|((cell, align), &width)| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [["what", "now"], ["size", "9"], ["instructions", "1234"]];
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        assert_eq!(
            layout(&[Align::Left, Align::Right], &rows),
            ["what           now", "size             9", "instructions  1234"]
        );
    }
}
