//! The two lines at the top: what is looked at, what it costs, which tab is in front.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{health, paint, theme::Theme};
use crate::{
    model::Model,
    text,
    tui::{list, state::State, tab::Tab},
};

const BRAND: &str = " Overlay Probe ";

/// Draws them.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, theme: Theme) {
    let (first, second) = paint::split_top(area, 1);
    let title = text::escape(&state.title);
    let paused = if state.frozen.is_some() { " PAUSED " } else { "" };
    let chip = health::chip(state.health(), theme);
    let health = chip.as_ref().map_or("", |chip| chip.content.as_ref());
    let (cost, clock) = state.shown().map(right).unwrap_or_default();
    // What the screen is of, whether it is well, and that it stands still, is said last of all things not: the rest goes before.
    let whole = [(BRAND, format!("{cost}{clock}")), (BRAND, clock.clone()), (" ", clock)];
    let fits = |(brand, right): &(&str, String)| {
        let words = [brand, title.as_str(), " ", health, " ", paused, right];
        words.iter().map(|words| paint::width(words)).sum::<u16>() < first.width
    };
    let (brand, right) = whole.into_iter().find(fits).unwrap_or((" ", String::new()));
    let taken =
        [brand, health, " ", paused, " ", &right].iter().map(|words| paint::width(words)).sum::<u16>();
    let title = text::fit(&title, usize::from(first.width.saturating_sub(taken)));
    let mut spans = vec![Span::styled(brand, theme.title()), Span::styled(title, theme.normal())];
    if let Some(chip) = chip.clone() {
        spans.push(Span::raw(" "));
        spans.push(chip);
    }
    if !paused.is_empty() {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(paused, theme.mode()));
    }
    paint::spans(buf, first, spans);
    let (_, corner) = paint::split_left(first, first.width.saturating_sub(paint::width(&right)));
    paint::words(buf, corner, &right, theme.dim());
    // Titles of columns say what is measured, too: where there is little room, counts are worth more.
    let tabs = tabs(state, second.width, theme);
    let room = second.width.saturating_sub(paint::total(&tabs));
    paint::spans(buf, second, tabs);
    let all = [chips(state, true, theme), chips(state, false, theme)];
    if let Some(chips) = all.into_iter().find(|chips| paint::total(chips) <= room) {
        let (_, corner) = paint::split_left(second, second.width.saturating_sub(paint::total(&chips)));
        paint::spans(buf, corner, chips);
    }
}

/// What is looked at, in words of their own: what is measured, and since when totals are when somebody zeroed them.
fn chips(state: &State, with_measure: bool, theme: Theme) -> Vec<Span<'static>> {
    let has_rows = with_measure && (state.tab == Tab::Overview || state.tab.is_table());
    let measure = has_rows.then(|| format!(" {} ", state.measure.name(list::tab_of_figures(state))));
    let zeroed = state.zeroed().map(|time| format!(" totals since {} ", text::clock(time)));
    measure
        .map(|words| Span::styled(words, theme.title()))
        .into_iter()
        .chain(zeroed.map(|words| Span::styled(words, theme.mode())))
        .collect()
}

/// What the probe costs, its programs in the kernel included where that is known; and the clock.
fn right(model: &Model) -> (String, String) {
    let observer = &model.observer;
    let memory = observer.rss_bytes.map_or_else(String::new, |bytes| format!(", {}", text::bytes(bytes)));
    let cost = match (observer.total_percent(), observer.cpu_percent) {
        (Some(cpu), _) => format!(" probe {cpu:.1} % CPU{memory} "),
        (None, Some(cpu)) => format!(" process {cpu:.1} % CPU{memory} "),
        (None, None) => String::new(),
    };
    (cost, format!(" {} ", text::clock(model.time)))
}

/// The tabs, as roomy as the width allows: without blanks where that is too much, and without
/// the counts, and with short titles.
fn tabs(state: &State, width: u16, theme: Theme) -> Vec<Span<'static>> {
    let counts = Tab::ALL.map(|tab| (tab, count(state, tab)));
    let has_notes = state.latest().is_some_and(|model| !model.notes.is_empty());
    let line = |gap: &str, counted: fn(Tab) -> bool, title: fn(Tab) -> &'static str| {
        let tabs = counts.map(|(tab, count)| {
            let style = if tab == state.tab {
                theme.selected()
            } else if is_alarm(tab) && count.is_some() && (tab == Tab::Health || has_notes) {
                theme.alarm()
            } else {
                theme.normal()
            };
            let count = count.filter(|_| counted(tab)).map_or_else(String::new, |count| format!(" {count}"));
            Span::styled(format!(" {} {}{count}{gap}", tab.number(), title(tab)), style)
        });
        std::iter::once(Span::raw(gap.to_owned())).chain(tabs).collect::<Vec<_>>()
    };
    let fits = |spans: &Vec<Span<'_>>| paint::total(spans) <= width;
    let roomy = [
        line(" ", |_| true, Tab::title),
        line("", |_| true, Tab::title),
        line("", is_alarm, Tab::title),
        line("", |_| false, Tab::title),
    ];
    roomy.into_iter().find(fits).unwrap_or_else(|| line("", |_| false, Tab::short))
}

/// What the tab counts is wrong, or may be: it is counted where there is little room.
fn is_alarm(tab: Tab) -> bool {
    matches!(tab, Tab::Health | Tab::Events)
}

/// Rows of a tab; none for a tab that has nothing to count.
fn count(state: &State, tab: Tab) -> Option<u64> {
    let model = state.shown()?;
    match tab {
        Tab::Health => Some(state.health().standing.len() as u64).filter(|n| *n > 0),
        Tab::Events => Some((state.log().entries().len() + model.notes.len()) as u64).filter(|n| *n > 0),
        Tab::Overview | Tab::Tunnels | Tab::Peers | Tab::Pods | Tab::Vfs | Tab::Mtu | Tab::Cost => {
            tab.is_table().then(|| list::count(state, model, tab) as u64)
        }
    }
}
