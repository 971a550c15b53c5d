//! The selected row in full: facts, sizes and its own graph, side by side as far as there is room.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{
    facts,
    graph::{self, Graph},
    paint, sizes,
    theme::Theme,
};
use crate::{
    model::Model,
    tui::{state::State, subject::Subject},
};

/// Columns that facts and sizes need.
const FACTS: u16 = 44;
const SIZES: u16 = 36;

/// Draws them.
pub(super) fn draw(
    buf: &mut Buffer,
    area: Rect,
    state: &State,
    model: &Model,
    subject: Subject<'_>,
    theme: Theme,
) {
    let (line, body) = paint::split_top(area, 1);
    rule(buf, line, &subject.name(), theme);
    let (left, right) = paint::split_left(body, FACTS);
    facts::draw(buf, Rect { width: left.width.saturating_sub(1), ..left }, model, subject, theme);
    let rest = if let Subject::Tunnel(row) = subject {
        let room_for_both = right.width >= SIZES + 40;
        let (middle, rest) = paint::split_left(right, if room_for_both { SIZES + 2 } else { right.width });
        sizes::draw(buf, middle, row, theme);
        rest
    } else {
        right
    };
    if rest.width > 20 {
        let values = state.shown_history().values(Some(&subject.key()), state.measure);
        let step = model.interval.map(|interval| interval.as_secs_f64());
        let graph = Graph { title: "", values: &values, measure: state.measure, step };
        graph::draw(buf, Rect { height: rest.height.min(17), ..rest }, &graph, theme);
    }
}

fn rule(buf: &mut Buffer, area: Rect, title: &str, theme: Theme) {
    let line = "─".repeat(usize::from(area.width));
    paint::words(buf, area, &line, theme.dim());
    let inner = Rect { x: area.x + 2, width: area.width.saturating_sub(4), ..area };
    paint::spans(buf, inner, vec![Span::styled(format!(" {title} "), theme.title())]);
}
