//! Tables and documents of measured paths, and that what they say is documented.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::time::Duration;

use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::{
    mtu::{
        Forward, Ignored, Learned, Loss, Outcome, Reverse, SomeFlows, Verdict, Way, Who, judge,
        testdata::{outcome, path},
    },
    report::align::WIDTH,
};

/// A path of each kind.
fn measured() -> Judged {
    let fits = |size| outcome(Verdict::Fits, Some(size));
    let from = "192.0.2.254".parse().unwrap();
    let named = |peer: &str, path: Path| Path { peer: peer.to_owned(), node_address: None, ..path };
    let under = |peer: &str| named(peer, path(Way::Underlay, "192.0.2.3", 1500));
    let over = |peer: &str| named(peer, path(Way::Overlay, "10.42.3.0", 1450));
    let some = |limited, dead, said_by| Verdict::SomeFlows(SomeFlows { limited, dead, most: 1450, said_by });
    let rows = vec![
        (path(Way::Underlay, "192.0.2.2", 1500), outcome(Verdict::BlackHole, Some(1400))),
        (path(Way::Overlay, "10.42.2.0", 1450), fits(1450)),
        (over("node3"), outcome(Verdict::BlackHole, Some(1350))),
        (over("node4"), Outcome { forward: Forward::Carries, ..outcome(Verdict::BlackHole, Some(1350)) }),
        (over("node5"), Outcome { forward: Forward::Loses, ..outcome(Verdict::BlackHole, Some(1350)) }),
        (over("node6"), outcome(Verdict::BlackHole, Some(1350))),
        (over("node14"), outcome(Verdict::BlackHole, Some(1350))),
        (over("node16"), outcome(Verdict::BlackHole, Some(1350))),
        (over("node9"), Outcome { flows: 16, ..outcome(some(4, 0, None), Some(1350)) }),
        (over("node10"), Outcome { flows: 16, ..outcome(some(4, 3, None), Some(1350)) }),
        (over("node11"), Outcome { flows: 16, ..outcome(some(2, 0, Some(from)), Some(1350)) }),
        (under("node3"), outcome(Verdict::TooBig { from, of_other: false }, Some(1400))),
        (under("node4"), outcome(Verdict::TooBig { from, of_other: true }, Some(1400))),
        (under("node5"), outcome(Verdict::Refused, Some(1400))),
        (under("node6"), outcome(Verdict::Unreachable { said_by: None }, None)),
        (under("node7"), outcome(Verdict::Unreachable { said_by: Some(Who::From(from)) }, None)),
        (under("node8"), outcome(Verdict::Unreachable { said_by: Some(Who::Here) }, None)),
        (
            under("node9"),
            Outcome {
                loss: Loss { sent: 160, lost: 80 },
                ..outcome(Verdict::Undecided { below: Some(1400) }, Some(1280))
            },
        ),
        (over("node17"), outcome(Verdict::Interrupted { device: "flannel.1".to_owned() }, None)),
        (under("node10"), outcome(Verdict::NotSent { why: "Operation not permitted".to_owned() }, None)),
        (under("evil\u{1b}[2J"), Outcome { loss: Loss { sent: 50, lost: 9 }, ..fits(1500) }),
        (under("node12"), Outcome { reverse: Reverse::Fragments { largest: 1396 }, ..fits(1500) }),
        (Path { learned: Some(1350), ..under("node13") }, fits(1500)),
        (
            Path {
                address: "2001:db8:147:0:250:56ff:fe00:1418".parse().unwrap(),
                ..under("2001:db8:147:0:250:56ff:fe00:1418")
            },
            fits(1500),
        ),
        (
            under("node15"),
            Outcome {
                ignored: Ignored { too_small: 1, too_large: 2, refuted: 3, foreign: 4, repeated: 5 },
                ..fits(1500)
            },
        ),
    ];
    let (paths, outcomes): (Vec<_>, Vec<_>) = rows.into_iter().map(|(path, one)| (path, Some(one))).unzip();
    let learned =
        vec![Learned { destination: "2001:db8::2".parse().unwrap(), mtu: 1400, expires_s: Some(599) }];
    judge(paths, outcomes, Duration::from_millis(2_340), learned)
}

fn shown(name: &str, text: &str) {
    insta::assert_snapshot!(name, text);
    for line in text.lines() {
        assert!(line.width() <= WIDTH && !line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn a_path_of_each_kind_the_worst_first() {
    shown("measured", &table(&measured()));
}

#[test]
fn a_black_hole_of_both_families_is_told_once_and_what_it_leaves_once() {
    let hole = |size| outcome(Verdict::BlackHole, Some(size));
    let v6 = |path: Path| Path { device: Some("flannel-v6.1".to_owned()), overhead: 70, ..path };
    let rows = [
        (path(Way::Underlay, "192.0.2.2", 1500), hole(1400)),
        (path(Way::Underlay, "2001:db8::2", 1500), hole(1400)),
        (path(Way::Overlay, "10.42.2.0", 1450), hole(1350)),
        (v6(path(Way::Overlay, "2001:db8:42::", 1430)), hole(1330)),
    ];
    let (paths, outcomes): (Vec<_>, Vec<_>) = rows.into_iter().map(|(path, one)| (path, Some(one))).unzip();
    shown("measured-both", &table(&judge(paths, outcomes, Duration::from_secs(20), Vec::new())));
}

/// Beside what the hole leaves in both, one of them loses packets of any size: that is said of it alone.
#[test]
fn what_is_wrong_with_one_of_two_families_is_not_said_of_the_other() {
    let hole = |size| outcome(Verdict::BlackHole, Some(size));
    let lossy = Outcome { loss: Loss { sent: 50, lost: 9 }, ..hole(1330) };
    let rows = [
        (path(Way::Underlay, "192.0.2.2", 1500), hole(1400)),
        (path(Way::Underlay, "2001:db8::2", 1500), hole(1400)),
        (path(Way::Overlay, "10.42.2.0", 1450), hole(1350)),
        (Path { overhead: 70, ..path(Way::Overlay, "2001:db8:42::", 1430) }, lossy),
    ];
    let (paths, outcomes): (Vec<_>, Vec<_>) = rows.into_iter().map(|(path, one)| (path, Some(one))).unzip();
    let told = table(&judge(paths, outcomes, Duration::from_secs(20), Vec::new())).replace("\n  ", " ");
    assert!(told.contains("! node2 overlay IPv6: 9 of 50 packets"), "{told}");
    assert!(
        told.contains("! node2 overlay IPv4 and IPv6: the black hole between the nodes leaves"),
        "{told}"
    );
}

#[test]
fn all_is_well() {
    let paths = vec![path(Way::Underlay, "192.0.2.2", 1500), path(Way::Overlay, "10.42.2.0", 1450)];
    shown("planned", &planned(&paths, 1));
    let flows = planned(&paths, 16).replace('\n', " ");
    assert!(flows.contains("for each of 15 more flows to an address, TCP segments"), "{flows}");
    let outcomes = [1500, 1450].map(|size| Some(outcome(Verdict::Fits, Some(size)))).to_vec();
    let asked = judge(paths.clone(), outcomes.clone(), Duration::from_millis(450), Vec::new());
    let asked = table(&Judged { flows: 16, ..asked }).replace('\n', " ");
    assert!(asked.contains("one flow only was measured on 2 paths"), "{asked}");
    shown("measured-well", &table(&judge(paths, outcomes, Duration::from_millis(450), Vec::new())));
}

#[test]
fn the_documents_are_documented() {
    const HEADING: &str = "# The JSON of `mtu --format json`";
    let document = json(&measured()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&document).unwrap();
    insta::assert_snapshot!("measured-json", serde_json::to_string_pretty(&value["paths"][0]).unwrap());
    crate::report::documented(&value, HEADING);
    let paths = [path(Way::Overlay, "10.42.2.0", 1450)];
    let value: serde_json::Value = serde_json::from_str(&planned_json(&paths).unwrap()).unwrap();
    crate::report::documented(&value, HEADING);
    assert_eq!(value["planned"][0]["expected"], 1450);
}

#[test]
fn what_goes_on_is_shown_the_worst_first() {
    let probes = crate::model::peer_probes::testdata::watched();
    let at = |way, address, peer: &str| Path { peer: peer.to_owned(), ..path(way, address, 1450) };
    let paths = [
        at(Way::Underlay, "192.0.2.2", "node2"),
        at(Way::Overlay, "10.42.2.0", "node2"),
        at(Way::Underlay, "192.0.2.3", "evil\u{1b}[2J"),
        at(Way::Overlay, "10.42.3.0", "node3"),
        at(Way::Other, "198.51.100.1", "198.51.100.1"),
        at(Way::Other, "203.0.113.9", "beyond the bound"),
    ];
    let ignored = Ignored { too_small: 3, ..Ignored::default() };
    let time = Duration::from_secs(1_700_000_000);
    let watched = Watched { time, paths: &paths, probes: &probes, ignored };
    shown("watched", &super::watched(&watched));
    let value: serde_json::Value = serde_json::from_str(&watched_line(&watched).unwrap()).unwrap();
    insta::assert_snapshot!("watched-json", serde_json::to_string_pretty(&value["paths"][0]).unwrap());
    let signals: Vec<_> =
        value["paths"].as_array().unwrap().iter().map(|path| path["signal"].as_str().unwrap()).collect();
    assert_eq!(signals, ["unanswered", "black-hole", "too-big", "some-lost", "answered"]);
    crate::report::documented(&value, "# The JSON of `mtu --watch --format json`");
}
