//! eBPF programs on a tunnel's devices.

use super::*;
use crate::observed::Observed;

fn shown(model: Model) -> State {
    let mut state = State::new("node1".to_owned(), false);
    update(&mut state, Action::Model(Arc::new(model)));
    keys(&mut state, "2G");
    state
}

#[test]
fn programs_are_in_a_tunnels_details_in_their_order() {
    snapshots("programs-tunnel", &shown(model::hooks::testdata::model()));
}

#[test]
fn what_could_not_be_read_is_unknown() {
    let hooks = Observed::Failed { error: "list the TCX programs of interface 3: \u{1b}[2J".to_owned() };
    let screen = draw(&shown(Model { hooks, ..model::hooks::testdata::model() }), (120, 40));
    assert!(
        screen.contains("programs    unknown: list the TCX programs of interface 3: \\u{1b}[2J"),
        "{screen}"
    );
}
