//! What went wrong: things that could not be read, and messages about packets that were too big.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::Model,
    text,
    tui::{
        state::{Message, State},
        tab::Tab,
    },
};

/// Draws them: what holds now first, then messages, the newest first; and what was looked at and is well.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, model: &Model, theme: Theme) -> usize {
    let columns = area.width.saturating_sub(4);
    let is_wanted = |words: &str| words.to_lowercase().contains(&state.filter.to_lowercase());
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    for note in model.notes.iter().map(|note| text::escape(note)).filter(|note| is_wanted(note)) {
        for (index, words) in paint::wrap(&note, columns).into_iter().enumerate() {
            let mark = if index == 0 { " ! " } else { "   " };
            lines.push(vec![Span::styled(format!("{mark}{words}"), theme.alarm())]);
        }
    }
    let mut told: Vec<Vec<Span<'static>>> = Vec::new();
    for words in state.messages.iter().map(message_words).filter(|words| is_wanted(words)) {
        for (index, words) in paint::wrap(&words, columns).into_iter().enumerate() {
            let indent = if index == 0 { " " } else { "     " };
            told.push(vec![Span::styled(format!("{indent}{words}"), theme.normal())]);
        }
    }
    if model.observer.events_lost > 0 {
        let lost = format!(" {} messages dropped (rate limit)", model.observer.events_lost);
        told.push(vec![Span::styled(lost, theme.dim())]);
    }
    if !lines.is_empty() && !told.is_empty() {
        lines.push(Vec::new());
    }
    lines.extend(told);
    if lines.is_empty() {
        lines = if state.filter.is_empty() {
            nothing(model, columns, theme)
        } else {
            vec![vec![Span::styled(" no message matches the filter", theme.dim())]]
        };
    }
    paint::scrolled(buf, area, lines, state.scroll, theme.dim())
}

/// That there is no message, and what was looked at: it means no more than that.
fn nothing(model: &Model, columns: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let line = |words: String| vec![Span::styled(format!(" {words}"), theme.normal())];
    if model.checked.is_empty() {
        return vec![line(
            "No message, but nothing could be checked: there is no tunnel that is in use.".to_owned(),
        )];
    }
    let mut lines = vec![line("No problem found in what is checked with every sample:".to_owned())];
    let icmp = format!("no ICMP message about too big packets since {}", text::clock(model.since));
    for words in model.checked.iter().map(|words| text::escape(words)).chain([icmp]) {
        lines.extend(paint::wrap(&words, columns).into_iter().map(|words| line(format!("  {words}"))));
    }
    lines.push(Vec::new());
    let not = "Not checked: whether packets arrive at the other nodes, and what these have configured.";
    lines.extend(
        paint::wrap(not, columns)
            .into_iter()
            .map(|words| vec![Span::styled(format!(" {words}"), theme.dim())]),
    );
    lines
}

/// The newest trouble, at most `most` lines of at most `columns`, what is wrong now before messages; the last says how many there
/// are in all.
pub(super) fn newest(state: &State, model: &Model, most: usize, columns: u16) -> Vec<String> {
    // What is wrong is told while the picture stands still, too.
    let notes = &state.model.as_deref().unwrap_or(model).notes;
    let all = notes.len() + state.messages.len();
    let notes = notes.iter().map(|note| text::escape(note));
    let mut shown: Vec<String> = notes.chain(state.messages.iter().map(event_words)).take(most).collect();
    let more = if all > shown.len() {
        format!("  [{}] {} more", Tab::Messages.number(), all - shown.len())
    } else {
        String::new()
    };
    let last = shown.len();
    for (index, words) in shown.iter_mut().enumerate() {
        let more = if index + 1 == last { more.as_str() } else { "" };
        *words = text::cut(words, usize::from(columns.saturating_sub(paint::width(more)))) + more;
    }
    shown
}

fn message_words(message: &Message) -> String {
    let mut time = text::clock(message.first);
    if message.count > 1 {
        let last = text::clock(message.last);
        time = format!("{}-{last}  x{}", time.trim_end_matches(" UTC"), message.count);
    }
    format!("{time}  {}", event_words(message))
}

fn event_words(message: &Message) -> String {
    let mtu = match message.mtus {
        None => "smaller".to_owned(),
        Some((low, high)) if low == high => low.to_string(),
        Some((low, high)) => format!("{low}..{high}"),
    };
    let event = &message.event;
    let tunnel = text::escape(&event.tunnel_name);
    format!("path MTU {mtu} to {}, says {} (ICMP, {tunnel})", event.destination, event.reporter)
}
