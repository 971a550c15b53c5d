//! What an action does to the state. Pure.

use std::time::Duration;

use super::{
    action::{Action, Effect},
    columns, findings,
    list::{overview_tables, position, rows, tab_of_figures},
    state::{Details, Frozen, Mode, Sort, State},
    subject::{self, Subject},
    tab::Tab,
};
use crate::record::player::{Moment, Play};

/// How far apart samples can be made to be on screen.
const INTERVALS: [Duration; 8] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// No time is longer.
const TIME: usize = 60;

/// Applies an action.
pub(super) fn update(state: &mut State, action: Action) -> Effect {
    if !matches!(action, Action::Model(_) | Action::Past(_) | Action::Feed(_) | Action::FeedEnded) {
        state.said = None;
    }
    match action {
        Action::Quit => return Effect::Quit,
        Action::Redraw => return Effect::Clear,
        Action::Help => {
            state.mode = if state.mode == Mode::Help { Mode::Normal } else { Mode::Help };
            state.scroll_to_top();
        }
        Action::Back if state.mode == Mode::Normal && state.feed.back.is_some() => return Effect::Now,
        Action::Back => back(state),
        Action::Tab(tab) => go(state, tab),
        Action::NextTab => go(state, state.tab.step(1)),
        Action::PreviousTab => go(state, state.tab.step(Tab::ALL.len() - 1)),
        Action::Move(steps) if scrolls(state) => {
            scroll(state, steps);
        }
        Action::First if scrolls(state) => state.scroll = 0,
        Action::Last if scrolls(state) => state.scroll = state.farthest.get(),
        Action::Move(steps) if state.tab == Tab::Health => move_in_findings(state, steps),
        Action::First | Action::Last if state.tab == Tab::Health => {
            findings::select_end(state, action == Action::Last);
            state.scroll_to_top();
        }
        Action::Move(steps) => select(state, |at, last| match at {
            None if steps > 0 => 0,
            None => last,
            Some(at) => at.saturating_add_signed(steps).min(last),
        }),
        Action::First => select(state, |_, _| 0),
        Action::Last => select(state, |_, last| last),
        Action::Open => open(state),
        Action::SortNext if state.tab == Tab::Health => {
            state.findings.next_severity();
            state.scroll_to_top();
        }
        Action::SortNext => sort_next(state),
        Action::SortReverse => {
            let sort = &mut state.look_mut(sorted_tab(state)).sort;
            sort.descending = !sort.descending;
        }
        Action::FilterStart => state.mode = Mode::Filter,
        Action::TimeStart => (state.mode, state.time) = (Mode::Time, String::new()),
        Action::FilterType(c) => typed(state, c),
        Action::FilterErase if state.mode == Mode::Time => drop(state.time.pop()),
        Action::FilterErase => state.filter.pop(),
        Action::FilterKeep if state.mode == Mode::Time => return go_to_time(state),
        Action::FilterKeep => state.mode = Mode::Normal,
        // A recording stands still with its picture.
        Action::Pause if state.feed.playback.is_some() => return Effect::Play(Play::PlayOrPause),
        Action::Pause if state.feed.back.is_some() => return Effect::Now,
        Action::Pause => pause(state),
        Action::Play(play) if state.feed.playback.is_some() => return Effect::Play(play),
        Action::Record if state.feed.playback.is_none() => return Effect::Record,
        Action::Repair if state.story.is_some() => return Effect::Repair,
        Action::Play(play @ (Play::Step(_) | Play::Skip(_) | Play::To(_))) => return Effect::Play(play),
        Action::Play(play @ (Play::Faster | Play::Slower)) => return interval(state, play == Play::Faster),
        // Live there is nothing to play, what is replayed is in a file already, and only the demo has something to repair.
        Action::Play(Play::PlayOrPause) | Action::Record | Action::Repair => {}
        Action::Feed(feed) => state.take_feed(feed),
        Action::Past(model) => state.take_past(model),
        Action::Zero => state.zero(),
        Action::Explain if state.tab == Tab::Health => {
            let look = &mut state.findings;
            look.explained = !(look.explained && look.details);
            look.details |= look.explained;
        }
        Action::Explain => return explain(state),
        Action::Measure => return measure(state),
        Action::Copy => return copy(state),
        // A recording has nothing more.
        Action::LookAgain if state.feed.playback.is_some() => {}
        Action::LookAgain => {
            state.said =
                Some("the kernel's tables, pods' namespaces and the host's files are read again".to_owned());
            return Effect::LookAgain;
        }
        Action::NextMeasure => state.measure = state.measure.next(tab_of_figures(state)),
        Action::NextTheme if state.no_color => {
            state.said = Some("no colours: NO_COLOR or --no-color".to_owned());
        }
        Action::NextTheme => {
            let preferences = &mut state.preferences;
            preferences.palette = preferences.palette.next();
            state.said = Some(format!("theme: {}", preferences.palette.name()));
        }
        Action::Model(model) => state.take(model),
        Action::FeedEnded => state.ended = true,
    }
    Effect::None
}

/// A character of the filter, or of the time.
fn typed(state: &mut State, c: char) {
    if state.mode != Mode::Time {
        state.filter.push(c);
    } else if !c.is_control() && state.time.chars().count() < TIME {
        state.time.push(c);
    }
}

/// To the time that was typed.
fn go_to_time(state: &mut State) -> Effect {
    state.mode = Mode::Normal;
    match Moment::parse(&state.time) {
        Ok(moment) => Effect::Play(Play::To(moment)),
        Err(help) => {
            state.said = Some(help);
            Effect::None
        }
    }
}

/// Takes samples more often, or less often.
fn interval(state: &mut State, is_faster: bool) -> Effect {
    let Some(now) = state.interval else { return Effect::None };
    let next = if is_faster {
        INTERVALS.into_iter().rev().find(|interval| *interval < now)
    } else {
        INTERVALS.into_iter().find(|interval| *interval > now)
    };
    let interval = next.unwrap_or(now);
    state.interval = Some(interval);
    let bound = if next.is_none() { ": no further here" } else { "" };
    state.said = Some(format!("a sample every {} s{bound}", interval.as_secs_f64()));
    if next.is_some() { Effect::Interval(interval) } else { Effect::None }
}

/// A text is in front and no table.
fn scrolls(state: &State) -> bool {
    state.mode == Mode::Help || matches!(state.tab, Tab::Mtu | Tab::Events | Tab::Cost) || state.is_whole()
}

fn scroll(state: &mut State, steps: isize) {
    let farthest = state.farthest.get();
    state.scroll = state.scroll.min(farthest).saturating_add_signed(steps).min(farthest);
}

/// Single steps go from finding to finding, and below the last one over the lines that follow; pages go over lines first.
fn move_in_findings(state: &mut State, steps: isize) {
    let is_page = steps.abs() > 1;
    let can_scroll = if steps > 0 { state.scroll < state.farthest.get() } else { state.scroll > 0 };
    if can_scroll && (is_page || steps < 0) {
        scroll(state, steps);
    } else if findings::step(state, steps.signum()).is_some() {
        state.scroll_to_top();
    } else {
        scroll(state, steps);
    }
}

/// Gives the fix of the finding in front to the terminal.
fn copy(state: &mut State) -> Effect {
    if state.tab != Tab::Health {
        return Effect::None;
    }
    match findings::fix(state) {
        None => Effect::None,
        Some(Err(why)) => {
            state.said = Some(why.to_owned());
            Effect::None
        }
        Some(Ok(line)) => {
            state.said = Some(format!("given to the terminal's clipboard: {line}"));
            Effect::Copy(line)
        }
    }
}

/// From elsewhere the key leads to where the answer is, and asks if nobody has.
fn explain(state: &mut State) -> Effect {
    let is_there = state.tab == Tab::Cost;
    go(state, Tab::Cost);
    if state.feed.playback.is_some() {
        // Nothing more can be found out of a recording.
        return Effect::None;
    }
    match (state.explaining.is_asked(), is_there) {
        (true, false) => Effect::None,
        (true, true) => {
            state.explaining.end();
            Effect::Explain(false)
        }
        (false, _) => {
            state.explaining.begin();
            Effect::Explain(true)
        }
    }
}

/// Which sizes arrive at the selected peer, or at all nodes: the answer is with what fits.
fn measure(state: &mut State) -> Effect {
    if state.feed.playback.is_some() || !matches!(state.tab, Tab::Mtu | Tab::Peers) {
        return Effect::None;
    }
    let rows = state.shown().filter(|_| state.tab == Tab::Peers).map(|model| rows(state, model, state.tab));
    let node = match rows.as_ref().map(|rows| selected(state, rows, Tab::Peers)) {
        None => None,
        Some(Some(Subject::Peer(row))) => {
            let Some(node) = row.peer.as_ref().and_then(|peer| peer.node_address) else {
                state.said = Some("no probes: this row has no node address".to_owned());
                return Effect::None;
            };
            Some(node)
        }
        Some(_) => return Effect::None,
    };
    go(state, Tab::Mtu);
    Effect::Measure(node)
}

fn go(state: &mut State, tab: Tab) {
    state.mode = Mode::Normal;
    state.scroll_to_top();
    state.tab = tab;
}

/// One step back: from help, from typing, from the filter, from the selection.
fn back(state: &mut State) {
    match state.mode {
        Mode::Help => {
            state.mode = Mode::Normal;
            state.scroll_to_top();
        }
        Mode::Filter => {
            state.mode = Mode::Normal;
            state.filter.clear();
        }
        Mode::Time => state.mode = Mode::Normal,
        Mode::Normal if state.is_whole() => state.look_mut(state.tab).details = Details::Below,
        Mode::Normal if !state.filter.is_empty() => state.filter.clear(),
        Mode::Normal => state.look_mut(state.tab).selected = None,
    }
}

/// Moves the selection: `to` gets where it is and the last row.
fn select(state: &mut State, to: impl Fn(Option<usize>, usize) -> usize) {
    let Some(model) = state.shown() else { return };
    let rows = rows(state, model, state.tab);
    let Some(last) = rows.len().checked_sub(1) else { return };
    // Where details are shown, the first row is the selected one until another is.
    let first = (state.tab != Tab::Overview).then_some(0);
    let at = position(&rows, state.look(state.tab).selected.as_ref()).or(first);
    let key = rows.get(to(at, last)).map(|row| row.key());
    state.look_mut(state.tab).selected = key;
}

fn open(state: &mut State) {
    if state.tab == Tab::Health {
        state.findings.details = !state.findings.details;
        return;
    }
    if state.tab != Tab::Overview {
        let has_more = state.has_more.get();
        let look = state.look_mut(state.tab);
        look.details = match look.details {
            Details::Below if has_more => Details::Whole,
            Details::Below | Details::Whole => Details::Off,
            Details::Off => Details::Below,
        };
        state.scroll_to_top();
        return;
    }
    let Some(key) = state.look(Tab::Overview).selected.clone() else { return };
    state.tab = key.tab();
    let look = state.look_mut(state.tab);
    look.selected = Some(key);
    look.details = Details::Below;
}

/// The overview's tables have the orders of their tabs: there, the table with the selection is sorted, or the last one
/// that is not of VFs.
fn sorted_tab(state: &State) -> Tab {
    if state.tab != Tab::Overview {
        return state.tab;
    }
    let tables = state.shown().map(overview_tables).unwrap_or_default();
    match &state.look(Tab::Overview).selected {
        Some(key) => key.tab(),
        None if tables.contains(&Tab::Pods) => Tab::Pods,
        None => Tab::Vfs,
    }
}

fn sort_next(state: &mut State) {
    let tab = sorted_tab(state);
    let columns =
        columns::of(tab, state.measure, state.model.iter().flat_map(|model| subject::of(model, tab)));
    let sort = state.look(tab).sort;
    let at = columns.iter().position(|column| *column == sort.column);
    let next = at.map_or(0, |at| (at + 1) % columns.len().max(1));
    if let Some(column) = columns.get(next) {
        state.look_mut(tab).sort = Sort { column: *column, descending: column.spec().number };
    }
}

fn pause(state: &mut State) {
    state.frozen = match state.frozen.take() {
        Some(_) => None,
        None => state.model.clone().map(|model| Frozen { model, history: state.history.clone() }),
    };
}

/// The selected row of a tab, as long as it exists and the filter lets it through; else the first row of a tab that
/// shows details.
pub(super) fn selected<'a>(state: &State, rows: &[Subject<'a>], tab: Tab) -> Option<Subject<'a>> {
    let at = position(rows, state.look(tab).selected.as_ref());
    match (at, tab) {
        (Some(at), _) => rows.get(at).copied(),
        (None, Tab::Overview) => None,
        (None, _) => rows.first().copied(),
    }
}
