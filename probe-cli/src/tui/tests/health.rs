//! What the checks find is in the header, on the overview and in its tab.

use std::{sync::Arc, time::Duration};

use super::{SIZES, draw, keys, snapshots};
use crate::{
    check::testdata::Node,
    inventory::testdata::{FLANNEL, mac},
    tui::{action::Action, state::State, update::update},
};

/// A node that is well for a while, then as somebody broke it.
fn state(change: impl Fn(&mut Node)) -> State {
    let mut state = State::new("node1".to_owned(), false);
    let mut push = |node: &Node, second: u64| {
        let mut model = node.model();
        model.time = Duration::from_secs(1_700_000_000 + second);
        update(&mut state, Action::Model(Arc::new(model)));
    };
    push(&Node::canal(), 0);
    push(&Node::canal(), 1);
    let mut broken = Node::canal();
    change(&mut broken);
    push(&broken, 62);
    push(&broken, 122);
    state
}

fn without_fdb(node: &mut Node) {
    node.facts().fdb.retain(|entry| entry.mac != mac(3));
    node.facts().routes.ipv4.retain(|route| route.destination.to_string() != "0.0.0.0/0");
}

#[test]
fn a_node_that_is_well_says_so_and_what_that_rests_on() {
    let mut state = state(|_| {});
    for size in SIZES {
        assert!(draw(&state, size).lines().next().unwrap().contains(" OK"), "{}", draw(&state, size));
    }
    keys(&mut state, "6");
    let screen = draw(&state, (80, 24));
    assert!(screen.contains("No problem found: 4") && screen.contains("do not apply"), "{screen}");
}

#[test]
fn what_is_wrong_is_in_the_header_on_the_overview_and_in_its_tab() {
    let mut state = state(without_fdb);
    for size in SIZES {
        let screen = draw(&state, size);
        assert!(screen.lines().next().unwrap().contains(" FAIL 2 "), "{screen}");
        assert!(
            screen.contains(" FAIL host-default-route-missing ")
                || screen.contains(" FAIL peer-neighbour-without-fdb ")
        );
    }
    insta::assert_snapshot!("broken-overview", draw(&state, (120, 40)));
    keys(&mut state, "6");
    snapshots("broken-health", &state);
    keys(&mut state, "/default");
    let screen = draw(&state, (120, 40));
    assert!(
        !screen.contains("peer-neighbour-without-fdb") && screen.contains("since 22:14:22, 60s"),
        "{screen}"
    );
}

#[test]
fn it_is_told_while_the_picture_stands_still() {
    let mut state = state(|_| {});
    keys(&mut state, "p");
    let mut broken = Node::canal();
    for link in broken.facts().links.iter_mut().filter(|link| link.ifindex == FLANNEL) {
        link.up = false;
    }
    let mut model = broken.model();
    model.time = Duration::from_secs(1_700_000_200);
    update(&mut state, Action::Model(Arc::new(model)));
    let screen = draw(&state, (80, 24));
    assert!(screen.contains("FAIL 1") && screen.contains("PAUSED"), "{screen}");
    assert!(screen.contains("FAIL dataplane-tunnel-down  flannel.1 is down"), "{screen}");
}
