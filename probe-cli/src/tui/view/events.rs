//! What holds now and is no finding, and below it what has happened, the newest first.

use ratatui::{buffer::Buffer, layout::Rect, text::Span};

use super::{paint, theme::Theme};
use crate::{
    model::Model,
    text,
    tui::{
        log::{Entry, Told},
        state::State,
        tab::Tab,
    },
};

/// Columns of the word in front of what happened.
const MARK: usize = 8;

/// Draws them: what holds now first, then what happened, the newest first; and what was looked at and is well.
pub(super) fn draw(buf: &mut Buffer, area: Rect, state: &State, model: &Model, theme: Theme) -> usize {
    let columns = area.width.saturating_sub(4);
    let is_wanted = |mark: &str, words: &str| {
        let state_of = |key: &str| (key == "state").then(|| mark.to_owned());
        state.filter.matches(|| format!("{mark} {words}"), state_of)
    };
    let mut lines: Vec<Vec<Span<'static>>> = Vec::new();
    for note in model.notes.iter().map(|note| text::escape(note)).filter(|note| is_wanted("!", note)) {
        for (index, words) in paint::wrap(&note, columns).into_iter().enumerate() {
            let mark = if index == 0 { " ! " } else { "   " };
            lines.push(vec![Span::styled(format!("{mark}{words}"), theme.alarm())]);
        }
    }
    let mut told: Vec<Vec<Span<'static>>> = Vec::new();
    for entry in state.log().entries() {
        let (time, mark, words) = (time(entry), mark(entry), happened(entry));
        if is_wanted(mark, &words) {
            told.extend(line(&time, mark, &words, area.width, theme));
        }
    }
    if model.observer.events_lost > 0 {
        let lost = format!(" {} ICMP messages dropped (rate limit)", model.observer.events_lost);
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
            vec![vec![Span::styled(" no event matches the filter", theme.dim())]]
        };
    }
    paint::scrolled(buf, area, lines, state.scroll, theme.dim())
}

/// Time, a word, and what happened, whose further lines stand below its first.
fn line(time: &str, mark: &str, words: &str, width: u16, theme: Theme) -> Vec<Vec<Span<'static>>> {
    let front = format!(" {time}  {mark:<MARK$} ");
    let style = match mark {
        "FAIL" | "warn" => theme.alarm(),
        _ => theme.title(),
    };
    let indent = paint::width(&front);
    let mut lines = Vec::new();
    for words in paint::wrap(words, width.saturating_sub(indent + 1).max(20)) {
        if lines.is_empty() {
            lines.push(vec![
                Span::styled(format!(" {time}  "), theme.dim()),
                Span::styled(format!("{mark:<MARK$} "), style),
                Span::styled(words, theme.normal()),
            ]);
        } else {
            lines.push(vec![Span::styled(
                format!("{}{words}", " ".repeat(usize::from(indent))),
                theme.normal(),
            )]);
        }
    }
    lines
}

/// That nothing has happened, and what was looked at: it means no more than that.
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

/// The newest trouble, at most `most` lines of at most `columns`, what is wrong now before ICMP messages; the last says how many
/// there are in all.
pub(super) fn newest(state: &State, model: &Model, most: usize, columns: u16) -> Vec<String> {
    // What is wrong is told while the picture stands still, too.
    let notes = &state.latest().unwrap_or(model).notes;
    let is_message = |entry: &&Entry| matches!(entry.told, Told::TooBig(..));
    let messages = state.log().entries().filter(is_message);
    let all = notes.len() + messages.count();
    let notes = notes.iter().map(|note| text::escape(note));
    let messages = state.log().entries().filter(is_message).map(happened);
    let mut shown: Vec<String> = notes.chain(messages).take(most).collect();
    let more = if all > shown.len() {
        format!("  {} more: tab {}", all - shown.len(), Tab::Events.number())
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

/// When, and how often: `17:05:00`, or when the last was and how many there were.
fn time(entry: &Entry) -> String {
    let clock = |time| text::clock(time).trim_end_matches(" UTC").to_owned();
    if entry.count > 1 {
        format!("{}-{} x{}", clock(entry.first), clock(entry.last), entry.count)
    } else {
        clock(entry.first)
    }
}

fn mark(entry: &Entry) -> &'static str {
    match entry.told {
        Told::Words(mark, _) => mark,
        Told::TooBig(..) => "ICMP",
    }
}

fn happened(entry: &Entry) -> String {
    match &entry.told {
        Told::Words(_, words) => words.clone(),
        Told::TooBig(mtus, event) => {
            let mtu = match mtus {
                None => "smaller".to_owned(),
                Some((low, high)) if low == high => low.to_string(),
                Some((low, high)) => format!("{low}..{high}"),
            };
            let tunnel = text::escape(&event.tunnel_name);
            format!("path MTU {mtu} to {}, says {} (ICMP, {tunnel})", event.destination, event.reporter)
        }
    }
}
