//! States for the tests of screens.

use std::sync::Arc;

use super::{action::Action, state::State, update::update};
use crate::model::{
    self,
    testdata::{inventory, sample},
};

/// A state after a minute of models.
pub(super) fn state(pods: u8) -> State {
    let inventory = inventory(pods);
    let mut state = State::new("node1".to_owned(), false);
    for second in 1..=60 {
        let before = (second > 1).then(|| sample(&inventory, second - 1));
        let model = model::build(&inventory, &sample(&inventory, second), before.as_ref());
        update(&mut state, Action::Model(Arc::new(model)));
    }
    state
}

/// The same node a second later, with trouble.
pub(super) fn trouble(state: &mut State) {
    update(state, Action::Model(Arc::new(model::testdata::troubled())));
}
