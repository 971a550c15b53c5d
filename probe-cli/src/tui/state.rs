//! What the screen remembers between two models. Changed by `update` only.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{columns::ColumnId, history::History, measure::Measure, subject::RowKey, tab::Tab};
use crate::model::{Model, PmtuEventRow};

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

/// A message about a packet that was too big, with the wall clock of its arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Since the Unix epoch.
    pub(super) time: Duration,
    /// What it says.
    pub(super) event: PmtuEventRow,
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
    /// The newest model.
    pub(super) model: Option<Arc<Model>>,
    /// Graphs up to the newest model.
    pub(super) history: History,
    /// The picture when paused.
    pub(super) frozen: Option<Frozen>,
    /// The newest first.
    pub(super) messages: VecDeque<Message>,
    /// How many came so far.
    pub(super) message_count: u64,
    /// No model will come any more.
    pub(super) ended: bool,
}

impl State {
    /// Before the first model.
    pub(super) fn new(title: String, no_color: bool) -> Self {
        let look = |tab: Tab| Look {
            selected: None,
            sort: match tab {
                Tab::Tunnels | Tab::Overview => Sort { column: ColumnId::Name, descending: false },
                _ => Sort { column: ColumnId::Tx, descending: true },
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
            model: None,
            history: History::default(),
            frozen: None,
            messages: VecDeque::new(),
            message_count: 0,
            ended: false,
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
    pub(super) fn message_of_the_feed(&self) -> Option<&'static str> {
        self.ended.then_some(" No longer counting: the probe has stopped. q quits and shows why.")
    }

    /// Takes in a new model.
    pub(super) fn take(&mut self, model: Arc<Model>) {
        for event in &model.pmtu_events {
            let time = model.time.saturating_sub(event.age);
            self.messages.push_front(Message { time, event: event.clone() });
            self.message_count += 1;
        }
        self.messages.truncate(MESSAGES);
        self.history.push(&model);
        self.model = Some(model);
    }
}
