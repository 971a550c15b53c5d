//! The last line: the filter being typed, else the keys that matter here.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    check::Severity,
    text,
    tui::{
        findings, list,
        state::{Details, Mode, State},
        tab::Tab,
    },
};

/// Draws it. Labels go from the right when there is no room; quit and help stay.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    if state.mode == Mode::Filter {
        let help = if state.filter.is_literal() {
            "   not a regular expression: searched for as it is"
        } else {
            "   text, regex, state:ok   Enter: apply, Esc: clear"
        };
        paint::spans(
            buf,
            area,
            vec![
                Span::styled(" filter: ", theme.mode()),
                Span::raw(format!(" {}", text::escape(state.filter.text()))),
                Span::styled("_", theme.title()),
                Span::styled(help, theme.dim()),
            ],
        );
        return;
    }
    if state.mode == Mode::Time {
        let time = Span::raw(format!(" {}", text::escape(&state.time)));
        let help = "   such as 03:12, -3m, 3m ago   Enter: go, Esc: cancel";
        let title = Span::styled(" time: ", theme.mode());
        paint::spans(
            buf,
            area,
            vec![title, time, Span::styled("_", theme.title()), Span::styled(help, theme.dim())],
        );
        return;
    }
    if let Some(said) = &state.said {
        paint::spans(buf, area, vec![Span::styled(format!(" {}", text::escape(said)), theme.title())]);
        return;
    }
    let mut spans = Vec::new();
    if !state.filter.is_empty() {
        spans.push(Span::styled(format!(" /{} ", text::escape(state.filter.text())), theme.mode()));
    }
    // A table that is empty by the filter alone has its keys still: the filter may change.
    let is_empty = state.shown().is_some_and(|model| list::rows(state, model, state.tab).is_empty());
    let has_rows =
        state.tab == Tab::Overview || state.tab.is_table() && !(is_empty && state.filter.is_empty());
    let in_health = state.tab == Tab::Health;
    let of_finding = in_health && !findings::shown(state).is_empty();
    let severity = match state.findings.severity {
        None => "FAIL only",
        Some(Severity::Fail) => "warn only",
        Some(Severity::Warn) => "show all",
    };
    let is_whole = state.is_whole();
    let on_enter = match state.look(state.tab).details {
        _ if state.tab == Tab::Overview => "go to",
        Details::Whole => "table only",
        Details::Below if state.has_more.get() => "all details",
        Details::Below | Details::Off => "details",
    };
    let keys = [
        ("q", "quit", true),
        ("?", "help", true),
        ("u", state.measure.name(list::tab_of_figures(state)), has_rows),
        ("jk", "finding", of_finding),
        ("Enter", if state.findings.details { "less" } else { "more" }, of_finding),
        ("e", "explain", of_finding),
        ("y", "copy the fix", of_finding),
        ("s", severity, in_health && !state.health().standing.is_empty()),
        ("r", "read again", in_health),
        ("jk", "scroll", is_whole),
        ("jk", "row", has_rows && !is_whole),
        ("Enter", on_enter, has_rows),
        ("/", "filter", has_rows && !is_whole || in_health || matches!(state.tab, Tab::Mtu | Tab::Events)),
        ("PgDn", "scroll", matches!(state.tab, Tab::Mtu | Tab::Events) && state.farthest.get() > 0),
        ("P", "send probes", matches!(state.tab, Tab::Mtu | Tab::Peers) && state.feed.playback.is_none()),
        ("sS", "sort", has_rows && !is_whole),
        ("p", if state.frozen.is_some() { "resume" } else { "pause" }, true),
        ("z", "zero", has_rows),
        (
            "e",
            if state.explaining.is_asked() { "stop explaining" } else { "explain other" },
            state.tab == Tab::Cost,
        ),
    ];
    let mut left = area.width.saturating_sub(spans.iter().map(|span| paint::width(&span.content)).sum());
    for (key, words, _) in keys.into_iter().filter(|(.., shown)| *shown) {
        let (key, words) = (format!(" {key}"), format!(" {words} "));
        let width = paint::width(&key) + paint::width(&words);
        // The last one needs no blank behind it.
        if width > left + 1 {
            break;
        }
        left = left.saturating_sub(width);
        spans.push(Span::styled(key, theme.title()));
        spans.push(Span::styled(words, theme.dim()));
    }
    paint::spans(buf, area, spans);
}
