//! The two lines at the top: what is looked at, what it costs, which tab is in front.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::Model,
    text,
    tui::{
        list,
        state::{State, Tab},
    },
};

/// Draws them.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    let (first, second) = paint::split_top(area, 1);
    let right = state.shown().map(right).unwrap_or_default();
    let room = first.width.saturating_sub(paint::width(&right) + 18);
    let title = text::fit(&text::escape(&state.title), usize::from(room));
    let mut spans = vec![Span::styled(" Overlay Probe ", theme.title()), Span::styled(title, theme.normal())];
    if state.frozen.is_some() {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(" PAUSED ", theme.mode()));
    }
    paint::spans(buf, first, spans);
    let (_, corner) = paint::split_left(first, first.width.saturating_sub(paint::width(&right)));
    paint::words(buf, corner, &right, theme.dim());
    paint::spans(buf, second, tabs(state, theme));
}

fn right(model: &Model) -> String {
    let cost = model.observer.cpu_percent.map_or_else(String::new, |cpu| {
        format!("probe {cpu:.1} % CPU, {}  ", text::bytes(model.observer.rss_bytes))
    });
    format!(" {cost}{} ", text::clock(model.time))
}

fn tabs(state: &State, theme: Theme) -> Vec<Span<'static>> {
    let mut spans = vec![Span::raw(" ")];
    for (number, tab) in (1..).zip(Tab::ALL) {
        let count = match (tab, state.shown()) {
            (Tab::Tunnels | Tab::Peers | Tab::Pods, Some(model)) => {
                Some(list::count(state, model, tab) as u64)
            }
            (Tab::Messages, Some(model)) => {
                Some(state.message_count + model.notes.len() as u64).filter(|n| *n > 0)
            }
            _ => None,
        };
        let count = count.map_or_else(String::new, |count| format!(" {count}"));
        let style = match tab {
            _ if tab == state.tab => theme.selected(),
            Tab::Messages if !count.is_empty() => theme.alarm(),
            _ => theme.normal(),
        };
        spans.push(Span::styled(format!(" {number} {}{count} ", tab.title()), style));
    }
    spans
}
