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

/// Columns as wide as their longest cell. Where a line would not fit the terminal, first the last column gives way, then the
/// widest ones. A cell that is wider than its column is broken between words. What has no blank is never cut: it goes on beyond
/// its column, and what it would cover stands below it. Line ends in a cell are kept.
pub(super) fn aligned(out: &mut String, rows: &[Vec<String>]) {
    indented(out, 0, rows);
}

/// The same with so many blanks in front.
pub(super) fn indented(out: &mut String, indent: usize, rows: &[Vec<String>]) {
    let room = WIDTH.saturating_sub(indent);
    let widths = widths(rows, room);
    for row in rows {
        for line in lines(row, &widths, room) {
            let line = format!("{}{line}", " ".repeat(indent));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

/// A row as lines. A cell stands as high as it has room for, and none above one to the left of it.
fn lines(row: &[String], widths: &[usize], room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut column, mut first) = (0, 0);
    for (cell, width) in row.iter().zip(widths) {
        // A name from outside may be longer than any line.
        let cell: Vec<String> = broken(cell, *width).iter().map(|line| text::fit(line, room)).collect();
        let widest = cell.iter().map(|line| line.width()).max().unwrap_or(0);
        if widest > 0 {
            let start = column.min(room.saturating_sub(widest));
            while !has_room(&lines, first, start, cell.len()) {
                first += 1;
            }
            for (number, part) in cell.iter().enumerate() {
                if lines.len() <= first + number {
                    lines.push(String::new());
                }
                if let Some(line) = lines.get_mut(first + number) {
                    line.push_str(&" ".repeat(start.saturating_sub(line.width())));
                    line.push_str(part);
                }
            }
        }
        column += width + 1;
    }
    lines
}

/// Nothing stands where so many lines are to begin, nor just before it.
fn has_room(lines: &[String], first: usize, start: usize, count: usize) -> bool {
    let is_free = |line: &String| line.is_empty() || line.width() < start;
    lines.iter().skip(first).take(count).all(is_free)
}

/// The lines of a cell, each not wider than this where blanks allow it.
fn broken(cell: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in cell.split('\n') {
        if line.width() <= width {
            lines.push(line.to_owned());
            continue;
        }
        let mut part = String::new();
        for word in line.split(' ') {
            if !part.is_empty() && part.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut part));
            }
            if !part.is_empty() {
                part.push(' ');
            }
            part.push_str(word);
        }
        lines.push(part);
    }
    lines
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
    let mut widths: Vec<usize> = (0..columns).map(|column| widest(rows, column, usize::MAX)).collect();
    let mut excess = (widths.iter().sum::<usize>() + columns.saturating_sub(1)).saturating_sub(room);
    let mut given = 0;
    if let Some(last) = widths.last_mut() {
        given = excess.min(last.saturating_sub(LEAST));
        *last -= given;
        excess -= given;
    }
    while excess > 0 {
        let Some((column, widest_now)) = widths.iter().copied().enumerate().max_by_key(|(_, width)| *width)
        else {
            return widths;
        };
        if widest_now <= LEAST {
            return widths;
        }
        let narrower = widest(rows, column, widest_now - 1).max(LEAST);
        let less = widest_now - narrower;
        if let Some(width) = widths.get_mut(column) {
            *width = narrower;
        }
        // A long cell less may give more room than was asked for.
        let back = less.saturating_sub(excess).min(given);
        excess = excess.saturating_sub(less);
        given -= back;
        if let Some(last) = widths.last_mut() {
            *last += back;
        }
    }
    widths
}

/// Width of the longest line of a column that is not wider than this.
fn widest(rows: &[Vec<String>], column: usize, most: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(column));
    let lines = cells.flat_map(|cell| broken(cell, most)).map(|line| line.width());
    lines.filter(|width| *width <= most).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_give_way_from_the_last_to_the_widest() {
        for (cells, expected) in [
            ([5, 5, 5], [5, 5, 5]),
            ([30, 20, 40], [30, 20, 28]),
            // A long cell stands alone, and the last column has what that leaves.
            ([60, 30, 40], [12, 30, 36]),
            ([60, 59, 40], [12, 12, 40]),
            ([12, 12, 90], [12, 12, 54]),
        ] {
            let row: Vec<String> = cells.iter().map(|width| "x".repeat(*width)).collect();
            assert_eq!(widths(&[row], WIDTH), expected, "{cells:?}");
        }
        // Only the longest one stands alone.
        let row = |first: usize| vec!["x".repeat(first), "y".repeat(30), "z".repeat(12)];
        assert_eq!(widths(&[row(60), row(20)], WIDTH), [20, 30, 12]);
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

    fn text_of(rows: &[&[&str]]) -> String {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        let mut out = String::new();
        aligned(&mut out, &rows);
        out
    }

    #[test]
    fn what_does_not_fit_its_column_is_not_cut() {
        let rows: [&[&str]; 5] = [
            &["", "INTENDED", "", "ACTUAL", "SAID BY"],
            &[
                "addresses",
                "192.0.2.18\n2001:db8:147::218",
                "!=",
                "192.0.2.18\n2001:db8:147:0:250:56ff:fe00:1418",
                "a-chart-config.yaml:16",
            ],
            &[
                "networks",
                "10.42.0.0/16\n2001:db8:147:a::/108",
                "=",
                "10.42.0.0/24\n2001:db8:147:a::/112",
                "follows from config.yaml:9",
            ],
            &["MTU", "1450", "=", "1450", "10-canal.conflist:2"],
            &[
                "pattern",
                "matches ^(enp|eth)[0-9]+s[0-9]+f[0-9]+np[0-9]+v[0-9]+$",
                "",
                "eth0",
                "config.yaml:3",
            ],
        ];
        insta::assert_snapshot!(text_of(&rows));
        let long = "kube-system/rke2-coredns-rke2-coredns-autoscaler-7c8b5b8b9f-x2k4j";
        let rows: [&[&str]; 4] = [
            &["POD", "ADDRESSES", "INTERFACE", "FOUND BY"],
            &["shop/cart-0", "10.42.1.2", "cali0123456789a", "cri, name"],
            &[long, "10.42.1.3", "cali0123456789b", "cri, name"],
            &["shop/cart-1", "10.42.1.4", "cali0123456789c", "cri, name"],
        ];
        insta::assert_snapshot!(text_of(&rows));
    }

    proptest! {
        /// Whatever the cells are: lines fit, and every word that fits a line is there, whole and in order.
        #[test]
        fn nothing_is_lost_and_lines_fit(
            rows in prop::collection::vec(prop::collection::vec("[a-z]{0,50}( [a-z]{0,20}){0,2}(\n[a-z]{1,45})?", 4), 1..8),
            indent in 0_usize..4,
        ) {
            let mut out = String::new();
            indented(&mut out, indent, &rows);
            prop_assert!(out.lines().all(|line| line.width() <= WIDTH), "{out}");
            let mut words: Vec<&str> = rows.iter().flatten().flat_map(|cell| cell.split_whitespace()).collect();
            let mut shown: Vec<&str> = out.split_whitespace().collect();
            words.sort_unstable();
            shown.sort_unstable();
            prop_assert_eq!(words, shown, "{}", out);
        }
    }

    #[test]
    fn a_line_fits_and_shows_both_ends_of_what_fits_no_line() {
        let rows = [vec!["NAME".to_owned(), "NOTE".to_owned()], vec!["a".repeat(60), "b".repeat(90)]];
        for indent in [0, 4] {
            let mut out = String::new();
            indented(&mut out, indent, &rows);
            for line in out.lines() {
                assert!(line.width() <= WIDTH && line.starts_with(&" ".repeat(indent)), "{line:?}");
            }
            assert!(out.contains(&"a".repeat(60)) && out.contains("bbb…bbb"), "{out}");
        }
    }
}
