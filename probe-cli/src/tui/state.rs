//! What the screen remembers between two models. Changed by `update` only.

use std::{cell::Cell, sync::Arc, time::Duration};

use super::{
    columns::ColumnId, explaining::Explaining, feed::Feed, filter::Filter, findings::FindingsLook,
    history::History, log::Log, measure::Measure, past::Past, preferences::Preferences, story::Story,
    subject::RowKey, tab::Tab,
};
use crate::{
    check::{Health, Ongoing},
    model::{self, Model},
};

/// More lines than any text has.
const LONGEST: usize = 10_000;

/// Who gets the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Tables.
    #[default]
    Normal,
    /// The filter's text.
    Filter,
    /// A time to go to.
    Time,
    /// The help screen.
    Help,
}

/// How a table is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    /// By what.
    pub(super) column: ColumnId,
    /// Largest first.
    pub(super) descending: bool,
}

/// How one tab's table is looked at.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// The selected row.
    pub(super) selected: Option<RowKey>,
    /// Its order.
    pub(super) sort: Sort,
    /// How much of the selected row is shown.
    pub(super) details: Details,
}

/// How much of the selected row is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Details {
    /// What has room below the table.
    Below,
    /// Everything, in place of the table.
    Whole,
    /// Its line in the table only.
    Off,
}

/// A picture that does not move.
#[derive(Clone, Debug)]
pub(super) struct Frozen {
    /// The model of that moment.
    pub(super) model: Arc<Model>,
    /// The graphs of that moment.
    pub(super) history: History,
}

/// Everything the screen remembers.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// What is looked at.
    pub(super) title: String,
    /// No colour.
    pub(super) no_color: bool,
    /// How somebody likes it.
    pub(super) preferences: Preferences,
    /// The tab in front.
    pub(super) tab: Tab,
    /// How far apart samples are; none in a recording.
    pub(super) interval: Option<Duration>,
    /// Who gets the keys.
    pub(super) mode: Mode,
    /// What rates are shown.
    pub(super) measure: Measure,
    /// What rows have to match.
    pub(super) filter: Filter,
    /// The time that is being typed.
    pub(super) time: String,
    /// By tab, in the order of [`Tab::ALL`].
    looks: [Look; Tab::ALL.len()],
    /// How the findings are looked at.
    pub(super) findings: FindingsLook,
    /// What a key has come to, until the next key.
    pub(super) said: Option<String>,
    /// Lines of a text that are above the screen.
    pub(super) scroll: usize,
    /// How many there can be, by the last frame: only drawing shows how long a text is.
    pub(super) farthest: Cell<usize>,
    /// Details had more lines than room, by the last frame.
    pub(super) has_more: Cell<bool>,
    /// The newest model, with totals as they are shown.
    pub(super) model: Option<Arc<Model>>,
    /// The newest model as it came.
    raw: Option<Arc<Model>>,
    /// The model that totals are shown since; none for those since counting began.
    since: Option<Arc<Model>>,
    /// Graphs up to the newest model.
    pub(super) history: History,
    /// The picture when paused.
    pub(super) frozen: Option<Frozen>,
    /// The picture of an earlier moment, while somebody looks at one; all else goes on behind it.
    pub(super) past: Option<Box<Past>>,
    /// What has happened.
    pub(super) log: Log,
    /// What the checks come to with the newest model; what is wrong is told while the picture stands still, too.
    pub(super) health: Health,
    /// The checks, and what they found so far.
    ongoing: Ongoing,
    /// Why packets are "other", since somebody asked.
    pub(super) explaining: Explaining,
    /// The demo's; none on a node.
    pub(super) story: Option<Story>,
    /// No model will come any more.
    pub(super) ended: bool,
    /// What is said beside the models.
    pub(super) feed: Feed,
}

impl State {
    /// Before the first model.
    pub(super) fn new(title: String, no_color: bool) -> Self {
        let look = |tab: Tab| Look {
            selected: None,
            sort: match tab {
                Tab::Tunnels | Tab::Overview => Sort { column: ColumnId::Name, descending: false },
                Tab::Peers | Tab::Pods | Tab::Vfs | Tab::Mtu | Tab::Health | Tab::Events | Tab::Cost => {
                    Sort { column: ColumnId::Tx, descending: true }
                }
            },
            details: Details::Below,
        };
        Self {
            title,
            no_color,
            preferences: Preferences::default(),
            tab: Tab::default(),
            interval: None,
            mode: Mode::default(),
            measure: Measure::default(),
            filter: Filter::default(),
            time: String::new(),
            looks: Tab::ALL.map(look),
            findings: FindingsLook::default(),
            said: None,
            scroll: 0,
            farthest: Cell::new(LONGEST),
            has_more: Cell::new(false),
            model: None,
            raw: None,
            since: None,
            history: History::default(),
            frozen: None,
            past: None,
            log: Log::default(),
            health: Health::default(),
            ongoing: Ongoing::default(),
            explaining: Explaining::default(),
            story: None,
            ended: false,
            feed: Feed::default(),
        }
    }

    /// The same as somebody likes it.
    pub(super) fn with(self, preferences: Preferences) -> Self {
        Self { tab: preferences.first, measure: preferences.measure, preferences, ..self }
    }

    /// How a tab is looked at.
    pub(super) fn look(&self, tab: Tab) -> &Look {
        &self.looks[tab as usize]
    }

    /// The same, to change it.
    pub(super) fn look_mut(&mut self, tab: Tab) -> &mut Look {
        &mut self.looks[tab as usize]
    }

    /// The selected row's details are in front, as a text.
    pub(super) fn is_whole(&self) -> bool {
        self.tab.is_table() && self.look(self.tab).details == Details::Whole
    }

    /// From the top of a text whose length is not known yet.
    pub(super) fn scroll_to_top(&mut self) {
        self.scroll = 0;
        self.farthest.set(LONGEST);
    }

    /// The model on screen: the newest, or the one of the pause, or of an earlier moment.
    pub(super) fn shown(&self) -> Option<&Model> {
        let past = self.past.as_ref().map(|past| &past.model);
        let frozen = self.frozen.as_ref().map(|frozen| &frozen.model);
        past.or(frozen).or(self.model.as_ref()).map(AsRef::as_ref)
    }

    /// The picture is of the newest model of what happens now: not of a pause, an earlier moment or a recording.
    pub(super) fn is_now(&self) -> bool {
        self.past.is_none() && self.frozen.is_none() && self.feed.playback.is_none()
    }

    /// The graphs on screen.
    pub(super) fn shown_history(&self) -> &History {
        match (&self.past, &self.frozen) {
            (Some(past), _) => &past.history,
            (None, Some(frozen)) => &frozen.history,
            (None, None) => &self.history,
        }
    }

    /// The model that says what is wrong: the newest, while the picture stands still, too; or that of an earlier moment.
    pub(super) fn latest(&self) -> Option<&Model> {
        self.past.as_ref().map(|past| &past.model).or(self.model.as_ref()).map(AsRef::as_ref)
    }

    /// What the checks come to with it.
    pub(super) fn health(&self) -> &Health {
        self.past.as_ref().map_or(&self.health, |past| &past.health)
    }

    /// What has happened up to it.
    pub(super) fn log(&self) -> &Log {
        self.past.as_ref().map_or(&self.log, |past| &past.log)
    }

    /// Takes in a model of an earlier moment.
    pub(super) fn take_past(&mut self, model: Arc<Model>) {
        // Nobody looks there any more.
        if self.feed.back.is_some() {
            let past = self.past.take().map(|past| *past);
            self.past = Some(Box::new(Past::next(past, model)));
        }
    }

    /// Takes in what is said beside the models.
    pub(super) fn take_feed(&mut self, feed: Feed) {
        if feed.back.is_none() {
            self.past = None;
        }
        self.feed = feed;
    }

    /// What to say when the picture is not what the node does now.
    pub(super) fn message_of_the_feed(&self) -> Option<(String, bool)> {
        const ENDED: &str = " No longer counting: the probe has stopped. q quits and shows why.";
        let line = || self.feed.line(self.shown().map(|model| model.time));
        if self.ended { Some((ENDED.to_owned(), true)) } else { line() }
    }

    /// Takes in a new model.
    pub(super) fn take(&mut self, model: Arc<Model>) {
        if self.feed.playback.is_some() && self.raw.as_ref().is_some_and(|raw| model.time < raw.time) {
            self.go_back();
        }
        if let Some(rows) = &model.explained {
            self.explaining.take(rows);
        }
        self.history.push(&model);
        self.health = self.ongoing.next(&model);
        self.log.take(self.raw.as_deref(), &model, &self.health);
        if let Some(story) = &mut self.story {
            story.take(&self.health);
        }
        self.model = Some(match &self.since {
            Some(since) => Arc::new(model::totals_since(&model, since)),
            None => Arc::clone(&model),
        });
        self.raw = Some(model);
    }

    /// Forgets what comes only later in a recording.
    fn go_back(&mut self) {
        (self.history, self.ongoing) = (History::default(), Ongoing::default());
        (self.since, self.frozen) = (None, None);
        self.log = Log::default();
    }

    /// Begins totals anew.
    pub(super) fn zero(&mut self) {
        self.since.clone_from(&self.raw);
        self.model = self.raw.as_ref().map(|raw| Arc::new(model::totals_since(raw, raw)));
    }

    /// Wall clock that totals are shown since, when that is not when counting began.
    pub(super) fn zeroed(&self) -> Option<Duration> {
        self.since.as_ref().map(|model| model.time)
    }
}
