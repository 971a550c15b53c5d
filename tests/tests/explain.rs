//! Why packets are "other": each reason on real packets, with what decides it, and as many packets of each reason as the
//! counters have.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::collections::BTreeMap;

use nix::sys::signal::Signal;
use overlay_probe::{
    ebpf,
    lab::{Dataplane, Family, LabOptions, send},
    netns,
};
use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel::filters,
    lab::TestLab,
    needs, ns,
    raw::{self, frame, ipv4, udp},
    sh,
    tool::{Watch, number, run, sum},
};
use serde_json::{Value, json};

const PEER: [u8; 6] = [0x0a, 0, 0, 0, 0, 2];
const OWN: [u8; 6] = [0x0a, 0, 0, 0, 0, 1];
const NOBODY: [u8; 6] = [0x0a, 0, 0, 0, 0, 0x99];
const GROUP: [u8; 6] = [0x01, 0, 0x5e, 0, 0, 1];
/// Nobody's addresses in the networks of both nodes.
const HERE: [u8; 4] = [10, 7, 1, 99];
const THERE: [u8; 4] = [10, 7, 2, 99];

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const TAG: u16 = 0x8100;
const UDP: u8 = 17;

/// More packets than any test sends.
const ALL: [&str; 2] = ["--explain-other", "10000"];

/// An inner packet of one pod's to another.
fn inner(payload: usize) -> Vec<u8> {
    ipv4(HERE, THERE, UDP, 0, &udp(40_000, 53, &vec![0; payload]))
}

/// Collects packets as they are explained.
struct Found<'a> {
    watch: &'a Watch,
    packets: Vec<Value>,
}

impl<'a> Found<'a> {
    fn by(watch: &'a Watch) -> Self {
        Self { watch, packets: Vec::new() }
    }

    /// The first packet with these reasons on this device in this direction.
    fn one(&mut self, device: &str, direction: &str, reasons: &[&str]) -> Value {
        let is_it = |packet: &&Value| {
            (&packet["device"], &packet["direction"]) == (&json!(device), &json!(direction))
                && packet["reasons"] == json!(reasons)
        };
        let Self { watch, packets } = self;
        watch.until(&format!("{direction} packet on {device}: {reasons:?}"), |value| {
            packets.extend(value["explained"]["packets"].as_array().into_iter().flatten().cloned());
            packets.iter().find(is_it).cloned()
        })
    }
}

/// Holds some fields of a packet against what they must be.
fn has(packet: &Value, wanted: &Value) {
    for (name, value) in wanted.as_object().unwrap() {
        assert_eq!(packet[name], *value, "{name} of {packet}");
    }
}

/// Packets by reason so far.
fn reasons(value: &Value) -> BTreeMap<String, u64> {
    serde_json::from_value(value["explained"]["reasons"].clone()).unwrap()
}

/// Packets that have one of these reasons.
fn with(reasons: &BTreeMap<String, u64>, names: &[&str]) -> u64 {
    names.iter().filter_map(|name| reasons.get(*name)).sum()
}

/// As many packets of each reason as there are in "other" and its like. Of both directions: reasons have one count.
fn agrees(value: &Value) {
    let both = |count: &dyn Fn(&str) -> u64| count("tx") + count("rx");
    let tunnels =
        |field: &'static str| move |direction: &str| sum(value, "tunnels", direction, field, |_| true);
    let other = |list: &'static str| {
        move |direction: &str| sum(value, list, direction, "packets", |entry| entry["other"] == true)
    };
    let reasons = reasons(value);
    let unread = ["not_ip", "vlan", "header_short", "header_broken"];
    assert_eq!(with(&reasons, &unread), both(&tunnels("not_ip")), "not parsed: {reasons:?}");
    assert_eq!(with(&reasons, &["over_budget"]), both(&tunnels("oversize")), "too big: {reasons:?}");
    assert_eq!(
        with(&reasons, &["no_flood", "not_allowed", "no_endpoint"]),
        both(&tunnels("unsent")),
        "not sent: {reasons:?}"
    );
    assert_eq!(
        with(&reasons, &["no_peer_mac", "no_peer_allowed", "group"]),
        both(&other("peers")),
        "peers: {reasons:?}"
    );
    let pods = with(&reasons, &["no_pod"]) + with(&reasons, &unread);
    assert_eq!(pods, both(&other("pods")), "pods: {reasons:?}");
}

/// The limits hold on every kernel that counts what its verifier goes through, not only on the machine that compiles.
#[test]
fn the_verifier_takes_it_within_its_budget() {
    let budget: toml::Table = include_str!("../../probe-ebpf/prebuilt/budget.toml").parse().unwrap();
    let limits = &budget["explain"]["verified-instructions"];
    let counts = ebpf::verified_instructions(ebpf::EXPLAIN_OBJECT, ebpf::EXPLAIN_PROGRAMS).unwrap();
    for (program, count) in counts {
        let limit = limits[program.as_str()].as_integer().unwrap();
        assert!(i64::from(count) <= limit, "{program}: {count} of {limit}");
        println!("{program}: {count} instructions of {limit}");
    }
}

#[test]
fn inner_packets_of_vxlan() {
    let pair = Pair::new("why");
    let (sender, receiver) = (Watch::start_with(pair.node(1), &ALL), Watch::start_with(pair.node(2), &ALL));
    let (mut sent, mut received) = (Found::by(&sender), Found::by(&receiver));
    let known = |ethertype, payload: &[u8]| frame(PEER, OWN, ethertype, payload);
    let tagged = |payload: &[u8]| [&[0, 7][..], &TAG.to_be_bytes(), payload].concat();
    let frames = [
        known(IPV4, &inner(8)),
        frame(NOBODY, NOBODY, IPV4, &inner(8)),
        known(ARP, &[0; 28]),
        known(IPV4, &inner(8)[..12]),
        known(IPV4, &[&[0x41][..], &inner(8)[1..]].concat()),
        known(TAG, &tagged(&tagged(&tagged(&inner(8))))),
        known(IPV4, &ipv4(HERE, THERE, UDP, 7, &[0; 16])),
        frame(GROUP, OWN, IPV4, &inner(8)),
    ];
    raw::send(pair.node(1), TUNNEL, &frames);

    let packet = sent.one(TUNNEL, "tx", &["no_pod"]);
    has(
        &packet,
        &json!({
            "tunnel": TUNNEL, "seen": "tunnel", "packets": 1, "bytes": 36, "budget": 1450,
            "remote_mac": "0a:00:00:00:00:02", "ethertype": IPV4, "vlan": null, "protocol": UDP,
            "source": "10.7.1.99", "source_port": 40_000, "destination": "10.7.2.99", "destination_port": 53,
            "words": ["no pod has 10.7.1.99"],
        }),
    );
    let packet = sent.one(TUNNEL, "tx", &["no_peer_mac", "no_pod"]);
    has(&packet, &json!({ "remote_mac": "0a:00:00:00:00:99" }));
    let packet = sent.one(TUNNEL, "tx", &["not_ip"]);
    has(&packet, &json!({ "ethertype": ARP, "source": null, "bytes": 28, "protocol": null }));
    has(&sent.one(TUNNEL, "tx", &["header_short"]), &json!({ "ethertype": IPV4, "bytes": 12 }));
    has(&sent.one(TUNNEL, "tx", &["header_broken"]), &json!({ "ethertype": IPV4, "bytes": 36 }));
    has(&sent.one(TUNNEL, "tx", &["vlan"]), &json!({ "ethertype": TAG, "vlan": 7 }));
    let packet = sent.one(TUNNEL, "tx", &["later_fragment", "no_pod"]);
    has(&packet, &json!({ "destination": "10.7.2.99", "source_port": null }));
    has(&sent.one(TUNNEL, "tx", &["no_flood"]), &json!({ "remote_mac": "01:00:5e:00:00:01" }));

    let packet = received.one(TUNNEL, "rx", &["no_pod"]);
    has(&packet, &json!({ "remote_mac": "0a:00:00:00:00:01", "words": ["no pod has 10.7.2.99"] }));
    received.one(TUNNEL, "rx", &["not_ip"]);

    // The node itself speaks, and nobody is "other" but its pod.
    let (one, two) = (pair.open(1), pair.open(2));
    send::send_udp(&one, &two, pair.address(2), 40, 100).unwrap();
    let packet = sent.watch.until("the node's own packets", |value| {
        let packets = value["explained"]["packets"].as_array().unwrap();
        packets.iter().find(|packet| packet["source"] == "10.7.1.0").cloned()
    });
    has(&packet, &json!({ "reasons": ["no_pod"], "words": ["no pod has 10.7.1.0: the node itself"] }));
    for watch in [&sender, &receiver] {
        agrees(&watch.settled());
    }
    // Of many alike some are described, and all are counted.
    let before = reasons(&sender.settled())["no_peer_mac"];
    raw::send(pair.node(1), TUNNEL, &vec![frame(NOBODY, OWN, IPV4, &inner(8)); 200]);
    let after = sender.settled();
    assert_eq!(reasons(&after)["no_peer_mac"] - before, 200);
    agrees(&after);
}

#[test]
fn frames_to_groups_and_packets_too_big() {
    let pair = Pair::new("big");
    ns(pair.node(1), &format!("bridge fdb append 00:00:00:00:00:00 dev {TUNNEL} dst 192.0.2.2"));
    pair.at(1).ip("link set u0 mtu 1400");
    let watch = Watch::start_with(pair.node(1), &ALL);
    let mut found = Found::by(&watch);
    raw::send(
        pair.node(1),
        TUNNEL,
        &[frame(GROUP, OWN, IPV4, &inner(8)), frame(PEER, OWN, IPV4, &inner(1_400 - 28))],
    );
    has(&found.one(TUNNEL, "tx", &["group", "no_pod"]), &json!({ "remote_mac": "01:00:5e:00:00:01" }));
    let packet = found.one(TUNNEL, "tx", &["no_pod", "over_budget"]);
    has(&packet, &json!({ "bytes": 1400, "budget": 1350 }));
    assert_eq!(packet["words"][1], "1400 B, but only 1350 B fit");
    // A buffer of many packets is one record.
    let (one, two) = (pair.open(1), pair.open(2));
    send::send_udp_gso(&one, &two, pair.address(2), 1, 12_000, 1_390).unwrap();
    watch.until("a buffer of several packets", |value| {
        let packets = value["explained"]["packets"].as_array().unwrap();
        let mut several = packets.iter().filter(|packet| packet["packets"].as_u64().unwrap() > 1);
        several.find(|packet| packet["reasons"] == json!(["no_pod", "over_budget"])).cloned()
    });
    agrees(&watch.settled());
}

/// A VXLAN packet that nobody's device made.
fn outer(from: [u8; 4], vni: u8) -> Vec<u8> {
    let vxlan = [&[8, 0, 0, 0, 0, 0, vni, 0][..], &frame(PEER, OWN, IPV4, &inner(8))].concat();
    ipv4(from, [192, 0, 2, 2], UDP, 0, &udp(50_000, 8472, &vxlan))
}

#[test]
fn outer_packets_of_vxlan() {
    let pair = Pair::new("out");
    let (sender, receiver) = (Watch::start_with(pair.node(1), &ALL), Watch::start_with(pair.node(2), &ALL));
    let below = [2, 0, 0, 0, 0, 2];
    let packets = [
        outer([192, 0, 2, 1], 9),
        outer([192, 0, 2, 77], 7),
        ipv4([192, 0, 2, 1], [192, 0, 2, 2], UDP, 100, &[0; 64]),
    ];
    let frames = packets.map(|packet| frame(below, [2, 0, 0, 0, 0, 1], IPV4, &packet));
    for (watch, direction, far) in [(&sender, "tx", "192.0.2.2"), (&receiver, "rx", "192.0.2.1")] {
        let mut found = Found::by(watch);
        raw::send(pair.node(1), "u0", &frames[..2]);
        let packet = found.one("u0", direction, &["no_tunnel"]);
        has(
            &packet,
            &json!({
                "seen": "underlay", "tunnel": null, "vni": 9, "source": "192.0.2.1", "destination": "192.0.2.2",
                "destination_port": 8472, "bytes": 86, "words": ["not counted: no tunnel here has VNI 9 on port 8472"],
            }),
        );
        if direction == "rx" {
            let packet = found.one("u0", direction, &["no_peer_address"]);
            has(&packet, &json!({ "tunnel": TUNNEL, "vni": 7, "source": "192.0.2.77" }));
        }
        // Whose first fragment may have passed before the programs were there is not complained about.
        let packet = watch.until("a later fragment", |value| {
            raw::send(pair.node(1), "u0", &frames[2..]);
            let packets = value["explained"]["packets"].as_array().unwrap();
            packets.iter().find(|packet| packet["reasons"] == json!(["later_fragment"])).cloned()
        });
        has(
            &packet,
            &json!({ "seen": "underlay", "direction": direction, "source_port": null, "tunnel": null }),
        );
        let ends = [&packet["source"], &packet["destination"]];
        assert!(ends.contains(&&json!(far)), "{packet}");
    }
    // What a tunnel sends in fragments is its own.
    pair.at(1).ip("link set u0 mtu 1300");
    let before = reasons(&receiver.settled());
    raw::send(pair.node(1), TUNNEL, &vec![frame(PEER, OWN, IPV4, &inner(1_400)); 20]);
    let value = receiver.settled();
    let underlay = &value["tunnels"][0]["rx"]["underlay"];
    assert_eq!(underlay["fragments"], 40, "{underlay}");
    assert_eq!(with(&reasons(&value), &["later_fragment"]), with(&before, &["later_fragment"]));
}

/// The lab's WireGuard device.
const DEVICE: &str = "flannel-wg";

/// Programs of the tool that run, as the document lists them.
fn programs(value: &Value) -> Vec<&str> {
    value["self"]["programs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|program| program["name"].as_str().unwrap())
        .collect()
}

#[test]
fn it_ends_with_the_last_packet_asked_for_and_counting_goes_on() {
    for mode in ["clsact", "default"] {
        let pair = Pair::new("end");
        let attach: &[&str] = if mode == "clsact" { &["--attach", "clsact"] } else { &[] };
        let watch = Watch::start_with(pair.node(1), &[&["--explain-other", "3"][..], attach].concat());
        let value = watch.next();
        assert_eq!((&value["explained"]["left"], programs(&value).len()), (&json!(3), 8));
        raw::send(pair.node(1), TUNNEL, &vec![frame(PEER, OWN, IPV4, &inner(8)); 5]);
        let mut described = 0;
        watch.until("the last packet", |value| {
            described += value["explained"]["packets"].as_array().unwrap().len();
            (value["explained"]["left"] == 0).then_some(())
        });
        assert_eq!(described, 3);
        let value = watch.next();
        assert_eq!((&value["explained"], programs(&value).len()), (&Value::Null, 4));
        let left = [TUNNEL, "u0"].map(|interface| filters(pair.node(1), interface)).concat();
        assert!(!left.iter().any(|name| name.starts_with("ovp_why")), "{left:?}");
        raw::send(pair.node(1), TUNNEL, &vec![frame(PEER, OWN, IPV4, &inner(8)); 5]);
        let value = watch.settled();
        assert_eq!(number(&value["tunnels"][0], "tx", "packets"), 10, "{mode}");
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
}

#[test]
fn what_a_killed_run_leaves_of_it_is_removed_with_the_rest() {
    let pair = Pair::new("kill");
    let watch = Watch::start_with(pair.node(1), &["--attach", "clsact", "--explain-other", "9"]);
    let ours = || [TUNNEL, "u0"].map(|interface| filters(pair.node(1), interface).len());
    assert_eq!(ours(), [4, 4]);
    assert_eq!(watch.end(Signal::SIGKILL), None);
    let output = run(&["--netns", pair.node(1), "cleanup"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "removed 10 filters and qdiscs\n");
    assert_eq!(ours(), [0, 0]);
}

#[test]
fn packets_of_wireguard() {
    needs!(Wireguard);
    let lab = TestLab::with(&LabOptions {
        nodes: 2,
        pods: 1,
        family: Family::V4,
        dataplane: Dataplane::Wireguard,
        ..LabOptions::default()
    });
    let (one, two) = (lab.node(1), lab.node(2));
    // A peer that has no endpoint, and networks that no peer has.
    let public = sh("sh", &["-c", "wg genkey | wg pubkey"]).trim().to_owned();
    ns(&one, &format!("wg set {DEVICE} peer {public} allowed-ips 10.98.0.0/16"));
    ns(&one, &format!("ip route add 10.98.0.0/16 dev {DEVICE}"));
    ns(&one, &format!("ip route add 10.99.0.0/16 dev {DEVICE}"));
    let watch = Watch::start_with(&one, &ALL);
    let mut found = Found::by(&watch);

    let socket = send::udp_socket(&netns::open(&one).unwrap(), false, 0).unwrap();
    for to in ["10.98.0.1:9", "10.99.0.1:9"] {
        // The device tells the sender.
        let _ = socket.send_to(&[0; 72], to);
    }
    let packet = found.one(DEVICE, "tx", &["no_endpoint"]);
    has(
        &packet,
        &json!({ "destination": "10.98.0.1", "words": ["not sent: the peer of 10.98.0.1 has no endpoint"] }),
    );
    let packet = found.one(DEVICE, "tx", &["not_allowed"]);
    has(&packet, &json!({ "destination": "10.99.0.1", "bytes": 100, "remote_mac": null }));

    // What arrives below: a message that is none, and one from where no peer is.
    let far = send::udp_socket(&netns::open(&two).unwrap(), false, 0).unwrap();
    far.send_to(&[9; 40], "172.31.77.1:51820").unwrap();
    let mut initiation = [0; 148];
    initiation[0] = 1;
    far.send_to(&initiation, "172.31.77.1:51820").unwrap();
    let packet = found.one("eth0", "rx", &["not_wireguard"]);
    has(&packet, &json!({ "tunnel": DEVICE, "source": "172.31.77.2", "wireguard_message": 0x0909_0909 }));
    let port = far.local_addr().unwrap().port();
    let packet = found.one("eth0", "rx", &["no_peer_endpoint"]);
    has(&packet, &json!({ "source_port": port, "wireguard_message": 1, "vni": null }));

    // Pods are nobody's "other"; the node itself is.
    send::send_udp(&lab.pod(1, 1), &lab.pod(2, 1), lab.address(2, 1, false), 20, 100).unwrap();
    let value = watch.settled();
    assert_eq!(with(&reasons(&value), &["no_pod", "no_peer_allowed"]), 0);
    agrees(&value);
}
