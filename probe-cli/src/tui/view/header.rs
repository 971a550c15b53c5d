//! The two lines at the top: what is looked at, what it costs, which tab is in front.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::Model,
    text,
    tui::{list, state::State, tab::Tab},
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
    paint::spans(buf, second, tabs(state, second.width, theme));
}

fn right(model: &Model) -> String {
    let cost = model.observer.cpu_percent.map_or_else(String::new, |cpu| {
        let memory =
            model.observer.rss_bytes.map_or_else(String::new, |bytes| format!(", {}", text::bytes(bytes)));
        format!("probe {cpu:.1} % CPU{memory}  ")
    });
    format!(" {cost}{} ", text::clock(model.time))
}

/// The tabs, as roomy as the width allows: without blanks where that is too much, and without
/// the counts.
fn tabs(state: &State, width: u16, theme: Theme) -> Vec<Span<'static>> {
    let counts = Tab::ALL.map(|tab| (tab, count(state, tab)));
    let line = |gap: &str, counted: bool| {
        let tabs = counts.map(|(tab, count)| {
            let style = match tab {
                _ if tab == state.tab => theme.selected(),
                Tab::Messages if count.is_some() => theme.alarm(),
                _ => theme.normal(),
            };
            let count = count.filter(|_| counted).map_or_else(String::new, |count| format!(" {count}"));
            Span::styled(format!(" {} {}{count}{gap}", tab.number(), tab.title()), style)
        });
        std::iter::once(Span::raw(gap.to_owned())).chain(tabs).collect::<Vec<_>>()
    };
    let fits =
        |spans: &Vec<Span<'_>>| spans.iter().map(|span| paint::width(&span.content)).sum::<u16>() <= width;
    let roomy = [line(" ", true), line("", true)].into_iter().find(fits);
    roomy.unwrap_or_else(|| line("", false))
}

/// Rows of a tab; none for a tab that has nothing to count.
fn count(state: &State, tab: Tab) -> Option<u64> {
    let model = state.shown()?;
    match tab {
        Tab::Messages => Some(state.message_count + model.notes.len() as u64).filter(|n| *n > 0),
        tab => tab.is_table().then(|| list::count(state, model, tab) as u64),
    }
}
