//! States for the tests of screens.

use std::sync::Arc;

use super::{action::Action, state::State, update::update};
use crate::model::{
    self, Inventory, PerDirection, Sample,
    testdata::{add_networks, add_pod_interfaces, add_vfs, build, inventory, many_vfs, sample},
};

/// A state after a minute of models.
pub(super) fn state(pods: u8) -> State {
    minute(&inventory(pods), |_, _| {})
}

/// The same node with virtual functions.
pub(super) fn state_with_vfs(pods: u8) -> State {
    let mut inventory = inventory(pods);
    inventory.vfs = many_vfs();
    minute(&inventory, add_vfs)
}

/// The same node where a pod has secondary networks, and another is on the node's own.
pub(super) fn state_with_networks(pods: u8) -> State {
    let mut inventory = inventory(pods);
    add_networks(&mut inventory);
    minute(&inventory, add_pod_interfaces)
}

/// A node with virtual functions and no tunnel, after a minute.
pub(super) fn state_of_vfs() -> State {
    let inventory = Inventory { vfs: many_vfs(), ..Inventory::default() };
    minute(&inventory, |sample, second| {
        // Nothing is carried through no tunnel.
        sample.other_pods = PerDirection::default();
        add_vfs(sample, second);
    })
}

fn minute(inventory: &Inventory, add: impl Fn(&mut Sample, u64)) -> State {
    let sample = |second: u64| {
        let mut sample = sample(inventory, second);
        add(&mut sample, second);
        sample
    };
    let mut state = State::new("node1".to_owned(), false);
    for second in 1..=60 {
        let before = (second > 1).then(|| sample(second - 1));
        let model = build(inventory, &sample(second), before.as_ref());
        update(&mut state, Action::Model(Arc::new(model)));
    }
    state
}

/// The same node a second later, with trouble.
pub(super) fn trouble(state: &mut State) {
    update(state, Action::Model(Arc::new(model::testdata::troubled())));
}

/// The same node where somebody asked why packets are "other", a second later.
pub(super) fn explained(state: &mut State) {
    update(state, Action::Explain);
    update(state, Action::Model(Arc::new(model::explained::testdata::model())));
}
