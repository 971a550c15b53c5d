//! The help screen: keys, and what the figures mean.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::tui::keymap::BINDINGS;

/// What the titles of columns mean.
const FIGURES: [(&str, &str); 9] = [
    ("TX RX", "leaving and entering the node through the tunnel"),
    ("OVHEAD", "share of the outer bytes that is encapsulation"),
    ("B/PKT", "mean bytes of the inner IP packet, as on the wire"),
    ("SEG/SKB", "wire packets per kernel buffer: what GSO and GRO save"),
    ("TOOBIG", "packets larger than the tunnel can carry, so far"),
    ("FRAGS", "inner packets that were already fragments, so far"),
    ("VF", "its TX and RX are what its user sends and receives, with link headers"),
    ("DROP/s", "packets that a VF drops; \"not by driver\": nobody counts for it"),
    ("other", "traffic of no known pod or peer, or beyond the slots"),
];

/// Draws it over the body.
pub(super) fn draw(buf: &mut Buffer, area: Rect, theme: Theme) {
    for y in area.y..area.bottom() {
        for x in area.x..area.right() {
            buf[(x, y)].reset();
        }
    }
    let line = |name: &'static str, words: &'static str| {
        vec![Span::styled(format!(" {name:<8} "), theme.title()), Span::styled(words, theme.normal())]
    };
    let keys = BINDINGS.iter().map(|binding| line(binding.keys, binding.words));
    let figures = FIGURES.iter().map(|(name, words)| line(name, words));
    if area.width >= 130 {
        let (left, right) = paint::split_left(area, area.width / 2);
        paint::lines(buf, left, keys);
        paint::lines(buf, right, figures);
    } else {
        paint::lines(buf, area, keys.chain(std::iter::once(Vec::new())).chain(figures));
    }
}
