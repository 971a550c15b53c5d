//! The selected row in full: facts, sizes and its own graph, side by side as far as there is room.

use std::{cell::Cell, time::Duration};

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{
    budget,
    facts::{self, Fact},
    graph::{self, Graph},
    paint,
    sizes::{self, Sizes},
    theme::Theme,
};
use crate::{
    model::{Model, MtuPath},
    text,
    tui::{history::Whose, state::State, subject::Subject},
};

/// Columns that facts and sizes need.
const FACTS: u16 = 44;

/// Columns of the facts where there are so many in all: a public key or a UID is in one line.
const WIDE_FACTS: u16 = 60;
const WIDE: u16 = 160;
const SIZES: u16 = 36;

/// The most columns that a histogram as a text takes.
const SIZES_AT_MOST: u16 = 100;

/// Lines of details where there is room for a bar as well.
const ROOM_FOR_BUDGET: u16 = 18;

/// The most lines that a graph needs.
const GRAPH: u16 = 17;

/// Draws them.
pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    state: &State,
    model: &Model,
    subject: Subject<'_>,
    theme: Theme,
) {
    let body = rule(buf, area, subject, model, theme);
    let mut all = facts::of(subject, model);
    let mut across = facts::wide(subject, model, state.measure);
    let is_tunnel = matches!(subject, Subject::Tunnel(_));
    if is_tunnel && body.height < ROOM_FOR_BUDGET {
        // They would take the histogram's lines.
        all.append(&mut across);
    }
    let body = budget(buf, body, subject, model, theme);
    let facts = of_facts(body.width);
    // A tunnel's facts are in one column, beside the histogram.
    let beside = if is_tunnel { height(&all, facts, theme) } else { 0 };
    let has_more = &state.has_more;
    has_more.set(false);
    let body = wide(buf, body, (&across, beside), has_more, theme);
    let sizes = sizes_of(subject);
    let rest = match subject {
        Subject::Tunnel(_) => {
            // Half a histogram says nothing: it has room, or facts have all of it.
            if body.width >= facts + SIZES {
                let (left, right) = paint::split_left(body, facts);
                column(buf, left, &all, has_more, theme);
                match &sizes {
                    Some(sizes) => histogram(buf, right, sizes, theme),
                    None => right,
                }
            } else {
                columns(buf, body, &all, has_more, theme)
            }
        }
        Subject::Peer(_) | Subject::Pod(_) => columns(buf, body, &all, has_more, theme),
        Subject::Vf(_) => {
            let rest = columns(buf, body, &all, has_more, theme);
            match &sizes {
                Some(sizes) if rest.width >= SIZES => histogram(buf, rest, sizes, theme),
                _ => rest,
            }
        }
    };
    if rest.width > 20 {
        let key = subject.key();
        let values = state.shown_history().values(Whose::Row(&key), state.measure);
        let step = model.interval.map(|interval| interval.as_secs_f64());
        let ages = state.shown_history().ages();
        let measure = state.measure;
        let end = graph::end(state, model);
        let graph = Graph { title: "", values: &values, measure, end: &end, step, ages: &ages, remark: "" };
        graph::draw(buf, Rect { height: rest.height.min(GRAPH), ..rest }, &graph, theme);
    }
}

/// Everything of a row as a text, in place of the table; gives how far it can be scrolled. What has happened so far is below the table.
pub(super) fn whole(
    buf: &mut Buffer,
    area: Rect,
    state: &State,
    model: &Model,
    subject: Subject<'_>,
    theme: Theme,
) -> usize {
    let body = rule(buf, area, subject, model, theme);
    let width = body.width.saturating_sub(1);
    let mut lines: Vec<_> =
        path(subject, model).and_then(|path| budget::bar(path, width, theme)).into_iter().collect();
    let facts = facts::of(subject, model).into_iter().chain(facts::wide(subject, model, state.measure));
    lines.extend(facts.flat_map(|fact| facts::lines(&fact, width, theme)));
    if let Some(sizes) = sizes_of(subject) {
        lines.push(Vec::new());
        lines.extend(sizes::lines((width.min(SIZES_AT_MOST), u16::MAX), &sizes, theme));
    }
    paint::scrolled(buf, body, lines, state.scroll, theme.dim())
}

/// A tunnel's budget as a bar; gives what is below it. On a small screen facts are worth more.
fn budget(buf: &mut Buffer, area: Rect, subject: Subject<'_>, model: &Model, theme: Theme) -> Rect {
    let path = path(subject, model).filter(|_| area.height >= ROOM_FOR_BUDGET);
    let Some(bar) = path.and_then(|path| budget::bar(path, area.width.saturating_sub(1), theme)) else {
        return area;
    };
    let (line, rest) = paint::split_top(area, 1);
    paint::spans(buf, line, bar);
    rest
}

/// The way that a tunnel's packets take.
fn path<'a>(subject: Subject<'_>, model: &'a Model) -> Option<&'a MtuPath> {
    match subject {
        Subject::Tunnel(row) => model.setup.mtu.iter().find(|path| path.ifindex == row.tunnel.ifindex),
        Subject::Peer(_) | Subject::Pod(_) | Subject::Vf(_) => None,
    }
}

/// Packets by size, and what is left for a graph; nothing, where there is no room for both.
fn histogram(buf: &mut Buffer, area: Rect, of: &Sizes<'_>, theme: Theme) -> Rect {
    let room_for_both = area.width >= SIZES + 40;
    let (left, rest) = paint::split_left(area, if room_for_both { SIZES + 2 } else { area.width });
    paint::lines(buf, left, sizes::lines((left.width, left.height), of, theme));
    rest
}

/// The histogram of a row that has one.
fn sizes_of(subject: Subject<'_>) -> Option<Sizes<'_>> {
    match subject {
        Subject::Tunnel(row) => {
            let since = since(row.sizes_since, row.room.budget);
            Some(Sizes { bytes: "inner bytes", buckets: &row.sizes, since })
        }
        Subject::Vf(row) => row.wire.as_ref().map(|wire| {
            let mtu = row.vf.interface.as_ref().map_or(0, |interface| interface.mtu);
            Sizes { bytes: "IP bytes", buckets: &wire.sizes, since: since(wire.sizes_since, mtu) }
        }),
        Subject::Peer(_) | Subject::Pod(_) => None,
    }
}

/// Since when packets are in the buckets, where that is not when counting began.
fn since(changed: Option<Duration>, budget: u32) -> Option<String> {
    changed.map(|time| format!("since {}: limit {budget}", text::clock(time)))
}

/// Facts that take the whole width, in the lower half at most, and below so many lines of others; the last line says how many have no
/// room there. Returns what is above.
fn wide(
    buf: &mut Buffer,
    area: Rect,
    (all, above): (&[Fact], u16),
    has_more: &Cell<bool>,
    theme: Theme,
) -> Rect {
    if all.is_empty() {
        return area;
    }
    let room = (area.height / 2).min(area.height.saturating_sub(above)).max(1);
    let needed = |facts: &[Fact]| height(facts, area.width, theme);
    let mut shown = all.len();
    // With fewer than all of them, one line tells of the others.
    while shown > 0 && all.get(..shown).map_or(0, needed).saturating_add(u16::from(shown < all.len())) > room
    {
        shown -= 1;
    }
    let (first, others) = all.split_at(shown);
    let mut lines: Vec<_> =
        first.iter().flat_map(|fact| facts::lines(fact, area.width.saturating_sub(1), theme)).collect();
    if !others.is_empty() {
        has_more.set(true);
        lines.push(left_out(needed(others), theme));
    }
    let taken = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let (above, below) = paint::split_top(area, area.height.saturating_sub(taken).min(GRAPH.max(above)));
    paint::lines(buf, below, lines);
    above
}

/// Facts in one column, or in two when they are too many for one; returns what is left for a graph. That is on the
/// overview, too, and facts are nowhere else.
fn columns(buf: &mut Buffer, area: Rect, all: &[Fact], has_more: &Cell<bool>, theme: Theme) -> Rect {
    let facts = of_facts(area.width);
    let (left, rest) = paint::split_left(area, facts);
    if height(all, left.width, theme) <= area.height {
        column(buf, left, all, has_more, theme);
        return rest;
    }
    let width = facts.min(area.width / 2);
    let fits = |facts: &[Fact]| height(facts, width, theme) <= area.height;
    let at = (1..=all.len()).rev().find(|at| all.get(..*at).is_some_and(fits)).unwrap_or(1).min(all.len());
    let (first, second) = all.split_at(at);
    let (left, rest) = paint::split_left(area, width);
    let (middle, rest) = paint::split_left(rest, width);
    column(buf, left, first, has_more, theme);
    column(buf, middle, second, has_more, theme);
    rest
}

/// Columns of the facts, beside which there is something else.
fn of_facts(width: u16) -> u16 {
    if width >= WIDE { WIDE_FACTS } else { FACTS }
}

/// Lines that facts take in a column.
fn height(facts: &[Fact], width: u16, theme: Theme) -> u16 {
    let lines =
        facts.iter().map(|fact| facts::lines(fact, width.saturating_sub(1), theme).len()).sum::<usize>();
    u16::try_from(lines).unwrap_or(u16::MAX)
}

fn column(buf: &mut Buffer, area: Rect, facts: &[Fact], has_more: &Cell<bool>, theme: Theme) {
    let width = area.width.saturating_sub(1);
    let room = usize::from(area.height);
    let mut lines: Vec<_> = facts.iter().flat_map(|fact| facts::lines(fact, width, theme)).collect();
    // What has no room is not hidden without a word.
    if lines.len() > room {
        let more = lines.len() - room.saturating_sub(1);
        lines.truncate(room.saturating_sub(1));
        has_more.set(true);
        lines.push(left_out(u16::try_from(more).unwrap_or(u16::MAX), theme));
    }
    paint::lines(buf, Rect { width, ..area }, lines);
}

/// That there are lines without room, and which key has them.
fn left_out(lines: u16, theme: Theme) -> Vec<Span<'static>> {
    let what = if lines == 1 { "line" } else { "lines" };
    vec![Span::styled(format!(" {lines} more {what} (Enter)"), theme.dim())]
}

/// A line with whose details they are, and what time their totals are of; gives what is below it.
fn rule(buf: &mut Buffer, area: Rect, subject: Subject<'_>, model: &Model, theme: Theme) -> Rect {
    let (top, body) = paint::split_top(area, 1);
    let since = format!("totals since {}", text::clock(model.since));
    let line = "─".repeat(usize::from(top.width));
    paint::words(buf, top, &line, theme.dim());
    let inner = Rect { x: top.x + 2, width: top.width.saturating_sub(4), ..top };
    let room = inner.width.saturating_sub(paint::width(&since) + 6);
    let title = text::fit(&subject.name(), usize::from(room));
    paint::spans(buf, inner, vec![Span::styled(format!(" {title} "), theme.title())]);
    let (_, right) = paint::split_left(inner, inner.width.saturating_sub(paint::width(&since) + 2));
    paint::spans(buf, right, vec![Span::styled(format!(" {since} "), theme.normal())]);
    body
}
