//! What the checks find is in the header, on the overview and in its tab.

use std::{sync::Arc, time::Duration};

use crossterm::event::KeyCode;

use super::{SIZES, draw, keys, press, snapshots, words_of};
use crate::{
    check::testdata::Node,
    inventory::testdata::{ETH0, FLANNEL, mac},
    tui::{
        action::{Action, Effect},
        findings,
        state::State,
        story::Story,
        tab::Tab,
        update::update,
    },
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
    keys(&mut state, "7");
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
    keys(&mut state, "7");
    snapshots("broken-health", &state);
    keys(&mut state, "/default");
    let screen = draw(&state, (120, 40));
    assert!(
        !screen.contains("FAIL peer-neighbour-without-fdb") && screen.contains("since 22:14:22 (60 s)"),
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

/// Ids of the findings on a screen, in their order, and the one in front.
fn in_front(state: &State) -> (Vec<&'static str>, Option<&'static str>) {
    let shown = findings::shown(state);
    let at = findings::position(state, &shown);
    let ids: Vec<_> = shown.iter().map(|one| one.check.id).collect();
    let id = at.map(|at| ids[at]);
    (ids, id)
}

/// One with commands, one without, and a warning.
fn three(node: &mut Node) {
    without_fdb(node);
    for link in node.facts().links.iter_mut().filter(|link| link.ifindex >= 20) {
        link.mtu = 1400;
    }
    node.facts().links.iter_mut().find(|link| link.ifindex == 20).unwrap().mtu = 1390;
}

#[test]
fn keys_go_from_finding_to_finding_and_show_more_and_less() {
    let mut state = state(three);
    keys(&mut state, "7");
    let (ids, first) = in_front(&state);
    assert!(ids.len() >= 3, "{ids:?}");
    assert_eq!(first, Some(ids[0]));
    for (pressed, at) in [("j", 1), ("j", 2), ("k", 1), ("g", 0), ("G", ids.len() - 1), ("j", ids.len() - 1)]
    {
        draw(&state, (80, 24));
        keys(&mut state, pressed);
        assert_eq!(in_front(&state).1, Some(ids[at]), "{pressed}");
        let screen = draw(&state, (80, 24));
        assert!(
            pressed == "j" && at + 1 == ids.len() || screen.contains(&format!(" {} ", ids[at])),
            "{screen}"
        );
    }
    keys(&mut state, "g");
    let more = draw(&state, (120, 40));
    assert!(more.contains("      seen   ") && more.contains("      fix    "), "{more}");
    press(&mut state, &[KeyCode::Enter]);
    let less = draw(&state, (80, 24));
    assert!(!less.contains("      seen   "), "{less}");
    insta::assert_snapshot!("findings-in-short", less);
    keys(&mut state, "e");
    let explained = draw(&state, (80, 24));
    insta::assert_snapshot!("finding-explained", explained);
    assert_eq!(state.tab, Tab::Health, "what counts as other is not what is asked here");
    keys(&mut state, "e");
    assert!(draw(&state, (80, 24)).contains("      more   "));
}

#[test]
fn findings_are_shown_by_severity() {
    let mut state = state(three);
    keys(&mut state, "7");
    let all = in_front(&state).0.len();
    keys(&mut state, "s");
    let failures = in_front(&state).0.len();
    let screen = draw(&state, (80, 24));
    assert!(
        screen.contains(&format!(" {} more: only those with FAIL are shown (s)", all - failures)),
        "{screen}"
    );
    keys(&mut state, "s");
    let warnings = in_front(&state).0.len();
    assert!(failures > 0 && warnings > 0);
    assert_eq!(failures + warnings, all);
    keys(&mut state, "s");
    assert_eq!(in_front(&state).0.len(), all);
}

#[test]
fn a_fix_is_copied_as_one_line_and_only_if_it_is_printable() {
    let mut state = state(without_fdb);
    assert_eq!(keys(&mut state, "y"), Effect::None, "there is no finding in front on the overview");
    keys(&mut state, "7/default");
    press(&mut state, &[KeyCode::Enter]);
    let line = "ip route add 169.254.1.1/32 dev eth0";
    assert_eq!(keys(&mut state, "y"), Effect::Copy(line.to_owned()));
    let screen = draw(&state, (80, 24));
    assert!(screen.contains(&format!("given to the terminal's clipboard: {line}")), "{screen}");
    keys(&mut state, "j");
    assert!(!draw(&state, (80, 24)).contains("clipboard"));
    for (command, copied) in [
        ("ip link set a up\nreboot", None),
        ("ip link set \u{1b}]0;x\u{7} up", None),
        ("ip link set \u{202e}a up", None),
        ("", None),
        ("ip link set a up", Some("ip link set a up && ip link set b up")),
    ] {
        let mut standing = state.health.standing.iter_mut();
        let one = standing.find(|one| one.check.id.contains("default")).unwrap();
        one.findings[0].fix.commands =
            if command.is_empty() { vec![] } else { vec![command.to_owned(), "ip link set b up".to_owned()] };
        let effect = keys(&mut state, "y");
        assert_eq!(effect, copied.map_or(Effect::None, |line| Effect::Copy(line.to_owned())), "{command:?}");
        assert!(state.said.is_some());
    }
}

#[test]
fn r_has_everything_read_again() {
    let mut state = state(|_| {});
    assert_eq!(keys(&mut state, "r"), Effect::LookAgain);
    assert!(draw(&state, (80, 24)).contains("are read again"));
}

#[test]
fn one_step_back_from_the_end_of_a_text_is_one_step() {
    let mut state = state(|_| {});
    keys(&mut state, "9G");
    let size = (80, 10);
    draw(&state, size);
    keys(&mut state, "G");
    let last = draw(&state, size);
    keys(&mut state, "jjj");
    assert_eq!(draw(&state, size), last);
    keys(&mut state, "k");
    assert_ne!(draw(&state, size), last);
}

/// The demo says what is going on, which key repairs it, and that it was repaired; elsewhere that key does nothing.
#[test]
fn the_demo_tells_its_story() {
    let low_mtu = |node: &mut Node| {
        for link in node.facts().links.iter_mut().filter(|link| link.ifindex == ETH0) {
            link.mtu = 1440;
        }
    };
    assert_eq!(keys(&mut state(low_mtu), "R"), Effect::None);
    let mut state = State::new("demo: node1".to_owned(), false);
    state.story = Some(Story::default());
    let mut broken = Node::canal();
    low_mtu(&mut broken);
    for (second, node, said, story) in [
        (0, Node::canal(), " Soon something will break", Story::Before),
        (1, broken, " R to repair it", Story::Broken),
        (2, Node::canal(), " eth0 has its MTU back", Story::Repaired),
    ] {
        let mut model = node.model();
        model.time = Duration::from_secs(1_700_000_000 + second);
        update(&mut state, Action::Model(Arc::new(model)));
        assert_eq!(state.story, Some(story));
        for size in SIZES {
            let screen = draw(&state, size);
            assert!(words_of(&screen).contains(&said.replace(' ', "")), "{screen}");
        }
        insta::assert_snapshot!(format!("demo-{story:?}").to_lowercase(), draw(&state, (80, 24)));
        assert!(!draw(&state, (60, 10)).contains("Demo:"), "figures are worth more on a small screen");
    }
    assert_eq!(keys(&mut state, "R"), Effect::Repair);
}

/// What broke, what was changed and that it is over is in the events, also afterwards.
#[test]
fn events_are_kept_when_they_are_over() {
    let mut state = state(|_| {});
    let push = |state: &mut State, node: &Node, second: u64| {
        let mut model = node.model();
        model.time = Duration::from_secs(1_700_000_200 + second);
        update(state, Action::Model(Arc::new(model)));
    };
    let mut broken = Node::canal();
    broken.facts().links.iter_mut().find(|link| link.ifindex == ETH0).unwrap().mtu = 1440;
    for (second, node) in [(0, &broken), (20, &Node::canal()), (40, &Node::canal())] {
        push(&mut state, node, second);
    }
    keys(&mut state, "8");
    snapshots("incident-events", &state);
    let screen = draw(&state, (120, 40));
    for line in [
        "22:17:00  cleared  mtu-tunnel-exceeds-underlay after 20 s",
        "22:17:00  changed  eth0: MTU 1440 -> 1500",
        "22:16:40  FAIL     mtu-tunnel-exceeds-underlay: ",
        "22:16:40  changed  eth0: MTU 1500 -> 1440",
    ] {
        assert!(screen.contains(line), "{line}: {screen}");
    }
    keys(&mut state, "/cleared");
    let screen = draw(&state, (80, 24));
    assert!(screen.contains("cleared  mtu") && !screen.contains("1440"), "{screen}");
    // A pause holds the picture, not the events.
    press(&mut state, &[KeyCode::Enter, KeyCode::Esc]);
    keys(&mut state, "p");
    push(&mut state, &broken, 60);
    assert!(draw(&state, (80, 24)).contains("22:16:40-22:17:40 x2  FAIL"));
}
