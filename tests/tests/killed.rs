//! How it ends: by a signal that it can answer, and by one that it cannot. Foreign filters are never touched.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use nix::sys::signal::Signal;
use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel::{Held, filters, has_clsact},
    needs,
    needs::ways,
    ns,
    tool::{Watch, run},
    wait_for,
};

const OURS_TUNNEL: [&str; 2] = ["ovp_tunnel_rx", "ovp_tunnel_tx"];
const OURS_UNDERLAY: [&str; 2] = ["ovp_underlay_rx", "ovp_underlay_tx"];
const CLSACT: [&str; 2] = ["--attach", "clsact"];

fn nothing_is_left(held: &Held) {
    // The kernel frees programs when their last user is gone, a little later.
    wait_for("programs and links to go", || (held.left() == Held::default()).then_some(()));
}

/// A filter of somebody else, on a qdisc of somebody else.
fn foreign(pair: &Pair, interface: &str) {
    ns(pair.node(1), &format!("tc qdisc add dev {interface} clsact"));
    ns(pair.node(1), &format!("tc filter add dev {interface} ingress pref 100 u32 match u32 0 0 flowid 1:1"));
}

fn cleanup(netns: &str) -> String {
    let output = run(&["--netns", netns, "cleanup"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

/// A `watch` with clsact filters on [`TUNNEL`] and `u0`, killed.
fn killed(pair: &Pair) {
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    assert_eq!(watch.end(Signal::SIGKILL), None);
}

#[test]
fn an_asked_for_end_leaves_nothing_and_is_no_failure() {
    let pair = Pair::new("asked");
    for attach in ways() {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
            let held = Held::by(watch.pid());
            assert!(held.programs.len() >= 4, "{held:?}");
            assert_eq!(held.links.is_empty(), attach == "clsact", "{held:?}");
            assert_eq!(has_clsact(pair.node(1), TUNNEL), attach == "clsact");
            assert_eq!(watch.end(signal), Some(0), "{attach} {signal}");
            nothing_is_left(&held);
            for interface in [TUNNEL, "u0"] {
                assert!(!has_clsact(pair.node(1), interface), "{attach} {signal} {interface}");
            }
        }
    }
}

#[test]
fn killed_with_tcx_nothing_is_left() {
    needs!(Tcx);
    let pair = Pair::new("ktcx");
    let watch = Watch::start_with(pair.node(1), &["--attach", "tcx"]);
    let held = Held::by(watch.pid());
    assert_eq!((held.programs.len() >= 4, held.links.len()), (true, 4), "{held:?}");
    assert_eq!(held.left(), held, "all of it is there while it runs");
    assert_eq!(watch.end(Signal::SIGKILL), None);
    nothing_is_left(&held);
    assert_eq!(cleanup(pair.node(1)), "nothing was left behind\n");
}

#[test]
fn killed_with_clsact_cleanup_removes_what_is_left() {
    let pair = Pair::new("kcls");
    killed(&pair);
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL, "this is what cleanup is for");
    assert_eq!(filters(pair.node(1), "u0"), OURS_UNDERLAY);
    assert_eq!(cleanup(pair.node(1)), "removed 6 filters and qdiscs\n");
    for interface in [TUNNEL, "u0"] {
        assert!(!has_clsact(pair.node(1), interface), "the qdisc that the killed run made");
    }
    assert_eq!(cleanup(pair.node(1)), "nothing was left behind\n");
}

#[test]
fn killed_with_clsact_the_next_start_removes_what_is_left() {
    let pair = Pair::new("knext");
    killed(&pair);
    // Each program is there once when that start attaches the same way again.
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    assert!(!has_clsact(pair.node(1), TUNNEL));
}

#[test]
fn killed_with_clsact_a_start_with_tcx_removes_what_is_left() {
    needs!(Tcx);
    let pair = Pair::new("kother");
    killed(&pair);
    let watch = Watch::start_with(pair.node(1), &["--attach", "tcx"]);
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface), Vec::<String>::new());
        assert!(!has_clsact(pair.node(1), interface));
    }
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
}

#[test]
fn a_foreign_filter_and_its_qdisc_stay() {
    let pair = Pair::new("alien");
    foreign(&pair, TUNNEL);
    // On the underlay the qdisc is ours, and somebody else comes to use it.
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    let late = "tc filter add dev u0 egress pref 100 u32 match u32 0 0 flowid 1:1";
    ns(pair.node(1), late);
    assert_eq!(filters(pair.node(1), TUNNEL), ["ovp_tunnel_rx", "ovp_tunnel_tx", "u32"]);
    assert_eq!(watch.end(Signal::SIGKILL), None);
    assert_eq!(filters(pair.node(1), "u0"), ["ovp_underlay_rx", "ovp_underlay_tx", "u32"]);
    assert_eq!(cleanup(pair.node(1)), "removed 4 filters and qdiscs\n");
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface), ["u32"], "{interface}");
    }
    // The orderly end spares them too.
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface), ["u32"], "{interface}");
    }
}

#[test]
fn a_foreign_qdisc_without_filters_stays() {
    let pair = Pair::new("empty");
    ns(pair.node(1), &format!("tc qdisc add dev {TUNNEL} clsact"));
    killed(&pair);
    assert_eq!(cleanup(pair.node(1)), "removed 5 filters and qdiscs\n");
    assert!(has_clsact(pair.node(1), TUNNEL), "it was there before us");
    assert!(!has_clsact(pair.node(1), "u0"));
}

#[test]
fn the_filters_of_a_living_run_are_not_leftovers() {
    let pair = Pair::new("alive");
    let watch = Watch::start_with(pair.node(1), &CLSACT);
    assert_eq!(cleanup(pair.node(1)), "nothing was left behind\n");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    // Nor are those of another namespace, killed or not.
    assert_eq!(cleanup(pair.node(2)), "nothing was left behind\n");
    assert_eq!(watch.end(Signal::SIGKILL), None);
    assert_eq!(cleanup(pair.node(2)), "nothing was left behind\n");
    assert_eq!(filters(pair.node(1), TUNNEL), OURS_TUNNEL);
    assert_eq!(cleanup(pair.node(1)), "removed 6 filters and qdiscs\n");
}

#[test]
fn of_two_runs_the_last_removes_the_qdisc_that_the_first_made() {
    let pair = Pair::new("klast");
    let first = Watch::start_with(pair.node(1), &CLSACT);
    let second = Watch::start_with(pair.node(1), &CLSACT);
    assert_eq!(first.end(Signal::SIGTERM), Some(0));
    for interface in [TUNNEL, "u0"] {
        assert_eq!(filters(pair.node(1), interface).len(), 2, "the second still counts on {interface}");
    }
    assert_eq!(second.end(Signal::SIGTERM), Some(0));
    for interface in [TUNNEL, "u0"] {
        assert!(!has_clsact(pair.node(1), interface), "{interface}");
    }
}
