//! What figures say and when they are alarms, what stays in sight, and what a small screen leaves out.

use std::{sync::Arc, time::Duration};

use ratatui::{
    Terminal,
    backend::TestBackend,
    style::{Color, Modifier},
};

use super::{draw, keys, testdata};
use crate::{
    model::{
        self, Model,
        fields::columns::{FRAGMENTS, MEAN_SIZE, OVERHEAD, OVERSIZE, SEGMENTS},
    },
    tui::{
        action::Action,
        cells,
        columns::ColumnId,
        list,
        measure::Measure,
        state::State,
        subject::{RowKey, Subject},
        tab::Tab,
        update::update,
        view::view,
    },
};

/// A model a second after the shown one, with something changed in its samples.
fn second_later(change: impl Fn(&mut model::Sample)) -> Model {
    let inventory = model::testdata::inventory(2);
    let before = model::testdata::sample(&inventory, 60);
    let mut now = before.clone();
    now.time += Duration::from_secs(1);
    now.monotonic += Duration::from_secs(1);
    change(&mut now);
    model::testdata::build(&inventory, &now, Some(&before))
}

#[test]
fn figures_of_an_idle_interval_are_none_and_totals_say_since_when_they_are() {
    let mut state = testdata::state(2);
    update(&mut state, Action::Model(Arc::new(second_later(|_| {}))));
    let rows = list::rows(&state, state.shown().unwrap(), Tab::Tunnels);
    let cell = |column| cells::cell(column, rows[0], state.measure).text;
    for column in [&OVERHEAD, &MEAN_SIZE, &SEGMENTS].map(ColumnId::Metric) {
        assert_eq!(cell(column), "-", "{column:?}");
    }
    assert_eq!((cell(ColumnId::Tx), cell(ColumnId::Metric(&OVERSIZE))), ("0".to_owned(), "0".to_owned()));
    keys(&mut state, "2");
    let screen = draw(&state, (80, 24));
    assert!(screen.contains("totals since 14:13:20 UTC") && screen.contains("TX total    "), "{screen}");
}

#[test]
fn what_arrives_too_big_is_no_alarm_and_what_leaves_is_one_while_it_goes_on() {
    let alarms = |change: fn(&mut model::Sample)| {
        let model = second_later(change);
        let row = Subject::Tunnel(&model.tunnels[0]);
        [&OVERSIZE, &FRAGMENTS].map(|column| {
            let cell = cells::cell(ColumnId::Metric(column), row, Measure::OuterBits);
            (cell.text, cell.alarm)
        })
    };
    let said = |text: &str, alarm| (text.to_owned(), alarm);
    let arrived = |sample: &mut model::Sample| {
        sample.tunnels.get_mut(&3).unwrap().counts.rx.oversize += 5;
    };
    assert_eq!(alarms(arrived), [said("0", false), said("0", false)]);
    let left = |sample: &mut model::Sample| {
        let tunnel = sample.tunnels.get_mut(&3).unwrap();
        tunnel.counts.tx.oversize += 5;
        // What pods cut themselves is something else.
        tunnel.counts.tx.fragments += 7;
        tunnel.outer.as_mut().unwrap().tx.fragments += 10;
    };
    assert_eq!(alarms(left), [said("5", true), said("10", true)]);
    assert_eq!(alarms(|_| {}), [said("0", false), said("0", false)], "it has stopped");
}

#[test]
fn z_zeroes_totals_and_says_so_and_rates_stay() {
    let mut state = testdata::state(2);
    testdata::trouble(&mut state);
    keys(&mut state, "2G");
    let before = draw(&state, (120, 40));
    assert!(before.contains("too big     42/s now; TX 42, RX 0"), "{before}");
    keys(&mut state, "z");
    let after = draw(&state, (120, 40));
    assert!(
        after.contains(" totals since 14:14:21 UTC ") && after.contains("TX total    0 packets, 0 B"),
        "{after}"
    );
    assert!(!after.contains("too big     "), "{after}");
    let rates = |state: &State| state.shown().unwrap().tunnels[0].flow.tx.rate;
    assert!(rates(&state).is_some());
}

#[test]
fn messages_that_repeat_are_one_line() {
    let mut state = testdata::state(2);
    let troubled = model::testdata::troubled();
    for number in 0..63_u64 {
        let mut model = troubled.clone();
        model.time += Duration::from_secs(number);
        model.pmtu_events[0].mtu = Some(1300 + u32::try_from(number).unwrap());
        update(&mut state, Action::Model(Arc::new(model)));
    }
    keys(&mut state, "8");
    let screen = draw(&state, (120, 40));
    assert_eq!(screen.matches("path MTU").count(), 1, "{screen}");
    let wanted = "14:14:20-14:15:22 x63  ICMP     path MTU 1300..1362 to 172.31.77.2, says 192.0.2.1 (ICMP, flannel.1)";
    assert!(screen.contains(wanted), "{screen}");
    // Another sender's are apart.
    let mut other = troubled;
    other.pmtu_events[0].reporter = "192.0.2.7".parse().unwrap();
    update(&mut state, Action::Model(Arc::new(other)));
    assert_eq!(draw(&state, (120, 40)).matches("path MTU").count(), 2);
}

#[test]
fn the_node_and_the_pause_are_named_at_every_width() {
    let mut state = testdata::state(2);
    keys(&mut state, "p");
    for width in 40..=120 {
        let screen = draw(&state, (width, 24));
        let first = screen.lines().next().unwrap();
        assert!(first.contains("node1") && first.contains("PAUSED"), "{width}: {first}");
    }
    assert!(draw(&state, (120, 24)).contains("probe 0.5 % CPU"));
}

#[test]
fn a_small_terminal_has_the_tables_and_no_graph() {
    let mut state = testdata::state(2);
    for size in [(60, 15), (80, 12), (40, 8)] {
        let screen = draw(&state, size);
        assert!(
            !screen.contains("▲ TX") && screen.contains("TUNNEL") && screen.contains("STATE"),
            "{screen}"
        );
    }
    assert!(draw(&state, (39, 8)).contains("too small (need 40x8)"));
    // Half a histogram says nothing.
    keys(&mut state, "2");
    assert!(!draw(&state, (60, 20)).contains("inner bytes"));
    assert!(draw(&state, (80, 24)).contains("inner bytes"));
}

#[test]
fn titles_are_readable_on_every_background() {
    let state = testdata::state(2);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| view(&state, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let title =
        (0..24).find_map(|y| (buffer[(1, y)].symbol() == "T").then(|| buffer[(1, y)].clone())).unwrap();
    assert_eq!(title.fg, Color::Reset);
    assert!(title.modifier.contains(Modifier::BOLD));
}

#[test]
fn what_is_gone_or_broken_keeps_its_row() {
    let mut model = Model::clone(testdata::state(2).shown().unwrap());
    let mut tunnel = model.tunnels[0].clone();
    (tunnel.tunnel.name, tunnel.tunnel.ifindex) = ("old.1".to_owned(), 77);
    tunnel.condition = model::Condition::Gone;
    model.gone.tunnels.push(tunnel);
    let mut sum = model.pods[0].clone();
    (sum.pod, sum.gone, sum.condition) = (None, 3, model::Condition::Gone);
    model.gone.pods.push(sum);
    model.peers[0].condition = model::Condition::NoFdb;
    nodes(&mut model)[0].condition = model::Condition::NoFdb;
    let mut state = State::new("node1".to_owned(), false);
    update(&mut state, Action::Model(Arc::new(model)));
    insta::assert_snapshot!("gone-overview", draw(&state, (120, 40)));
    let screen = draw(&state, (120, 40));
    for words in ["old.1", "gone (3)", "no FDB"] {
        assert!(screen.contains(words), "{screen}");
    }
    assert!(screen.contains("2 Tunnels 2"), "what is gone is not counted: {screen}");
}

/// The rows of nodes, to be changed.
fn nodes(model: &mut Model) -> &mut Vec<model::PeerRow> {
    model.nodes();
    Arc::make_mut(model.nodes.get_mut().unwrap())
}

#[test]
fn peers_of_one_node_are_one_row_with_each_of_them_in_its_details() {
    let mut model = Model::clone(testdata::state(2).shown().unwrap());
    // The second is fd77::2 of the same node, and broken.
    let nodes = nodes(&mut model);
    let away = nodes.iter().position(|row| row.label().is_some_and(|label| label == "fd77::2")).unwrap();
    let second = nodes.remove(away);
    let of = |row: &model::PeerRow, condition| model::NodePeer {
        tunnel_name: Arc::clone(&row.tunnel_name),
        peer: row.peer.clone().unwrap(),
        condition,
        wireguard: None,
    };
    let members = vec![of(&nodes[0], model::Condition::Ok), of(&second, model::Condition::NoRoute)];
    nodes[0].members = members;
    nodes[0].joined = Some("172.31.77.2".parse().unwrap());
    nodes[0].tunnel_name = "flannel.1 flannel-v6.1".into();
    let mut state = State::new("node1".to_owned(), false);
    update(&mut state, Action::Model(Arc::new(model)));
    let screen = draw(&state, (120, 40));
    assert!(screen.contains("172.31.77.2 ") && !screen.contains(" fd77::2 "), "{screen}");
    keys(&mut state, "jjj");
    let node = Some(RowKey::Node("172.31.77.2".parse().unwrap()));
    assert_eq!(state.look(Tab::Overview).selected, node);
    assert!(draw(&state, (120, 40)).contains(" 172.31.77.2  ▲ TX "), "the graph is the node's");
    update(&mut state, Action::Open);
    assert_eq!((state.tab, &state.look(Tab::Peers).selected), (Tab::Peers, &node));
    insta::assert_snapshot!("peers-of-one-node", draw(&state, (120, 40)));
    // Each of its addresses finds it.
    keys(&mut state, "/fd77::2");
    let found = draw(&state, (120, 40));
    assert!(found.contains("172.31.77.2 ") && !found.contains("172.31.77.3 "), "{found}");
}
