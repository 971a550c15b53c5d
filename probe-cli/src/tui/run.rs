//! The loop: keys and models in, frames out.

use std::{
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures::StreamExt as _;
use tokio::sync::{mpsc, watch};

use super::{
    action::{Action, Effect},
    feed::Feed,
    keymap,
    preferences::Preferences,
    state::{Mode, State},
    story::Story,
    terminal::Screen,
    update::update,
    view::view,
};
use crate::{model::Model, record::player::Play};

/// How to show it.
#[derive(Clone, Debug)]
pub struct TuiOptions {
    /// What is said beside the models, whenever it changes.
    pub feed: watch::Receiver<Feed>,
    /// Models of an earlier moment that somebody looks back to.
    pub past: watch::Receiver<Option<Arc<Model>>>,
    /// How far apart samples are; none in a recording.
    pub interval: Option<Duration>,
    /// How the user likes it.
    pub preferences: Preferences,
    /// No colour.
    pub no_color: bool,
    /// What is looked at; any text.
    pub title: String,
    /// It is the demo, which has an incident to repair.
    pub is_demo: bool,
}

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To say why packets are "other", for so many of them; none ends it.
    Explain(Option<u64>),
    /// To look again at what is looked at now and then only, as pods' network namespaces.
    LookAgain,
    /// To repair the demo's incident, or to make it again.
    Repair,
    /// To play a recording otherwise, or to look back in a live run.
    Play(Play),
    /// To look back no more.
    Now,
    /// To take samples so far apart.
    Interval(Duration),
    /// To write a recording of what follows, or to end it.
    Record,
    /// To measure the paths to the node with this address, else those to all.
    Measure(Option<IpAddr>),
}

/// How often it is drawn while the models of a moment are made.
const WHILE_READING: Duration = Duration::from_millis(100);

/// Packets that are explained when the user asks.
const EXPLAINED: u64 = 100;

/// Why the UI cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// The terminal says that it cannot move its cursor.
    #[error(
        "this terminal cannot show screens (TERM is dumb); use `overlay-probe watch`, or set TERM to what it is"
    )]
    Dumb,
    /// The terminal cannot be drawn on.
    #[error(
        "cannot {operation} the terminal: {source}; use `overlay-probe watch` where there is no terminal"
    )]
    Terminal {
        /// What was tried.
        operation: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Fails when the terminal says that it can show no screen. Asked before anything is attached.
pub fn check_terminal() -> Result<(), TuiError> {
    let is_dumb = std::env::var_os("TERM").is_some_and(|name| name == "dumb");
    if is_dumb { Err(TuiError::Dumb) } else { Ok(()) }
}

/// Shows models until the user quits. When the sender is gone, the last model stays on screen and says so.
pub async fn run(
    mut models: watch::Receiver<Option<Arc<Model>>>,
    asked: mpsc::UnboundedSender<Asked>,
    options: TuiOptions,
) -> Result<(), TuiError> {
    let failed = |operation| move |source| TuiError::Terminal { operation, source };
    let mut screen = Screen::take().map_err(failed("take over"))?;
    let mut keys = EventStream::new();
    let TuiOptions { mut feed, mut past, interval, preferences, title, no_color, is_demo } = options;
    let mut state = State::new(title, no_color).with(preferences);
    state.interval = interval;
    state.story = is_demo.then(Story::default);
    update(&mut state, Action::Feed(feed.borrow_and_update().clone()));
    let first = models.borrow_and_update().clone();
    if let Some(model) = first {
        update(&mut state, Action::Model(model));
    }
    let mut drawn: Option<Instant> = None;
    loop {
        screen.keep().map_err(failed("take back"))?;
        // While many models come, drawing each would take longer than making them.
        let is_late = drawn.is_none_or(|drawn| drawn.elapsed() >= WHILE_READING);
        if state.feed.reading.is_none() || is_late {
            screen.terminal().draw(|frame| view(&state, frame)).map_err(failed("draw on"))?;
            drawn = Some(Instant::now());
        }
        let action = tokio::select! {
            changed = models.changed(), if !state.ended => match changed {
                Ok(()) => models.borrow_and_update().clone().map(Action::Model),
                Err(_gone) => Some(Action::FeedEnded),
            },
            Ok(()) = past.changed() => past.borrow_and_update().clone().map(Action::Past),
            Ok(()) = feed.changed() => Some(Action::Feed(feed.borrow_and_update().clone())),
            event = keys.next() => match event {
                Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                    let is_typed = matches!(state.mode, Mode::Filter | Mode::Time);
                    let meant = if is_typed { Some(key) } else { state.preferences.keys.meant(key) };
                    meant.and_then(|key| keymap::action(state.mode, key))
                }
                // A resize only needs a new frame.
                Some(Ok(_)) => None,
                Some(Err(source)) => return Err(failed("read from")(source)),
                // The terminal has gone away.
                None => Some(Action::Quit),
            },
        };
        let Some(action) = action else { continue };
        match update(&mut state, action) {
            Effect::None => {}
            Effect::Quit => return Ok(()),
            // Nobody takes it when the engine has ended, which the screen says by itself.
            Effect::Explain(is_asked) => drop(asked.send(Asked::Explain(is_asked.then_some(EXPLAINED)))),
            Effect::LookAgain => drop(asked.send(Asked::LookAgain)),
            Effect::Repair => drop(asked.send(Asked::Repair)),
            Effect::Copy(line) => Screen::copy(&line).map_err(failed("write to"))?,
            Effect::Play(play) => drop(asked.send(Asked::Play(play))),
            Effect::Now => drop(asked.send(Asked::Now)),
            Effect::Interval(interval) => drop(asked.send(Asked::Interval(interval))),
            Effect::Measure(node) => drop(asked.send(Asked::Measure(node))),
            Effect::Record => drop(asked.send(Asked::Record)),
            Effect::Clear => screen.terminal().clear().map_err(failed("clear"))?,
        }
    }
}
