//! The help screen: keys, and what the figures mean.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{model::fields, tui::keymap::BINDINGS};

/// What the titles of columns mean. Those without "so far" are of the last interval.
const FIGURES: [(Option<&str>, &str); 11] = [
    (Some("TX RX"), "out of the node, and into it, through the tunnel, in the last interval"),
    (Some("STATE"), "ok, or the fault; \"-\": not checked"),
    (fields::OVERHEAD.title, "share of the outer bytes that is encapsulation, in the last interval"),
    (fields::OVERSIZE_RATE.title, "outgoing packets too big for the tunnel: fragmented or dropped"),
    (fields::OUTER_FRAGMENT_RATE.title, "outer packets that are fragments, both directions"),
    (fields::MEAN_SIZE.title, "mean bytes of the inner IP packet, as on the wire, in the last interval"),
    (fields::SEGMENTS.title, "wire packets per kernel buffer, what GSO and GRO save, in the last interval"),
    (fields::OUTER_BYTES.title, "outer bytes so far, both directions: since the start, or since z"),
    (Some("VF"), "its TX and RX are what its user sends and receives, with link headers"),
    (Some("DROP/s"), "packets that a VF drops; \"not by driver\": no counter is available"),
    (Some("other"), "traffic of no known pod or peer, or beyond the limit; gone: what went"),
];

/// Columns of the names.
const NAMES: usize = 8;

/// Draws it over the body, from the line on that `scroll` says.
pub(super) fn draw(buf: &mut Buffer, area: Rect, scroll: usize, theme: Theme) {
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            buf[(x, y)].reset();
        }
    }
    let keys = BINDINGS.iter().map(|binding| (binding.keys, binding.words));
    let figures = FIGURES.iter().map(|(name, words)| (name.unwrap_or_default(), *words));
    if area.width >= 150 {
        let (left, right) = paint::split_left(area, area.width / 2);
        paint::scrolled(buf, left, lines(keys, left.width, theme), scroll, theme.dim());
        paint::scrolled(buf, right, lines(figures, right.width, theme), scroll, theme.dim());
    } else {
        let mut all = lines(keys, area.width, theme);
        all.push(Vec::new());
        all.extend(lines(figures, area.width, theme));
        paint::scrolled(buf, area, all, scroll, theme.dim());
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
