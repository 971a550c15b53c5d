//! What fits on each way that pods' packets take to other nodes, from the NIC to the pods, as `show mtu` has it, and what is too big
//! there now. What fits is computed by the model, and the words are the report's.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Span};

use super::{budget, paint, theme::Theme};
use crate::{
    model::{Model, TunnelRow, outer_together},
    report::mtu::{MEASURED_BY, MtuTree, mtu_trees},
    text,
    tui::{feed::Measuring, state::State},
};

/// Draws it; gives how far it can be scrolled.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, model: &Model, theme: Theme) -> usize {
    let columns = area.width.saturating_sub(1);
    let mut lines =
        state.feed.measuring.as_ref().map(|told| measured(told, columns, theme)).unwrap_or_default();
    let above = lines.len();
    let trees = mtu_trees(model);
    let steps = trees.iter().flat_map(|tree| &tree.steps);
    // Sizes of all ways stand in one column.
    let longest = steps.map(|step| paint::width(&step.what)).max().unwrap_or(0);
    let names = longest.min(columns.saturating_sub(24));
    for tree in trees.iter().filter(|tree| state.filter.matches_text(&tree.title)) {
        lines.extend(path(tree, model, names, columns, theme));
        lines.push(Vec::new());
    }
    if lines.len() == above {
        let none = if state.filter.is_empty() {
            " none: there is no tunnel and no route to other nodes' pods"
        } else {
            " no path matches the filter"
        };
        lines.push(vec![Span::styled(none, theme.dim())]);
    } else {
        let words = if state.feed.playback.is_some() {
            MEASURED_BY
        } else {
            "Bytes of IP packets. P measures whether they arrive at the other nodes, as `overlay-probe mtu` does: it sends echo \
             requests that may not be cut, about 20 to each address; in Peers, to the selected node only."
        };
        let said = paint::wrap(words, columns);
        lines.extend(said.into_iter().map(|words| vec![Span::styled(format!(" {words}"), theme.dim())]));
    }
    paint::scrolled(buf, area, lines, state.scroll, theme.dim())
}

/// What somebody has asked to be measured: how far it is, or what it came to.
fn measured(told: &Measuring, columns: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    let mut say = |mark: &str, words: &str, style: Style| {
        let room = columns.saturating_sub(paint::width(mark)).max(12);
        for (number, words) in paint::wrap(words, room).into_iter().enumerate() {
            let front = if number == 0 { mark.to_owned() } else { " ".repeat(mark.len()) };
            lines.push(vec![Span::styled(front + &words, style)]);
        }
    };
    match told {
        Measuring::Going { done, all, trying } => {
            let trying = trying
                .map_or_else(String::new, |(size, address)| format!(", trying {size} bytes to {address}"));
            say(" ", &format!("Measured {done} of {}{trying}", text::counted(*all, "path")), theme.mode());
        }
        Measuring::Failed(why) => {
            say(" ", &format!("Nothing is measured: {}", text::escape(why)), theme.alarm());
        }
        Measuring::Done { at, rows, advice, sum } => {
            say(" ", &format!("Measured at {}: {sum}", text::clock(*at)), theme.title());
            for words in advice {
                say(" ! ", words, theme.alarm());
            }
            let room = usize::from(columns.saturating_sub(3));
            lines.extend(rows.iter().enumerate().map(|(number, row)| {
                let style = if number == 0 { theme.title() } else { theme.normal() };
                vec![Span::styled(format!("   {}", text::cut(row, room)), style)]
            }));
        }
    }
    lines.push(Vec::new());
    lines
}

/// One way: what it is, its steps with their sizes in one column, and what its tunnel carries now.
fn path(tree: &MtuTree, model: &Model, names: u16, columns: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let mut lines =
        vec![vec![Span::styled(text::cut(&format!(" {}", tree.title), usize::from(columns)), theme.title())]];
    let way = model.setup.mtu.iter().find(|path| path.ifindex == tree.ifindex);
    lines.extend(way.and_then(|path| budget::bar(path, columns, theme)));
    let mut steps: Vec<(String, String, String, bool)> = tree
        .steps
        .iter()
        .map(|step| (step.what.clone(), step.bytes.clone(), step.verdict.clone(), step.is_wrong))
        .collect();
    let row = model.tunnels.iter().find(|row| row.tunnel.ifindex == tree.ifindex);
    steps.extend(row.map(now));
    for (what, bytes, verdict, is_wrong) in steps {
        let what = text::fit(&what, usize::from(names));
        let gap = " ".repeat(usize::from(names.saturating_sub(paint::width(&what))));
        let front = format!("   {what}{gap} {bytes:>6}  ");
        let room = columns.saturating_sub(paint::width(&front)).max(12);
        let style = if is_wrong { theme.alarm() } else { theme.normal() };
        for (number, words) in paint::wrap(&verdict, room).into_iter().enumerate() {
            let front =
                if number == 0 { front.clone() } else { " ".repeat(usize::from(paint::width(&front))) };
            lines.push(vec![Span::styled(front, theme.normal()), Span::styled(words, style)]);
        }
    }
    lines
}

/// What is too big in the last interval, what leaves in pieces, and how much of what the wire carries is headers.
fn now(row: &TunnelRow) -> (String, String, String, bool) {
    let rate = row.flow.tx.rate;
    let oversize = rate.map(|rate| rate.oversize_per_s);
    let rates = row.outer.and_then(|outer| outer_together(&outer).rate);
    let fragments = rates.map(|rate| rate.fragments_per_s);
    let per_second = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), text::si);
    let headers = rate.filter(|rate| rate.outer_bits_per_s > 0.0).map_or_else(
        || "-".to_owned(),
        |rate| text::percent(1.0 - rate.inner_bits_per_s / rate.outer_bits_per_s),
    );
    let words = format!(
        "TX {} too big/s, {headers} headers; {} fragments/s",
        per_second(oversize),
        per_second(fragments)
    );
    let is_wrong = [oversize, fragments].into_iter().flatten().any(|value| value > 0.0);
    ("now".to_owned(), String::new(), words, is_wrong)
}
