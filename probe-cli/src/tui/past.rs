//! An earlier moment of a live run, with what led to it: graphs, findings and events up to then. Made of the models of that time;
//! what comes later is not known in it. Pure.

use std::sync::Arc;

use super::{history::History, log::Log};
use crate::{
    check::{Health, Ongoing},
    model::Model,
};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// The model of that moment.
    pub(super) model: Arc<Model>,
    /// Graphs up to it.
    pub(super) history: History,
    /// What had happened.
    pub(super) log: Log,
    /// What was wrong.
    pub(super) health: Health,
    ongoing: Ongoing,
}

impl Past {
    /// The next moment. None before the first; an earlier one begins anew.
    pub(super) fn next(past: Option<Self>, model: Arc<Model>) -> Self {
        let past = past.filter(|past| past.model.time <= model.time);
        let before = past.is_some();
        let mut past = past.unwrap_or_default();
        past.history.push(&model);
        past.health = past.ongoing.next(&model);
        past.log.take(before.then_some(&past.model), &model, &past.health);
        past.model = model;
        past
    }
}
