//! What went wrong: things that could not be read, and messages about packets that were too big.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::{Model, PmtuEventRow},
    text,
    tui::{state::State, tab::Tab},
};

/// Draws them: what holds now first, then messages, the newest first.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, model: &Model, theme: Theme) {
    let columns = area.width.saturating_sub(4);
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    for note in &model.notes {
        for (index, words) in paint::wrap(&text::escape(note), columns).into_iter().enumerate() {
            let mark = if index == 0 { " ! " } else { "   " };
            lines.push(vec![Span::styled(format!("{mark}{words}"), theme.alarm())]);
        }
    }
    if !model.notes.is_empty() {
        lines.push(Vec::new());
    }
    for message in &state.messages {
        let words = format!("{}  {}", text::clock(message.time), event_words(&message.event));
        for (index, words) in paint::wrap(&words, columns).into_iter().enumerate() {
            let indent = if index == 0 { " " } else { "               " };
            lines.push(vec![Span::styled(format!("{indent}{words}"), theme.normal())]);
        }
    }
    if model.observer.events_lost > 0 {
        let lost = format!(" {} more messages were lost or over the rate limit", model.observer.events_lost);
        lines.push(vec![Span::styled(lost, theme.dim())]);
    }
    if lines.is_empty() {
        lines.push(vec![Span::styled(
            " Nothing to report: no router has asked for smaller packets since the",
            theme.normal(),
        )]);
        lines.push(vec![Span::styled(" start, and everything on this node could be read.", theme.normal())]);
    }
    paint::lines(buf, area, lines);
}

/// The newest trouble in one line of at most `columns`, and where the rest is; none when there is none.
pub(super) fn newest(state: &State, model: &Model, columns: u16) -> Option<String> {
    let count = state.messages.len() + model.notes.len();
    let first = state
        .messages
        .front()
        .map(|message| event_words(&message.event))
        .or_else(|| model.notes.first().map(|note| text::escape(note)))?;
    let more =
        if count > 1 { format!(" ({}: {count} messages)", Tab::Messages.number()) } else { String::new() };
    let room = columns.saturating_sub(paint::width(&more));
    Some(text::fit(&first, usize::from(room)) + &more)
}

fn event_words(event: &PmtuEventRow) -> String {
    let most = event
        .mtu
        .map_or_else(|| "smaller packets".to_owned(), |mtu| format!("packets of at most {mtu} bytes"));
    let tunnel = text::escape(&event.tunnel_name);
    format!("{} asks {tunnel} for {most} to {}", event.reporter, event.destination)
}
