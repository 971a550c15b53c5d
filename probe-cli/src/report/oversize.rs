//! What the kernel counts of packets that do not fit, as a table below the MTU budget. Words only.

use std::fmt::Write as _;

use super::align::indented;
use crate::model::{Model, Oversize, OversizeCounts};

/// One counter of a family.
type Of = fn(&OversizeCounts) -> Option<u64>;

/// What is counted, and whether IPv4 counts more than that in the same counter.
const ROWS: [(&str, Of, bool); 5] = [
    ("dropped: too big, must not be cut", |of| of.too_big, false),
    ("\"too big\" sent", |of| of.messages_sent, true),
    ("\"too big\" received", |of| of.messages_received, true),
    ("fragments made", |of| of.fragments_made, false),
    ("fragments not put together", |of| of.reassembly_failures, false),
];

/// See the module; nothing where nothing could be read.
pub(super) fn table(out: &mut String, model: &Model) {
    let total = &model.oversize;
    if total.is_unknown() {
        return;
    }
    let window = model.window.as_ref().map(|window| (&window.oversize, window.length.as_secs_f64()));
    let _ = writeln!(out, "\nCounted in this network namespace since it was made (a node's: since boot)");
    let mut heading = vec![String::new(), "IPv4".to_owned(), "IPv6".to_owned()];
    if let Some((_, length)) = window {
        heading.extend(["IPv4", "IPv6"].map(|family| format!("{family} in {length:.1} s")));
    }
    let mut rows = vec![heading];
    for (words, of, is_shared) in ROWS {
        let mut row = vec![words.to_owned()];
        for counted in [Some(total), window.map(|(grown, _)| grown)].into_iter().flatten() {
            row.push(cell(of(&counted.ipv4), is_shared));
            row.push(cell(of(&counted.ipv6), false));
        }
        rows.push(row);
    }
    indented(out, 2, &rows);
    let mut line = format!("  larger path MTUs that TCP tried: {}", tried(total));
    if let Some((grown, length)) = window {
        let _ = write!(line, "; in {length:.1} s {}", tried(grown));
    }
    let _ = writeln!(out, "{line}");
}

/// Of IPv4 the kernel counts "destination unreachable" for all reasons together: it is that many at most.
fn cell(count: Option<u64>, is_shared: bool) -> String {
    match count {
        None => "-".to_owned(),
        Some(count) if is_shared && count > 0 => format!("<= {count}"),
        Some(count) => count.to_string(),
    }
}

fn tried(of: &Oversize) -> String {
    let number = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    format!("{} arrived, {} lost", number(of.tcp_probes_arrived), number(of.tcp_probes_lost))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::{model::Window, report::align::WIDTH};

    #[test]
    fn totals_and_what_came_meanwhile() {
        let ipv4 = OversizeCounts {
            too_big: Some(4711),
            fragments_made: Some(12),
            reassembly_failures: Some(0),
            messages_sent: Some(5000),
            messages_received: Some(0),
        };
        // Of a node whose kernel has no IPv6.
        let oversize = Oversize {
            ipv4,
            ipv6: OversizeCounts::default(),
            tcp_probes_arrived: Some(3),
            tcp_probes_lost: Some(2),
        };
        let mut model = Model { oversize, ..Model::default() };
        let mut text = String::new();
        table(&mut text, &model);
        insta::assert_snapshot!("oversize", text);
        let grown = Oversize { ipv4: OversizeCounts { too_big: Some(7), ..ipv4 }, ..oversize };
        model.window = Some(Window { length: Duration::from_secs(5), oversize: grown, ..Window::default() });
        let mut text = String::new();
        table(&mut text, &model);
        insta::assert_snapshot!("oversize-window", text);
        assert!(text.lines().all(|line| line.width() <= WIDTH), "{text}");
    }

    #[test]
    fn nothing_is_said_of_what_was_not_read() {
        let mut text = String::new();
        table(&mut text, &Model::default());
        assert_eq!(text, "");
    }
}
