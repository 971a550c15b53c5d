//! Columns of text. Cells are escaped by those who make them.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use crate::text;

/// Columns of a terminal that the tables fit into.
pub(super) const WIDTH: usize = 80;
/// No column is made narrower than this, whatever comes of the line.
const LEAST: usize = 12;

/// The first row of a table: names of its columns.
pub(super) fn heading(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Columns as wide as their longest cell. Where a line would not fit the terminal, first the last column gives way, then
/// the widest ones; what is cut loses its middle.
pub(super) fn aligned(out: &mut String, rows: &[Vec<String>]) {
    indented(out, 0, rows);
}

/// The same with so many blanks in front.
pub(super) fn indented(out: &mut String, indent: usize, rows: &[Vec<String>]) {
    let widths = widths(rows, WIDTH.saturating_sub(indent));
    for row in rows {
        let mut line = " ".repeat(indent);
        for (cell, width) in row.iter().zip(&widths) {
            let cell = text::fit(cell, *width);
            line.push_str(&cell);
            line.push_str(&" ".repeat((width + 1).saturating_sub(cell.width())));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// A sentence over as many lines as it takes: the first with `mark` in front, the others as far to the right.
pub(super) fn wrapped(out: &mut String, mark: &str, words: &str) {
    let indent = " ".repeat(mark.width());
    let mut line = mark.to_owned();
    let mut is_first = true;
    for word in words.split(' ') {
        if !is_first && line.width() + 1 + word.width() > WIDTH {
            let _ = writeln!(out, "{line}");
            line.clone_from(&indent);
            is_first = true;
        }
        if !is_first {
            line.push(' ');
        }
        line.push_str(word);
        is_first = false;
    }
    let _ = writeln!(out, "{line}");
}

fn widths(rows: &[Vec<String>], room: usize) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns).map(width).collect();
    let mut excess = (widths.iter().sum::<usize>() + columns.saturating_sub(1)).saturating_sub(room);
    if let Some(last) = widths.last_mut() {
        let less = excess.min(last.saturating_sub(LEAST));
        *last -= less;
        excess -= less;
    }
    while excess > 0 {
        let Some(widest) = widths.iter_mut().max() else { return widths };
        if *widest <= LEAST {
            return widths;
        }
        *widest -= 1;
        excess -= 1;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_give_way_from_the_last_to_the_widest() {
        for (cells, expected) in [
            ([5, 5, 5], [5, 5, 5]),
            ([30, 20, 40], [30, 20, 28]),
            ([60, 30, 40], [36, 30, 12]),
            ([60, 59, 40], [33, 33, 12]),
            ([12, 12, 90], [12, 12, 54]),
        ] {
            let row: Vec<String> = cells.iter().map(|width| "x".repeat(*width)).collect();
            assert_eq!(widths(&[row], WIDTH), expected, "{cells:?}");
        }
        let row = vec!["x".repeat(12); 9];
        assert_eq!(widths(&[row], WIDTH), [12; 9], "not to nothing");
    }

    #[test]
    fn a_sentence_wraps_between_words() {
        let mut out = String::new();
        wrapped(&mut out, "! ", &"word ".repeat(40));
        assert!(out.lines().count() > 2 && out.lines().all(|line| line.width() <= WIDTH), "{out}");
        assert!(
            out.starts_with("! word word") && out.lines().skip(1).all(|l| l.starts_with("  word")),
            "{out}"
        );
        let mut out = String::new();
        wrapped(&mut out, "- ", &"x".repeat(100));
        assert_eq!(out, format!("- {}\n", "x".repeat(100)), "a word is not broken");
    }

    #[test]
    fn a_line_fits_and_shows_both_ends_of_what_was_cut() {
        let rows = [vec!["NAME".to_owned(), "NOTE".to_owned()], vec!["a".repeat(60), "b".repeat(60)]];
        let mut out = String::new();
        aligned(&mut out, &rows);
        for line in out.lines() {
            assert!(line.width() <= WIDTH, "{line:?}");
        }
        assert!(out.contains("bbb…bbb"), "{out}");
        let mut out = String::new();
        indented(&mut out, 4, &rows);
        assert!(out.lines().all(|line| line.starts_with("    ") && line.width() <= WIDTH), "{out}");
    }
}
