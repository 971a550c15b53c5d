//! What the screen remembers between two models. Changed by `update` only.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    columns::ColumnId, explaining::Explaining, feed::Feed, history::History, measure::Measure,
    subject::RowKey, tab::Tab,
};
use crate::{
    check::{Health, Ongoing},
    model::{self, Model, PmtuEventRow},
};

/// Messages kept.
const MESSAGES: usize = 200;

/// Who gets the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Tables.
    #[default]
    Normal,
    /// The filter's text.
    Filter,
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
    /// The selected row's details are shown.
    pub(super) details: bool,
}

/// Messages about packets that were too big, from one sender about one way, with the wall clock of their arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// When the first came, since the Unix epoch.
    pub(super) first: Duration,
    /// When the last came.
    pub(super) last: Duration,
    /// How many came.
    pub(super) count: u64,
    /// The smallest and the largest MTU that they ask for; none when none names one.
    pub(super) mtus: Option<(u32, u32)>,
    /// What the last says.
    pub(super) event: PmtuEventRow,
}

impl Message {
    fn new(time: Duration, event: &PmtuEventRow) -> Self {
        let mtus = event.mtu.map(|mtu| (mtu, mtu));
        Self { first: time, last: time, count: 1, mtus, event: event.clone() }
    }

    /// Takes in one more, if it is from the same sender about the same way.
    fn fold(&mut self, time: Duration, event: &PmtuEventRow) -> bool {
        let about = |event: &PmtuEventRow| (event.tunnel_name.clone(), event.reporter, event.destination);
        if about(&self.event) != about(event) {
            return false;
        }
        self.last = self.last.max(time);
        self.count += 1;
        self.mtus = match (self.mtus, event.mtu) {
            (Some((low, high)), Some(mtu)) => Some((low.min(mtu), high.max(mtu))),
            (mtus, mtu) => mtus.or(mtu.map(|mtu| (mtu, mtu))),
        };
        self.event.clone_from(event);
        true
    }
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
    /// The tab in front.
    pub(super) tab: Tab,
    /// Who gets the keys.
    pub(super) mode: Mode,
    /// What rates are shown.
    pub(super) measure: Measure,
    /// Rows must contain this, in any case; empty for all rows.
    pub(super) filter: String,
    /// By tab, in the order of [`Tab::ALL`].
    looks: [Look; Tab::ALL.len()],
    /// Lines of a text that are above the screen.
    pub(super) scroll: usize,
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
    /// The newest first, those of one kind together.
    pub(super) messages: VecDeque<Message>,
    /// What the checks come to with the newest model; what is wrong is told while the picture stands still, too.
    pub(super) health: Health,
    /// The checks, and what they found so far.
    ongoing: Ongoing,
    /// Why packets are "other", since somebody asked.
    pub(super) explaining: Explaining,
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
                Tab::Peers | Tab::Pods | Tab::Vfs | Tab::Health | Tab::Messages | Tab::Cost => {
                    Sort { column: ColumnId::Tx, descending: true }
                }
            },
            details: true,
        };
        Self {
            title,
            no_color,
            tab: Tab::default(),
            mode: Mode::default(),
            measure: Measure::default(),
            filter: String::new(),
            looks: Tab::ALL.map(look),
            scroll: 0,
            model: None,
            raw: None,
            since: None,
            history: History::default(),
            frozen: None,
            messages: VecDeque::new(),
            health: Health::default(),
            ongoing: Ongoing::default(),
            explaining: Explaining::default(),
            ended: false,
            feed: Feed::default(),
        }
    }

    /// How a tab is looked at.
    pub(super) fn look(&self, tab: Tab) -> &Look {
        &self.looks[tab as usize]
    }

    /// The same, to change it.
    pub(super) fn look_mut(&mut self, tab: Tab) -> &mut Look {
        &mut self.looks[tab as usize]
    }

    /// The model on screen: the newest, or the one of the pause.
    pub(super) fn shown(&self) -> Option<&Model> {
        self.frozen.as_ref().map(|frozen| &frozen.model).or(self.model.as_ref()).map(AsRef::as_ref)
    }

    /// The graphs on screen.
    pub(super) fn shown_history(&self) -> &History {
        self.frozen.as_ref().map_or(&self.history, |frozen| &frozen.history)
    }

    /// What to say when the picture is not what the node does now.
    pub(super) fn message_of_the_feed(&self) -> Option<(String, bool)> {
        const ENDED: &str = " No longer counting: the probe has stopped. q quits and shows why.";
        let line = || self.feed.line(self.model.as_ref().map(|model| model.time));
        if self.ended { Some((ENDED.to_owned(), true)) } else { line() }
    }

    /// Takes in a new model.
    pub(super) fn take(&mut self, model: Arc<Model>) {
        if self.feed.playback.is_some() && self.raw.as_ref().is_some_and(|raw| model.time < raw.time) {
            self.go_back();
        }
        for event in &model.pmtu_events {
            let time = model.time.saturating_sub(event.age);
            let known = self.messages.iter_mut().position(|message| message.fold(time, event));
            let message = known.and_then(|at| self.messages.remove(at));
            self.messages.push_front(message.unwrap_or_else(|| Message::new(time, event)));
        }
        self.messages.truncate(MESSAGES);
        if let Some(rows) = &model.explained {
            self.explaining.take(rows);
        }
        self.history.push(&model);
        self.health = self.ongoing.next(&model);
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
        self.messages.clear();
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
