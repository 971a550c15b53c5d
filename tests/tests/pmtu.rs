//! Packets that are too big for the way: routers that say so, and outer packets that are cut.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::net::IpAddr;

use overlay_probe::{
    lab::send,
    netns::{self, Namespace},
};
use probe_tests::{
    hand::{OVERHEAD, Pair, TUNNEL},
    judge::Tcpdump,
    routed::Routed,
    tool::{Watch, entry, number},
};
use serde_json::Value;

/// One datagram of so many payload bytes; nobody waits for it.
fn send_one(from: &Namespace, to: IpAddr, payload: usize) {
    let socket = send::udp_socket(from, false, 0).unwrap();
    assert_eq!(socket.send_to(&vec![0; payload], (to, 9)).unwrap(), payload);
}

/// The first event that is reported, and the state it came with.
fn event(watch: &Watch) -> Value {
    watch.until("an event", |value| value["pmtu_events"].as_array().unwrap().first().cloned())
}

fn a_router_says_so(is_v6: bool, mtu: u32, payload: usize, reporter: &str, destination: &str) {
    let path = Routed::new(is_v6, if is_v6 { "" } else { "df set" });
    path.router.ip(&format!("link set r2 mtu {mtu}"));
    let inside = "10.7.2.0".parse().unwrap();
    let watch = Watch::start(path.near.name());
    let from = netns::open(path.near.name()).unwrap();
    // What fits is no event.
    send_one(&from, inside, 100);
    let value = watch.settled();
    let tunnel = entry(&value, "tunnels", &[("name", TUNNEL)]).unwrap();
    assert_eq!((number(tunnel, "tx", "packets"), &value["pmtu_events"]), (1, &serde_json::json!([])));

    send_one(&from, inside, payload);
    let event = event(&watch);
    assert_eq!(event["tunnel"], TUNNEL);
    assert_eq!((&event["reporter"], &event["destination"]), (&reporter.into(), &destination.into()));
    assert_eq!(event["mtu"], mtu);
    assert!(event["age_s"].as_f64().unwrap() >= 0.0);
    assert_eq!(watch.settled()["self"]["events_lost"], 0);
}

#[test]
fn fragmentation_needed() {
    // 1372 and 28 bytes of headers inside, 50 around them: 1450 do not go through 1400.
    a_router_says_so(false, 1400, 1372, "192.0.1.254", "192.0.2.2");
}

#[test]
fn packet_too_big() {
    a_router_says_so(true, 1380, 1352, "fd99:1::254", "fd99:2::2");
}

/// A node's own underlay that is smaller than the tunnel's MTU says: outer packets are cut in two.
fn cut(tunnel_mtu: u32, underlay_mtu: u32) -> Pair {
    let pair = Pair::new("cut");
    pair.offloads_off();
    for node in [1, 2] {
        // Lowering what is below lowers the tunnel too; it is then raised again, as one set by hand would be.
        pair.at(node).ip(&format!(
            "link set u0 mtu {underlay_mtu}
             link set {TUNNEL} mtu {tunnel_mtu}"
        ));
        let peer = 3 - node;
        // The node learns the smaller path from its own tunnel, and would send smaller inner packets: not with a lock.
        pair.at(node).ip(&format!(
            "route replace 10.7.{peer}.0/24 via 10.7.{peer}.0 dev {TUNNEL} onlink mtu lock {tunnel_mtu}"
        ));
    }
    pair
}

#[test]
fn outer_fragments_and_oversize_are_counted() {
    const COUNT: usize = 40;
    const PAYLOAD: usize = 1372;
    const UNDERLAY: u32 = 1400;
    let pair = cut(1450, UNDERLAY);
    let budget = u64::from(UNDERLAY) - OVERHEAD;
    let watches = [1, 2].map(|node| Watch::start(pair.node(node)));
    let wire = Tcpdump::start(pair.node(1), "u0", "out", "ip and src host 192.0.2.1");
    let sent = send::send_udp(&pair.open(1), &pair.open(2), pair.address(2), COUNT, PAYLOAD);
    assert_eq!(sent.unwrap(), COUNT, "they arrive, in pieces");
    // And some that fit: 1350 bytes inside, to the byte.
    let fitting = usize::try_from(budget).unwrap() - 28;
    let sent = send::send_udp(&pair.open(1), &pair.open(2), pair.address(2), COUNT, fitting);
    assert_eq!(sent.unwrap(), COUNT);

    let seen = watches.map(|watch| watch.settled());
    let wire = wire.stop();
    let count = u64::try_from(COUNT).unwrap();
    assert_eq!(wire.packets, 3 * count, "two pieces each, and one");
    for (value, direction) in seen.iter().zip(["tx", "rx"]) {
        let tunnel = entry(value, "tunnels", &[("name", TUNNEL)]).unwrap();
        assert_eq!(tunnel["budget"], budget);
        assert_eq!(number(tunnel, direction, "packets"), 2 * count, "{direction}: inner packets");
        assert_eq!(number(tunnel, direction, "oversize"), count, "{direction}: those over the budget");
        assert_eq!(number(tunnel, direction, "fragments"), 0, "{direction}: no inner packet is cut");
        let underlay = &tunnel[direction]["underlay"];
        assert_eq!(underlay["fragments"], 2 * count, "{direction}");
        assert_eq!((&underlay["packets"], &underlay["bytes"]), (&wire.packets.into(), &wire.bytes.into()));
        let edges = tunnel["sizes"].as_array().unwrap();
        let of = |edge: &str| edges.iter().find(|size| size["edge"] == edge).unwrap()[direction].clone();
        assert_eq!((of("over"), of("at")), (count.into(), count.into()), "{direction}");
        let peers = value["peers"].as_array().unwrap();
        let peer = peers.iter().find(|peer| peer["node_address"].is_string()).unwrap();
        assert_eq!(peer[direction]["underlay"]["fragments"], 2 * count, "the peer's are the tunnel's");
        assert_eq!(value["self"]["unknown_fragments"], 0);
    }
}
