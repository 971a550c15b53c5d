//! What an action does to the state. Pure.

use super::{
    action::{Action, Effect},
    columns,
    feed::Play,
    list::{overview_tables, position, rows},
    state::{Frozen, Mode, Sort, State},
    subject::{self, Subject},
    tab::Tab,
};

/// A filter this long finds nothing anyway.
const FILTER: usize = 60;

/// More lines than any text has; what is drawn stops at its end.
const SCROLLED: usize = 10_000;

/// Applies an action.
pub(super) fn update(state: &mut State, action: Action) -> Effect {
    match action {
        Action::Quit => return Effect::Quit,
        Action::Redraw => return Effect::Clear,
        Action::Help => {
            state.mode = if state.mode == Mode::Help { Mode::Normal } else { Mode::Help };
            state.scroll = 0;
        }
        Action::Back => back(state),
        Action::Tab(tab) => go(state, tab),
        Action::NextTab => go(state, state.tab.step(1)),
        Action::PreviousTab => go(state, state.tab.step(Tab::ALL.len() - 1)),
        Action::Move(steps) if scrolls(state) => {
            state.scroll = state.scroll.saturating_add_signed(steps).min(SCROLLED);
        }
        Action::First if scrolls(state) => state.scroll = 0,
        Action::Last if scrolls(state) => state.scroll = SCROLLED,
        Action::Move(steps) => select(state, |at, last| match at {
            None if steps > 0 => 0,
            None => last,
            Some(at) => at.saturating_add_signed(steps).min(last),
        }),
        Action::First => select(state, |_, _| 0),
        Action::Last => select(state, |_, last| last),
        Action::Open => open(state),
        Action::SortNext => sort_next(state),
        Action::SortReverse => {
            let sort = &mut state.look_mut(sorted_tab(state)).sort;
            sort.descending = !sort.descending;
        }
        Action::FilterStart => state.mode = Mode::Filter,
        Action::FilterType(c) => {
            if !c.is_control() && state.filter.chars().count() < FILTER {
                state.filter.push(c);
            }
        }
        Action::FilterErase => {
            state.filter.pop();
        }
        Action::FilterKeep => state.mode = Mode::Normal,
        // A recording stands still with its picture.
        Action::Pause if state.feed.playback.is_some() => return Effect::Play(Play::PlayOrPause),
        Action::Pause => pause(state),
        Action::Play(play) if state.feed.playback.is_some() => return Effect::Play(play),
        Action::Record if state.feed.playback.is_none() => return Effect::Record,
        // Live there is nothing to play, and what is replayed is in a file already.
        Action::Play(_) | Action::Record => {}
        Action::Feed(feed) => state.feed = feed,
        Action::Zero => state.zero(),
        Action::Explain => return explain(state),
        Action::NextMeasure => state.measure = state.measure.next(state.tab),
        Action::Model(model) => state.take(model),
        Action::FeedEnded => state.ended = true,
    }
    Effect::None
}

/// A text is in front and no table.
fn scrolls(state: &State) -> bool {
    state.mode == Mode::Help || matches!(state.tab, Tab::Health | Tab::Messages | Tab::Cost)
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

fn go(state: &mut State, tab: Tab) {
    state.mode = Mode::Normal;
    state.scroll = 0;
    state.tab = tab;
}

/// One step back: from help, from typing, from the filter, from the selection.
fn back(state: &mut State) {
    match state.mode {
        Mode::Help => (state.mode, state.scroll) = (Mode::Normal, 0),
        Mode::Filter => {
            state.mode = Mode::Normal;
            state.filter.clear();
        }
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
    if state.tab != Tab::Overview {
        let look = state.look_mut(state.tab);
        look.details = !look.details;
        return;
    }
    let Some(key) = state.look(Tab::Overview).selected.clone() else { return };
    state.tab = key.tab();
    let look = state.look_mut(state.tab);
    look.selected = Some(key);
    look.details = true;
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
