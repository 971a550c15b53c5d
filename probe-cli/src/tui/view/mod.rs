//! What the state looks like. Pure: a frame is a function of the state.
//!
//! ```text
//!  Overlay Probe  node1           probe 0.4 % CPU, 12.3 MiB  12:34:56 UTC   header
//!  1 Overview  2 Tunnels  3 Peers  4 Pods  5 VFs  6 MTU  7 Health  8 Events  9 Cost
//!  ...                                                                 one file for each tab
//!  q quit  ? help  / filter  s sort  u outer bit/s  p pause            footer
//! ```

mod ascii;
mod budget;
mod cost;
mod details;
mod events;
mod explained;
mod facts;
mod footer;
mod graph;
mod header;
mod health;
mod help;
mod mtu;
mod overview;
mod paint;
mod sizes;
mod table;
mod theme;

use ratatui::{Frame, buffer::Buffer, layout::Rect, text::Span};

use self::theme::Theme;
use super::{
    list::rows,
    state::{Details, Mode, State},
    story::Story,
    subject::Subject,
    tab::Tab,
    update::selected,
};
use crate::text;

/// The smallest terminal with room for a table.
const SMALLEST: (u16, u16) = (40, 8);

/// Details get room only beside this many rows of body.
const ROOM_FOR_DETAILS: u16 = 14;

/// Lines of body that are worth more than what the demo tells.
const ROOM_BESIDE_STORY: u16 = 8;

/// Draws everything.
pub(super) fn view(state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    draw(state, area, frame.buffer_mut());
    if state.preferences.ascii {
        ascii::replace(frame.buffer_mut());
    }
}

fn draw(state: &State, area: Rect, buf: &mut Buffer) {
    let preferences = &state.preferences;
    let theme = Theme { plain: state.no_color, palette: preferences.palette, chosen: preferences.colours };
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let words = format!("too small (need {}x{}); q quits", SMALLEST.0, SMALLEST.1);
        paint::words(buf, area, &words, theme.normal());
        return;
    }
    let (top, rest) = paint::split_top(area, 2);
    let (body, bottom) = paint::split_top(rest, rest.height - 1);
    header::draw(buf, top, state, theme);
    draw_body(buf, body, state, theme);
    // Only drawing shows whether there is something to scroll.
    footer::draw(buf, bottom, state, theme);
}

/// What is between header and footer.
fn draw_body(buf: &mut Buffer, body: Rect, state: &State, theme: Theme) {
    let body = state.message_of_the_feed().map_or(body, |(words, is_alarm)| {
        let (line, rest) = paint::split_top(body, 1);
        let style = if is_alarm { theme.alarm() } else { theme.mode() };
        paint::words(buf, line, whole_parts(&words, line.width), style);
        rest
    });
    // It holds now, also while the picture stands still.
    let unread = state.latest().map(|model| &model.unread[..]).unwrap_or_default();
    let body = unread.first().map_or(body, |first| {
        let (line, rest) = paint::split_top(body, 1);
        let more = match unread.len() {
            1 => String::new(),
            several => format!("  {} more: tab {}", several - 1, Tab::Events.number()),
        };
        let room = usize::from(line.width.saturating_sub(paint::width(&more) + 3));
        let words = format!(" ! {}{more}", text::cut(&text::escape(first), room));
        paint::words(buf, line, &words, theme.alarm());
        rest
    });
    // It is told of now.
    let story = state.story.filter(|_| state.past.is_none());
    let body = story.map_or(body, |story| {
        let said = paint::wrap(story.words(), body.width.saturating_sub(2));
        let height = u16::try_from(said.len()).unwrap_or(u16::MAX);
        // On a small terminal the figures are worth more.
        if body.height < height + ROOM_BESIDE_STORY {
            return body;
        }
        let (top, rest) = paint::split_top(body, height);
        let style = if story == Story::Broken { theme.alarm() } else { theme.title() };
        paint::lines(buf, top, said.into_iter().map(|words| vec![Span::styled(format!(" {words}"), style)]));
        rest
    });
    match state.shown() {
        None => paint::words(buf, body, " Waiting for the first sample.", theme.dim()),
        Some(model) => match state.tab {
            Tab::Overview => overview::draw(buf, body, state, model, theme),
            Tab::Tunnels | Tab::Peers | Tab::Pods | Tab::Vfs => list(buf, body, state, model, theme),
            Tab::Mtu => state.farthest.set(mtu::draw(buf, body, state, model, theme)),
            Tab::Health => state.farthest.set(health::draw(buf, body, state, theme)),
            // What is wrong is told while the picture stands still, too.
            Tab::Events => {
                let model = state.latest().unwrap_or(model);
                state.farthest.set(events::draw(buf, body, state, model, theme));
            }
            Tab::Cost => state.farthest.set(cost::draw(buf, body, state, model, theme)),
        },
    }
    if state.mode == Mode::Help {
        state.farthest.set(help::draw(buf, body, state, theme));
    }
}

/// As many of the parts, which stand two blanks apart, as fit whole.
fn whole_parts(words: &str, width: u16) -> &str {
    let parts = words.match_indices("  ").filter_map(|(at, _)| words.get(..at));
    let all = parts.chain([words]).filter(|part| paint::width(part) <= width);
    all.last().unwrap_or(words)
}

/// A tab with a table, and the selected row's details below it.
fn list(buf: &mut Buffer, area: Rect, state: &State, model: &crate::model::Model, theme: Theme) {
    let rows = rows(state, model, state.tab);
    let chosen = selected(state, &rows, state.tab);
    let details = state.look(state.tab).details;
    if let (Details::Whole, Some(subject)) = (details, chosen) {
        state.farthest.set(details::whole(buf, area, state, model, subject, theme));
        return;
    }
    let is_beside = details != Details::Off && area.height >= ROOM_FOR_DETAILS;
    // Those that have no room at all can be had with the same key.
    state.has_more.set(details != Details::Off && !is_beside && chosen.is_some());
    // What a short table does not need is for the details.
    let needed = u16::try_from(rows.len().max(1) + 2).unwrap_or(u16::MAX);
    let table_height = if is_beside { (area.height * 2 / 5).max(5).min(needed) } else { area.height };
    let (top, rest) = paint::split_top(area, table_height);
    table::draw(
        buf,
        top,
        &table::Table { tab: state.tab, in_grid: false, rows: &rows, selected: chosen.map(Subject::key) },
        state,
        model,
        theme,
    );
    if let (true, Some(subject)) = (is_beside, chosen) {
        details::draw(buf, rest, state, model, subject, theme);
    }
}
