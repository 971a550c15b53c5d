//! The last line: the filter being typed, else the keys that matter here.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    text,
    tui::state::{Measure, Mode, State, Tab},
};

/// Draws it. Labels go from the right when there is no room; quit and help stay.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    if state.mode == Mode::Filter {
        paint::spans(
            buf,
            area,
            vec![
                Span::styled(" filter: ", theme.mode()),
                Span::raw(format!(" {}", text::escape(&state.filter))),
                Span::styled("_", theme.title()),
                Span::styled("   Enter keeps it, Esc clears it", theme.dim()),
            ],
        );
        return;
    }
    let mut spans = Vec::new();
    if !state.filter.is_empty() {
        spans.push(Span::styled(format!(" /{} ", text::escape(&state.filter)), theme.mode()));
    }
    let has_table = matches!(state.tab, Tab::Overview | Tab::Tunnels | Tab::Peers | Tab::Pods);
    let keys = [
        ("q", "quit", true),
        ("?", "help", true),
        ("j k", "row", has_table),
        ("Enter", if state.tab == Tab::Overview { "go to" } else { "details" }, has_table),
        ("/", "filter", has_table),
        ("s S", "sort", has_table),
        ("p", if state.frozen.is_some() { "resume" } else { "pause" }, true),
        ("u", measure(state.measure), has_table),
    ];
    for (key, words, shown) in keys {
        if shown {
            spans.push(Span::styled(format!(" {key}"), theme.title()));
            spans.push(Span::styled(format!(" {words} "), theme.dim()));
        }
    }
    paint::spans(buf, area, spans);
}

fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::OuterBits => "outer b/s",
        Measure::InnerBits => "inner b/s",
        Measure::Packets => "p/s",
    }
}
