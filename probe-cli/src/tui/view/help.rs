//! The help screen: keys, and what the figures mean.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::fields::columns::{Column, OF_LINKS, OF_TUNNELS},
    tui::keymap::BINDINGS,
};

/// What the titles of columns mean, those of the catalogue apart. Those without "so far" are of the last interval.
const COMMON: [(&str, &str); 3] = [
    ("TX RX", "out of the node, and into it, through the tunnel, in the last interval"),
    ("STATE", "ok, or the fault; \"-\": not checked"),
    ("core", "handles most of what arrives; one flow is always one core's"),
];

const VFS: (&str, &str) = ("VF", "its TX and RX are what its user sends and receives, with link headers");

const OTHER: (&str, &str) =
    ("other", "traffic of no known pod or peer, or beyond the limit; gone: what went");

fn figures() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of = |columns: &'static [&'static Column]| columns.iter().map(|column| (column.title, column.help));
    COMMON.into_iter().chain(of(&OF_TUNNELS)).chain([VFS]).chain(of(&OF_LINKS)).chain([OTHER])
}

/// Columns of the names.
const NAMES: usize = 8;

/// Draws it over the body, from the line on that `scroll` says.
pub(super) fn draw(buf: &mut Buffer, area: Rect, scroll: usize, theme: Theme) -> usize {
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            buf[(x, y)].reset();
        }
    }
    let keys = BINDINGS.iter().map(|binding| (binding.keys, binding.words));
    if area.width >= 150 {
        let (left, right) = paint::split_left(area, area.width / 2);
        let keys = paint::scrolled(buf, left, lines(keys, left.width, theme), scroll, theme.dim());
        let figures = paint::scrolled(buf, right, lines(figures(), right.width, theme), scroll, theme.dim());
        keys.max(figures)
    } else {
        let mut all = lines(keys, area.width, theme);
        all.push(Vec::new());
        all.extend(lines(figures(), area.width, theme));
        paint::scrolled(buf, area, all, scroll, theme.dim())
    }
}

fn lines(
    rows: impl Iterator<Item = (&'static str, &'static str)>,
    width: u16,
    theme: Theme,
) -> Vec<Vec<Span<'static>>> {
    let room = width.saturating_sub(3 + u16::try_from(NAMES).unwrap_or(0));
    let mut lines = Vec::new();
    for (name, words) in rows {
        let mut names = std::iter::once(name).chain(std::iter::repeat(""));
        for words in paint::wrap(words, room) {
            let name = names.next().unwrap_or_default();
            lines.push(vec![
                Span::styled(format!(" {name:<NAMES$} "), theme.title()),
                Span::styled(words, theme.normal()),
            ]);
        }
    }
    lines
}
