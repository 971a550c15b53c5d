//! Screens as snapshots at three sizes, and what keys do to them.

mod details;
mod explained;
mod feed;
mod figures;
mod health;
mod hooks;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::{Terminal, backend::TestBackend};

use super::{
    action::{Action, Effect},
    columns::ColumnId,
    keymap,
    state::{Mode, State},
    subject::RowKey,
    testdata,
    update::update,
    view::view,
};
use crate::{
    model::{
        self, Model,
        fields::columns::{MEAN_SIZE, SEGMENTS},
    },
    tui::{measure::Measure, tab::Tab},
};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn draw(state: &State, size: (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| view(state, frame)).unwrap();
    terminal.backend().to_string()
}

fn snapshots(name: &str, state: &State) {
    for size in SIZES {
        insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), draw(state, size));
    }
}

fn press(state: &mut State, keys: &[KeyCode]) -> Effect {
    let mut effect = Effect::None;
    for code in keys {
        let key = KeyEvent::new(*code, KeyModifiers::NONE);
        if let Some(action) = keymap::action(state.mode, key) {
            effect = update(state, action);
        }
    }
    effect
}

fn keys(state: &mut State, text: &str) -> Effect {
    press(state, &text.chars().map(KeyCode::Char).collect::<Vec<_>>())
}

#[test]
fn every_tab_at_every_size() {
    let mut state = testdata::state(2);
    for tab in Tab::ALL {
        update(&mut state, Action::Tab(tab));
        snapshots(&tab.title().to_lowercase(), &state);
    }
}

#[test]
fn trouble_is_in_sight() {
    let mut state = testdata::state(2);
    testdata::trouble(&mut state);
    snapshots("trouble-overview", &state);
    keys(&mut state, "2");
    snapshots("trouble-tunnels", &state);
    keys(&mut state, "8");
    snapshots("trouble-events", &state);
}

#[test]
fn secondary_networks_at_every_size() {
    let mut state = testdata::state_with_networks(2);
    keys(&mut state, "4g");
    snapshots("pods-networks", &state);
    assert!(draw(&state, (200, 60)).contains("TX 1.20 Mbit/s, RX 5.28"));
    keys(&mut state, "uu");
    assert!(draw(&state, (200, 60)).contains("TX 150 kB/s, RX 660"));
    keys(&mut state, "u");
    assert!(draw(&state, (200, 60)).contains("TX 146 KiB/s, RX 660"));
    keys(&mut state, "uu");
    assert!(draw(&state, (200, 60)).contains("TX 100 p/s, RX 10 p/s"));
    keys(&mut state, "/on the node");
    press(&mut state, &[KeyCode::Enter]);
    insta::assert_snapshot!("pods-host-network", draw(&state, (80, 24)));
}

#[test]
fn no_fact_of_a_pod_is_left_out_at_any_size() {
    let mut state = testdata::state_with_networks(2);
    keys(&mut state, "/cart");
    press(&mut state, &[KeyCode::Enter]);
    keys(&mut state, "4");
    for size in SIZES {
        let screen = draw(&state, size);
        for name in [
            "addresses",
            "host veth",
            "known from",
            "UID",
            "Multus",
            "disputed",
            "TX total",
            "RX total",
            "overhead",
            "GSO, GRO",
            "secondary",
        ] {
            assert!(screen.contains(&format!(" {name:<11} ")), "{size:?} {name}: {screen}");
        }
        assert!(screen.contains("net1: macvlan on eth0, MTU 1500"), "{screen}");
        assert!(screen.contains("ev\\u{1b}[2J\\u{202e}il: hardware 0000:01:10.0"), "{screen}");
    }
}

#[test]
fn a_filter_finds_a_pod_by_all_that_names_it_and_its_networks() {
    let mut state = testdata::state_with_networks(9);
    for (filter, pods) in [
        ("cart-e45f", 1),
        ("10.42.1.3", 1),
        ("veth4", 1),
        ("7C1D2F0E", 1),
        ("shop/storage", 1),
        ("net1", 1),
        ("192.0.2.9", 1),
        ("2001:db8:2::9", 1),
        ("02:00:00:00:00:09", 1),
        ("0000:01:10.0", 1),
        ("node's network", 1),
        ("ns:SHOP", 9),
        ("ns:shop pod:^shop/cart", 1),
        ("ns:shop cart", 0),
        ("address:1::[3-5]$", 3),
        ("pod:cart-|^shop/evil", 2),
        ("state:ok", 0),
        ("nothing", 0),
    ] {
        state.filter = filter.into();
        let rows = super::list::rows(&state, state.shown().unwrap(), Tab::Pods);
        assert_eq!(rows.len(), pods, "{filter}");
    }
}

#[test]
fn a_pod_on_the_nodes_network_has_no_counters_of_its_own() {
    let mut state = testdata::state_with_networks(2);
    state.filter = "kube-proxy".into();
    state.tab = Tab::Pods;
    let rows = super::list::rows(&state, state.shown().unwrap(), Tab::Pods);
    for column in super::columns::of(Tab::Pods, state.measure, rows.iter().copied()) {
        if column != ColumnId::Name {
            assert_eq!(super::cells::cell(column, rows[0], state.measure).text, "-", "{column:?}");
        }
    }
    assert!(draw(&state, (80, 24)).contains("on the node's network"));
}

#[test]
fn many_interfaces_leave_room_for_the_facts() {
    let mut model = model::Model::clone(testdata::state_with_networks(1).shown().unwrap());
    let row = model.pods.iter_mut().find(|row| !row.interfaces.is_empty()).unwrap();
    row.interfaces = vec![row.interfaces[1].clone(); 40];
    let mut state = State::new("node1".to_owned(), false);
    update(&mut state, Action::Model(Arc::new(model)));
    keys(&mut state, "4g/cart");
    press(&mut state, &[KeyCode::Enter]);
    insta::assert_snapshot!("pods-many-interfaces", draw(&state, (80, 24)));
    for size in SIZES {
        let screen = draw(&state, size);
        assert!(screen.contains(" host veth ") && screen.contains(" more lines (Enter)"), "{screen}");
    }
}

#[test]
fn virtual_functions_at_every_size() {
    let mut state = testdata::state_with_vfs(2);
    snapshots("sriov-overview", &state);
    keys(&mut state, "G");
    insta::assert_snapshot!("sriov-overview-last", draw(&state, (80, 24)));
    press(&mut state, &[KeyCode::Esc]);
    keys(&mut state, "5");
    snapshots("sriov-vfs", &state);
    // The last of those that are counted, and one of vfio-pci that is not.
    for (name, filter) in [("counted", "enp129"), ("not-counted", "dpdk-forwarder"), ("no-pod", "vf 10")] {
        press(&mut state, &[KeyCode::Esc]);
        keys(&mut state, &format!("/{filter}"));
        press(&mut state, &[KeyCode::Enter]);
        insta::assert_snapshot!(format!("sriov-vfs-{name}"), draw(&state, (80, 24)));
    }
}

#[test]
fn vfs_that_ebpf_counts_show_the_packets_of_the_wire() {
    let mut state = State::new("node1".to_owned(), false);
    update(&mut state, Action::Model(Arc::new(model::testdata::vfs_by_ebpf())));
    keys(&mut state, "5g");
    snapshots("sriov-vfs-ebpf", &state);
    for size in SIZES {
        let screen = draw(&state, size);
        for name in ["TX wire", "RX wire", "mean frame", "GSO, GRO", "too big", "dropped", "link"] {
            assert!(screen.contains(&format!(" {name:<11} ")), "{size:?} {name}: {screen}");
        }
        assert_eq!(screen.contains(" IP bytes "), size.0 > 80, "{screen}");
    }
    let rows = super::list::rows(&state, state.shown().unwrap(), Tab::Vfs);
    let said = |column: ColumnId| {
        let cells = rows.iter().map(|row| super::cells::cell(column, *row, state.measure).text);
        cells.collect::<Vec<_>>()
    };
    // 1200 packets of 1 320 000 bytes, and 330 buffers, in the last second.
    assert_eq!(said(ColumnId::Metric(&MEAN_SIZE)), ["1100", "-"]);
    assert_eq!(said(ColumnId::Metric(&SEGMENTS)), ["3.6", "-"]);
    // All of it fits also where there is more to say of the VF itself.
    let mut long = Model::clone(testdata::state_of_vfs().shown().unwrap());
    let counted = &state.shown().unwrap().vfs[0];
    long.vfs[0].traffic = counted.traffic;
    long.vfs[0].wire.clone_from(&counted.wire);
    update(&mut state, Action::Model(Arc::new(long)));
    keys(&mut state, "g");
    let screen = draw(&state, (80, 24));
    for name in ["disputed", "TX wire", "too big", "TX rate", "link"] {
        assert!(screen.contains(&format!(" {name:<11} ")), "{name}: {screen}");
    }
}

#[test]
fn no_fact_of_a_vf_is_left_out_at_any_size() {
    let mut state = testdata::state_with_vfs(2);
    keys(&mut state, "5g");
    for size in SIZES {
        let screen = draw(&state, size);
        for name in [
            "pod",
            "network",
            "known from",
            "disputed",
            "VF",
            "driver",
            "PF",
            "interface",
            "MAC",
            "counted by",
            "TX total",
            "RX total",
            "dropped",
            "VLAN",
            "spoof check",
            "TX rate",
            "link",
        ] {
            assert!(screen.contains(&format!(" {name:<11} ")), "{size:?} {name}: {screen}");
        }
    }
}

#[test]
fn a_node_of_virtual_functions_alone_has_no_empty_tables() {
    let mut state = testdata::state_of_vfs();
    snapshots("sriov-alone", &state);
    for tab in ["2", "3", "4"] {
        keys(&mut state, tab);
        let screen = draw(&state, (80, 24));
        assert!(screen.contains("\n\" none: "), "{screen}");
    }
    keys(&mut state, "1j");
    assert!(matches!(state.look(Tab::Overview).selected, Some(RowKey::Vf(_))));
    keys(&mut state, "s");
    assert_ne!(state.look(Tab::Vfs).sort, testdata::state_of_vfs().look(Tab::Vfs).sort);
}

#[test]
fn a_filter_finds_a_vf_by_all_that_names_it() {
    let mut state = testdata::state_of_vfs();
    keys(&mut state, "5");
    for (filter, vfs) in [
        ("DPDK-ROUTER", 1),
        ("ens1f0", 4),
        ("0000:81:00.0", 2),
        ("0000:01:10.2", 1),
        ("vfio", 2),
        ("02:00:00:00:00:07", 1),
        ("sriov-dpdk", 2),
        ("cni-9f8e", 1),
        ("no counters", 1),
        ("cart-0", 1),
        ("nothing", 0),
    ] {
        state.filter = filter.into();
        let rows = super::list::rows(&state, state.shown().unwrap(), Tab::Vfs);
        assert_eq!(rows.len(), vfs, "{filter}");
    }
    assert!(draw(&state, (80, 24)).contains("no row matches the filter"));
}

#[test]
fn vfs_are_ordered_by_number_and_the_selection_follows_one() {
    let mut state = testdata::state_of_vfs();
    keys(&mut state, "5s");
    while state.look(Tab::Vfs).sort.column != ColumnId::Vf {
        keys(&mut state, "s");
    }
    let names = |state: &State| -> Vec<String> {
        let rows = super::list::rows(state, state.shown().unwrap(), Tab::Vfs);
        rows.into_iter().map(super::subject::Subject::name).collect()
    };
    let found = names(&state);
    assert!(found.iter().position(|n| n == "ens1f0 vf 2") < found.iter().position(|n| n == "ens1f0 vf 10"));
    keys(&mut state, "jj");
    let selected = state.look(Tab::Vfs).selected.clone();
    assert!(matches!(&selected, Some(RowKey::Vf(pci)) if pci.starts_with("0000:")), "{selected:?}");
    keys(&mut state, "S");
    assert_eq!(state.look(Tab::Vfs).selected, selected);
    assert_ne!(names(&state), found);
}

#[test]
fn a_vfs_measures_look_different() {
    let mut state = testdata::state_of_vfs();
    keys(&mut state, "5");
    let measures = [Measure::OuterBytes, Measure::OuterBinary, Measure::Packets, Measure::OuterBits];
    for expected in measures {
        let before = draw(&state, (120, 40));
        keys(&mut state, "u");
        assert_eq!(state.measure, expected);
        assert_ne!(draw(&state, (120, 40)), before);
    }
}

#[test]
fn wireguard_peers_tell_of_their_handshake() {
    let mut state = State::new("node1".to_owned(), false);
    update(&mut state, Action::Model(Arc::new(model::testdata::wireguard())));
    snapshots("wireguard-overview", &state);
    keys(&mut state, "3");
    insta::assert_snapshot!("wireguard-peers", draw(&state, (80, 24)));
    press(&mut state, &[KeyCode::Down]);
    insta::assert_snapshot!("wireguard-silent-peer", draw(&state, (120, 40)));
}

#[test]
fn packets_that_are_not_encrypted_are_told_of_everywhere() {
    let mut state = State::new("node1".to_owned(), false);
    update(&mut state, Action::Model(Arc::new(model::testdata::in_clear())));
    insta::assert_snapshot!("in-clear-overview", draw(&state, (120, 40)));
    keys(&mut state, "3");
    insta::assert_snapshot!("in-clear-peers", draw(&state, (80, 24)));
    insta::assert_snapshot!("in-clear-peer", draw(&state, (120, 40)));
}

#[test]
fn what_the_kernel_drops_is_told_of_everywhere() {
    let mut state = State::new("node1".to_owned(), false);
    update(&mut state, Action::Model(Arc::new(model::drops::testdata::model())));
    snapshots("dropped-overview", &state);
    keys(&mut state, "2G");
    insta::assert_snapshot!("dropped-tunnel", draw(&state, (120, 40)));
    for size in SIZES {
        let screen = draw(&state, size);
        assert!(screen.contains("DROP/s") && screen.contains(" dropped     25/s now; 1.52k"), "{screen}");
    }
    keys(&mut state, "4Gk");
    insta::assert_snapshot!("dropped-pod", draw(&state, (80, 24)));
    keys(&mut state, "8");
    insta::assert_snapshot!("dropped-events", draw(&state, (80, 24)));
}

#[test]
fn many_pods_scroll_and_filter() {
    let mut state = testdata::state(90);
    keys(&mut state, "4G");
    insta::assert_snapshot!("pods-last", draw(&state, (80, 24)));
    keys(&mut state, "/WORKER-01");
    assert_eq!(state.mode, Mode::Filter);
    insta::assert_snapshot!("pods-filter-typing", draw(&state, (80, 24)));
    press(&mut state, &[KeyCode::Enter]);
    insta::assert_snapshot!("pods-filter", draw(&state, (80, 24)));
    press(&mut state, &[KeyCode::Esc]);
    assert!(state.filter.is_empty());
}

/// What is on a screen without blanks and borders.
fn words_of(screen: &str) -> String {
    screen.chars().filter(|c| !c.is_whitespace() && *c != '"').collect()
}

#[test]
fn help_is_whole_at_every_size() {
    let mut state = testdata::state(2);
    keys(&mut state, "?");
    snapshots("help", &state);
    for size in SIZES.into_iter().chain([(40, 8), (60, 15)]) {
        let mut state = state.clone();
        let mut screen = String::new();
        for _ in 0..160 {
            screen += &draw(&state, size);
            keys(&mut state, "j");
        }
        // Where lines are broken, words may have one between them.
        let screen = if size.0 < 80 { words_of(&screen) } else { screen };
        for binding in keymap::BINDINGS {
            let words = if size.0 < 80 { binding.words.replace(' ', "") } else { binding.words.to_owned() };
            assert!(screen.contains(&words), "{size:?}: {words}: {screen}");
        }
        assert!(screen.contains("OVHEAD") && screen.contains("BIG/s"), "{size:?}");
    }
}

#[test]
fn before_the_first_model_and_after_the_last() {
    let mut state = State::new("node1".to_owned(), true);
    insta::assert_snapshot!("waiting", draw(&state, (80, 24)));
    update(&mut state, Action::Model(Arc::new(model::testdata::model())));
    update(&mut state, Action::FeedEnded);
    let screen = draw(&state, (80, 24));
    assert!(screen.contains("No longer counting"), "{screen}");
}

#[test]
fn a_pause_holds_the_picture_and_counting_goes_on() {
    let mut state = testdata::state(2);
    keys(&mut state, "p");
    let before = draw(&state, (80, 24));
    assert!(before.contains("PAUSED"));
    testdata::trouble(&mut state);
    let tables = |screen: &str| screen.lines().skip(2).map(str::to_owned).collect::<Vec<_>>().join("\n");
    // The newest trouble is told also then; the figures stay.
    assert!(tables(&draw(&state, (80, 24))).contains("no FDB entry leads to"));
    assert_eq!(state.shown().unwrap().time.as_secs(), 1_790_000_060);
    keys(&mut state, "p");
    assert_eq!(state.shown().unwrap().time.as_secs(), 1_790_000_061);
}

#[test]
fn the_selection_stays_on_its_row_when_the_order_changes() {
    let mut state = testdata::state(20);
    keys(&mut state, "4jj");
    let selected = state.look(Tab::Pods).selected.clone();
    assert!(matches!(selected, Some(RowKey::Pod(Some(_)))), "{selected:?}");
    keys(&mut state, "S");
    assert_eq!(state.look(Tab::Pods).selected, selected);
    let screen = draw(&state, (120, 40));
    insta::assert_snapshot!("pods-reversed", screen);
}

#[test]
fn the_overview_leads_to_the_row() {
    let mut state = testdata::state(2);
    keys(&mut state, "jjj");
    assert!(matches!(state.look(Tab::Overview).selected, Some(RowKey::Peer(..))));
    insta::assert_snapshot!("overview-peer", draw(&state, (80, 24)));
    press(&mut state, &[KeyCode::Enter]);
    assert_eq!(state.tab, Tab::Peers);
    assert_eq!(state.look(Tab::Peers).selected, state.look(Tab::Overview).selected);
}

#[test]
fn measures_go_round() {
    let mut state = testdata::state(2);
    for expected in Measure::ALL.into_iter().cycle().skip(1).take(Measure::ALL.len()) {
        keys(&mut state, "u");
        assert_eq!(state.measure, expected);
    }
}

#[test]
fn every_tab_is_named_at_every_width() {
    let mut state = testdata::state_with_vfs(200);
    for _ in 0..120 {
        testdata::trouble(&mut state);
    }
    for width in 60..=120 {
        let screen = draw(&state, (width, 24));
        let tabs = screen.lines().nth(1).unwrap();
        for tab in Tab::ALL {
            let names = [tab.title(), tab.short()].map(|name| format!("{} {name}", tab.number()));
            assert!(names.iter().any(|name| tabs.contains(name)), "{width}: {tabs}");
        }
    }
}

#[test]
fn other_is_last_in_both_orders() {
    let mut state = testdata::state(3);
    keys(&mut state, "4");
    for _ in 0..2 {
        let rows = super::list::rows(&state, state.shown().unwrap(), Tab::Pods);
        assert!(rows.last().unwrap().is_other());
        assert_eq!(rows.len(), 4);
        keys(&mut state, "S");
    }
}

#[test]
fn a_hostile_name_cannot_reach_the_terminal() {
    let mut state = testdata::state_with_vfs(2);
    for tab in Tab::ALL {
        update(&mut state, Action::Tab(tab));
        for size in SIZES {
            let screen = draw(&state, size);
            assert!(!screen.contains(['\u{1b}', '\u{202e}']));
        }
    }
    keys(&mut state, "4");
    let screen = draw(&state, (200, 60));
    assert!(screen.contains("evil\\u{1b}[2Jname"), "{screen}");
}

#[test]
fn no_colour_leaves_no_colour() {
    let mut state = testdata::state(2);
    testdata::trouble(&mut state);
    state.no_color = true;
    for tab in Tab::ALL {
        state.tab = tab;
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal.draw(|frame| view(&state, frame)).unwrap();
        for cell in terminal.backend().buffer().content() {
            assert_eq!((cell.fg, cell.bg), (ratatui::style::Color::Reset, ratatui::style::Color::Reset));
        }
    }
}

fn any_key() -> impl Strategy<Value = KeyCode> {
    prop_oneof![
        any::<char>().prop_map(KeyCode::Char),
        prop::sample::select("123456789jkgGsSup/?q[] ".chars().collect::<Vec<_>>()).prop_map(KeyCode::Char),
        prop::sample::select(vec![
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Backspace,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::PageUp,
            KeyCode::PageDown,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::Tab,
            KeyCode::BackTab,
        ]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_keys_and_no_size_can_break_it(
        pressed in prop::collection::vec(any_key(), 0..40),
        width in 1_u16..220,
        height in 1_u16..70,
        pods in 0_u8..30,
        vfs in any::<bool>(),
    ) {
        let mut state = if vfs { testdata::state_with_vfs(pods) } else { testdata::state_with_networks(pods) };
        press(&mut state, &pressed);
        draw(&state, (width, height));
        update(&mut state, Action::Model(Arc::new(Model::default())));
        press(&mut state, &pressed);
        draw(&state, (width, height));
    }
}
