//! Others on the same hooks: ours counts, theirs goes on, and no packet notices.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use nix::sys::signal::Signal;
use overlay_probe::lab::send;
use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel::{action_packets, filters},
    needs::ways,
    ns,
    tool::{Watch, entry, number},
};
use serde_json::Value;

const COUNT: usize = 60;

fn udp(pair: &Pair) {
    let sent = send::send_udp(&pair.open(1), &pair.open(2), pair.address(2), COUNT, 100);
    assert_eq!(sent.unwrap(), COUNT, "every packet passes");
    let back = send::send_udp(&pair.open(2), &pair.open(1), pair.address(1), COUNT, 100);
    assert_eq!(back.unwrap(), COUNT);
}

/// What a watch of node 1 says of [`udp`], in figures that must not differ between observers.
fn figures(value: &Value) -> Value {
    let tunnel = entry(value, "tunnels", &[("name", TUNNEL)]).unwrap();
    let totals = |direction: &str| {
        ["packets", "inner_bytes", "outer_bytes", "underlay"].map(|field| tunnel[direction][field].clone())
    };
    serde_json::json!([totals("tx"), totals("rx")])
}

fn counted(watch: &Watch, rounds: usize) -> Value {
    let value = watch.settled();
    let tunnel = entry(&value, "tunnels", &[("name", TUNNEL)]).unwrap();
    for direction in ["tx", "rx"] {
        assert_eq!(
            number(tunnel, direction, "packets"),
            u64::try_from(rounds * COUNT).unwrap(),
            "{direction}"
        );
        assert_eq!(tunnel[direction]["underlay"]["packets"], rounds * COUNT, "{direction}");
    }
    figures(&value)
}

/// A foreign filter on every hook of ours, which mirrors what it sees to a device that nobody listens on.
fn foreign(pair: &Pair, priority: u16) {
    pair.at(1).ip("link add name sink type veth peer name drain
         link set sink up
         link set drain up");
    for interface in [TUNNEL, "u0"] {
        ns(pair.node(1), &format!("tc qdisc add dev {interface} clsact"));
        // u32 lists the filters of one priority for both directions: they share the qdisc (`tc_u_common_ptr`).
        for (direction, priority) in [("ingress", priority), ("egress", priority + 1)] {
            ns(
                pair.node(1),
                &format!(
                    "tc filter add dev {interface} {direction} pref {priority} u32 match u32 0 0 action mirred egress mirror \
                     dev sink"
                ),
            );
        }
    }
}

fn seen_by_foreign(pair: &Pair) -> Vec<u64> {
    let hooks =
        [TUNNEL, "u0"].into_iter().flat_map(|interface| [(interface, "ingress"), (interface, "egress")]);
    hooks.map(|(interface, direction)| action_packets(pair.node(1), interface, direction)).collect()
}

#[test]
fn a_foreign_filter_goes_on_and_ours_counts_beside_it() {
    for attach in ways() {
        let pair = Pair::new("filter");
        foreign(&pair, 100);
        let count = u64::try_from(COUNT).unwrap();
        udp(&pair);
        let alone = seen_by_foreign(&pair);
        assert!(alone.iter().all(|&packets| packets >= count), "{alone:?}");

        let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
        udp(&pair);
        counted(&watch, 1);
        let beside = seen_by_foreign(&pair);
        for (before, now) in alone.iter().zip(&beside) {
            assert!(now - before >= count, "{attach}: the foreign filter saw {now} after {before}");
        }

        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
        udp(&pair);
        for (before, now) in beside.iter().zip(&seen_by_foreign(&pair)) {
            assert!(now - before >= count, "{attach}, after ours has gone");
        }
        assert_eq!(filters(pair.node(1), TUNNEL), ["u32", "u32"]);
    }
}

/// A clsact filter of another kind on the lowest priority cannot be overtaken, and u32 decides on what it matches. What
/// is not seen is then not shown as silence. TCX programs run before every filter.
#[test]
fn a_foreign_filter_before_ours_is_told() {
    for attach in ways() {
        let pair = Pair::new("before");
        foreign(&pair, 1);
        let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
        udp(&pair);
        let value = watch.settled();
        let notes: Vec<&str> =
            value["notes"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
        if attach == "tcx" {
            assert_eq!(notes, Vec::<&str>::new());
            counted(&watch, 1);
        } else {
            let tunnel = entry(&value, "tunnels", &[("name", TUNNEL)]).unwrap();
            assert_eq!((number(tunnel, "tx", "packets"), number(tunnel, "rx", "packets")), (60, 0));
            for interface in [TUNNEL, "u0"] {
                let told = format!("{interface} (ingress): another program's tc filter runs before ours");
                assert!(notes.iter().any(|note| note.starts_with(&told)), "{notes:?}");
            }
            assert_eq!(notes.len(), 2, "nobody is before us on egress: {notes:?}");
        }
        assert!(seen_by_foreign(&pair).iter().all(|&packets| packets >= 60));
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
}

#[test]
fn a_foreign_filter_that_comes_later_stops_nobody() {
    for attach in ways() {
        let pair = Pair::new("latecomer");
        let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
        udp(&pair);
        counted(&watch, 1);
        pair.at(1).ip("link add name sink type veth peer name drain
             link set sink up
             link set drain up");
        for interface in [TUNNEL, "u0"] {
            // There already where ours is a clsact filter.
            if attach == "tcx" {
                ns(pair.node(1), &format!("tc qdisc add dev {interface} clsact"));
            }
            let filter = "egress pref 100 u32 match u32 0 0 action mirred egress mirror dev sink";
            ns(pair.node(1), &format!("tc filter add dev {interface} {filter}"));
        }
        udp(&pair);
        counted(&watch, 2);
        let seen = action_packets(pair.node(1), TUNNEL, "egress");
        assert!(seen >= u64::try_from(COUNT).unwrap(), "{attach}: {seen}");
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
}

#[test]
fn probes_beside_each_other_count_the_same() {
    let pairs = ways().into_iter().flat_map(|first| ways().into_iter().map(move |second| [first, second]));
    for ways in pairs {
        let pair = Pair::new("beside");
        let [first, second] = ways.map(|way| Watch::start_with(pair.node(1), &["--attach", way]));
        udp(&pair);
        assert_eq!(counted(&first, 1), counted(&second, 1), "{ways:?}");
        // The one that goes takes only itself.
        assert_eq!(first.end(Signal::SIGTERM), Some(0));
        udp(&pair);
        counted(&second, 2);
        assert_eq!(second.end(Signal::SIGTERM), Some(0));
        assert_eq!(filters(pair.node(1), TUNNEL), Vec::<String>::new());
    }
}

#[test]
fn a_killed_neighbour_takes_nobody_with_it() {
    for ways in ways().into_iter().map(|way| [way, way]) {
        let pair = Pair::new("fallen");
        let [first, second] = ways.map(|way| Watch::start_with(pair.node(1), &["--attach", way]));
        assert_eq!(first.end(Signal::SIGKILL), None);
        let output = probe_tests::tool::run(&["--netns", pair.node(1), "cleanup"]);
        assert_eq!(output.status.code(), Some(0));
        udp(&pair);
        counted(&second, 1);
        assert_eq!(second.end(Signal::SIGTERM), Some(0));
        assert_eq!(filters(pair.node(1), TUNNEL), Vec::<String>::new(), "{ways:?}");
    }
}
