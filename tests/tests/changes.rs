//! A node that changes while it is watched: devices, pods, peers and namespaces that come and go.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    thread,
};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::signal::Signal,
    unistd::Pid,
};
use overlay_probe::{
    lab::{Family, live, send},
    netns::{self, Namespace},
};
use probe_tests::{
    hand::{Pair, TUNNEL},
    lab::TestLab,
    needs::ways,
    ns,
    tool::{Watch, entry, notes, number, sum},
    wait_for,
};
use serde_json::Value;

fn tunnel<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    entry(value, "tunnels", &[("name", name)])
}

/// The tunnel of this index is there, with its one peer and the peer's network.
fn is_whole(value: &Value, ifindex: u64) -> Option<()> {
    let tunnel = tunnel(value, TUNNEL)?;
    let peer = entry(value, "peers", &[("tunnel", TUNNEL), ("node_address", "192.0.2.2")])?;
    (tunnel["ifindex"] == ifindex && peer["pod_cidrs"][0] == "10.7.2.0/24").then_some(())
}

fn ifindex(netns: &str, interface: &str) -> u64 {
    let link: Value = serde_json::from_str(&ns(netns, &format!("ip -j link show dev {interface}"))).unwrap();
    link[0]["ifindex"].as_u64().unwrap()
}

fn send_from_1(pair: &Pair, count: usize) {
    assert_eq!(send::send_udp(&pair.open(1), &pair.open(2), pair.address(2), count, 100).unwrap(), count);
}

fn a_recreated_tunnel_counts_again(attach: &str, is_seen_gone: bool) {
    let pair = Pair::new("again");
    let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
    send_from_1(&pair, 10);
    assert_eq!(number(tunnel(&watch.settled(), TUNNEL).unwrap(), "tx", "packets"), 10);

    pair.at(1).ip(&format!("link del {TUNNEL}"));
    if is_seen_gone {
        watch.until("the tunnel to go", |value| tunnel(value, TUNNEL).is_none().then_some(()));
    }
    pair.add_tunnel(1);
    let now = ifindex(pair.node(1), TUNNEL);
    watch.until("the new tunnel", |value| is_whole(value, now));
    send_from_1(&pair, 33);

    let value = watch.settled();
    let seen = tunnel(&value, TUNNEL).unwrap();
    assert_eq!(number(seen, "tx", "packets"), 33, "a new device begins at zero: {attach}");
    assert_eq!(seen["tx"]["underlay"]["packets"], 33);
    let peer = entry(&value, "peers", &[("tunnel", TUNNEL), ("node_address", "192.0.2.2")]).unwrap();
    assert_eq!(number(peer, "tx", "packets"), 33);
    assert_eq!(sum(&value, "peers", "tx", "packets", |_| true), 33);
    assert_eq!(notes(&value), [""; 0]);
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
}

#[test]
fn a_tunnel_that_goes_and_comes_again_with_the_same_name() {
    for attach in ways() {
        a_recreated_tunnel_counts_again(attach, true);
    }
}

#[test]
fn a_tunnel_that_is_replaced_at_once() {
    for attach in ways() {
        a_recreated_tunnel_counts_again(attach, false);
    }
}

/// The kernel gives a device the number that its maker asks for: the new one looks exactly like the old.
#[test]
fn a_tunnel_that_is_replaced_by_one_with_the_same_number() {
    for attach in ways() {
        let pair = Pair::new("same");
        let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
        send_from_1(&pair, 10);
        assert_eq!(number(tunnel(&watch.settled(), TUNNEL).unwrap(), "tx", "packets"), 10);
        let before = ifindex(pair.node(1), TUNNEL);
        pair.replace_tunnel(1, before);
        // Nothing that is shown tells when the new one is followed: what it carries does. While the kernel adds a clsact
        // qdisc it drops what the device sends (`qdisc_graft`, net/sched/sch_api.c), so that a datagram may be lost then.
        let mut rounds = 0;
        let counted = watch.until("the new tunnel to count", |value| {
            let arrived = send::send_udp(&pair.open(1), &pair.open(2), pair.address(2), 1, 100).unwrap();
            assert!(arrived == 1 || attach == "clsact", "TCX drops nothing");
            rounds += 1;
            let now = number(tunnel(value, TUNNEL)?, "tx", "packets");
            (now != 10 && now > 0).then_some(now)
        });
        assert!(counted < 10 + rounds, "{attach}");
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
}

#[test]
fn a_second_tunnel_that_appears_later() {
    for attach in ways() {
        let pair = Pair::new("later");
        let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
        for (node, peer) in [(1, 2), (2, 1)] {
            pair.at(node).ip(&format!(
                "link add name late type vxlan id 8 dev u0 local 192.0.2.{node} dstport 8473 remote 192.0.2.{peer}
                 addr add 10.8.0.{node}/24 dev late
                 link set late up"
            ));
        }
        watch.until("the second tunnel", |value| tunnel(value, "late").map(drop));
        let to = "10.8.0.2".parse().unwrap();
        assert_eq!(send::send_udp(&pair.open(1), &pair.open(2), to, 40, 100).unwrap(), 40);
        let value = watch.settled();
        let late = tunnel(&value, "late").unwrap();
        // 40 datagrams, and the ARP that this tunnel is free to flood.
        assert_eq!((number(late, "tx", "udp"), number(late, "tx", "ipv4")), (40, 40), "{attach}");
        assert_eq!(late["tx"]["underlay"]["packets"], number(late, "tx", "packets"));
        assert_eq!(number(tunnel(&value, TUNNEL).unwrap(), "tx", "packets"), 0);
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
}

/// A name is not the namespace: the watch lives in it and keeps it.
#[test]
fn a_namespace_whose_name_is_deleted_is_watched_on() {
    let pair = Pair::new("name");
    let (from, to) = (pair.open(1), pair.open(2));
    let watch = Watch::start(pair.node(1));
    probe_tests::sh("ip", &["netns", "del", pair.node(1)]);
    assert_eq!(send::send_udp(&from, &to, pair.address(2), 15, 100).unwrap(), 15);
    assert_eq!(number(tunnel(&watch.settled(), TUNNEL).unwrap(), "tx", "packets"), 15);
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
}

/// With the other node's namespace its end of the veth goes, with that ours, and with that the tunnel on it.
#[test]
fn a_node_that_loses_its_underlay_is_watched_on() {
    for attach in ways() {
        let pair = Pair::new("under");
        let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
        probe_tests::sh("ip", &["netns", "del", pair.node(2)]);
        watch.until("nothing to be left", |value| {
            value["tunnels"].as_array().unwrap().is_empty().then_some(())
        });
        let value = watch.next();
        assert_eq!(value["peers"].as_array().unwrap().len(), 0);
        // A node that is repaired is followed again.
        pair.at(1).ip("link add name u0 type veth peer name far
             link set u0 up
             link set far up
             addr add 192.0.2.1/24 dev u0");
        pair.add_tunnel(1);
        let now = ifindex(pair.node(1), TUNNEL);
        watch.until("the tunnel to come back", |value| is_whole(value, now));
        assert_eq!(watch.end(Signal::SIGTERM), Some(0), "{attach}");
    }
}

/// What the tunnel carried before the device below it was known, or while another one was, is no loss between the two.
#[test]
fn an_underlay_that_is_watched_late_or_exchanged_counts_from_where_the_tunnel_is() {
    let pair = Pair::new("below");
    let (node, other) = (pair.at(1), pair.at(2));
    node.ip(&format!("link add name u1 type veth peer name u1 netns {}", other.name()));
    for namespace in [node, other] {
        namespace.ip("link set u1 up");
    }
    // Without a device of its own it leaves by the one that has its address, which is none at first.
    node.ip(&format!(
        "link del {TUNNEL}
         addr del 192.0.2.1/24 dev u0
         link add name {TUNNEL} type vxlan id 7 local 192.0.2.1 dstport 8472 nolearning
         link set {TUNNEL} address 0a:00:00:00:00:01
         addr add 10.7.1.0/32 dev {TUNNEL}
         link set {TUNNEL} up
         neigh add 10.7.2.0 lladdr 0a:00:00:00:00:02 dev {TUNNEL} nud permanent
         route add 10.7.2.0/24 via 10.7.2.0 dev {TUNNEL} onlink"
    ));
    ns(node.name(), &format!("bridge fdb add 0a:00:00:00:00:02 dev {TUNNEL} dst 192.0.2.2"));
    let here = pair.open(1);
    let into_nothing = |count: usize| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                netns::enter(&here).unwrap();
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                for _ in 0..count {
                    // The kernel counts it on the tunnel, and finds no route for the outer packet.
                    let _ = socket.send_to(&[7; 100], (pair.address(2), 9));
                }
            });
        });
    };
    let watch = Watch::start(node.name());
    let mut sent = 0;
    for (device, blind) in [("u0", 12), ("u1", 8)] {
        watch.until("no device below", |value| {
            tunnel(value, TUNNEL)?["tx"]["underlay"].is_null().then_some(())
        });
        into_nothing(blind);
        sent += blind as u64;
        wait_for("the tunnel to count", || {
            (number(tunnel(&watch.next(), TUNNEL)?, "tx", "packets") == sent).then_some(())
        });
        for (namespace, number) in [(node, 1), (other, 2)] {
            let peer = 3 - number;
            if device == "u1" && number == 2 {
                namespace.ip("addr del 192.0.2.2/24 dev u0");
            }
            if device == "u1" || number == 1 {
                namespace.ip(&format!("addr add 192.0.2.{number}/24 dev {device}"));
            }
            let link: Value =
                serde_json::from_str(&ns(pair.node(peer), &format!("ip -j link show dev {device}"))).unwrap();
            let mac = link[0]["address"].as_str().unwrap();
            namespace.ip(&format!("neigh replace 192.0.2.{peer} lladdr {mac} dev {device} nud permanent"));
        }
        watch.until(device, |value| {
            let tunnel = tunnel(value, TUNNEL)?;
            (tunnel["underlay"]["name"] == device && !tunnel["tx"]["underlay"].is_null()).then_some(())
        });
        send_from_1(&pair, 30);
        sent += 30;
        let value = watch.settled();
        let peer = entry(&value, "peers", &[("tunnel", TUNNEL), ("node_address", "192.0.2.2")]).unwrap();
        for of in [tunnel(&value, TUNNEL).unwrap(), peer] {
            assert_eq!(number(of, "tx", "packets"), sent, "{device}");
            let below = &of["tx"]["underlay"];
            assert_eq!(
                (&below["packets"], &below["bytes"]),
                (&of["tx"]["packets"], &of["tx"]["outer_bytes"])
            );
        }
        if device == "u0" {
            node.ip("addr del 192.0.2.1/24 dev u0");
        }
    }
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
}

/// On one processor, always the same: each remembers whose its last packet was (probe-ebpf/src/recent.rs), and what is sent here
/// follows what was sent here before.
fn on_one_processor<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let me = Pid::from_raw(0);
    let allowed = sched_getaffinity(me).unwrap();
    let first = (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap()).unwrap();
    let mut only = CpuSet::new();
    only.set(first).unwrap();
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            sched_setaffinity(me, &only).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}

/// Datagrams of which nobody asks whether they arrive.
fn send_off(from: &Namespace, to: IpAddr, port: u16, count: usize) {
    let socket = send::udp_socket(from, false, 0).unwrap();
    for _ in 0..count {
        socket.send_to(&[0x5a; 100], SocketAddr::new(to, port)).unwrap();
    }
}

#[test]
fn pods_that_come_and_go() {
    let lab = TestLab::up(2, 1, Family::V4);
    let watch = Watch::start(&lab.node(1));
    let named = |value: &Value| entry(value, "pods", &[("namespace", "shop"), ("name", "late-0")]).cloned();
    let address: IpAddr = "10.42.1.77".parse().unwrap();
    let to = lab.pod(2, 1);
    let other =
        |value: &Value, direction| sum(value, "pods", direction, "packets", |pod| pod["other"] == true);
    on_one_processor(|| send_off(&to, address, 9, 3));
    let before = watch.settled();
    assert_eq!(other(&before, "rx"), 3, "nobody has the address yet");
    let pod = live::add_pod(lab.prefix(), 1, 7, "shop", "late-0", vec![address]).unwrap();
    let seen = watch.until("the new pod", named);
    assert_eq!(seen["addresses"][0], "10.42.1.77");
    assert_eq!(seen["interface"], pod.host_ifname.as_str());

    // Both ways: by the interface it came in by, and by the address it goes to. It is the pod's from the first packet on.
    let from = lab.pod(1, 7);
    assert_eq!(send::send_udp(&from, &to, lab.address(2, 1, false), 25, 100).unwrap(), 25);
    assert_eq!(on_one_processor(|| send::send_udp(&to, &from, address, 12, 100)).unwrap(), 12);
    let seen = named(&watch.settled()).unwrap();
    assert_eq!((number(&seen, "tx", "packets"), number(&seen, "rx", "packets")), (25, 12));

    drop(from);
    live::remove_pod(lab.prefix(), 1, "shop", "late-0").unwrap();
    watch.until("the pod to go", |value| named(value).is_none().then_some(()));
    let value = watch.settled();
    let more = ["tx", "rx"].map(|direction| other(&value, direction) - other(&before, direction));
    assert_eq!(more, [25, 12], "what it carried stays in the sum");
    let total = |list| sum(&value, list, "tx", "outer_bytes", |_| true);
    assert_eq!(total("pods"), total("tunnels"));
    on_one_processor(|| send_off(&to, address, 9, 5));
    assert_eq!(other(&watch.settled(), "rx"), 3 + 12 + 5, "it is nobody's from the first packet on");
}

#[test]
fn peers_that_come_and_go() {
    let lab = TestLab::up(3, 1, Family::V4);
    let watch = Watch::start(&lab.node(1));
    let third = |value: &Value| entry(value, "peers", &[("node_address", "172.31.77.3")]).cloned();
    let (from, to, address) = (lab.pod(1, 1), lab.pod(3, 1), lab.address(3, 1, false));
    assert_eq!(send::send_udp(&from, &to, address, 9, 100).unwrap(), 9);
    // The third node goes on sending to a socket that nobody reads.
    let sink = send::udp_socket(&from, false, 0).unwrap();
    let port = sink.local_addr().unwrap().port();
    let send_back = |count| on_one_processor(|| send_off(&to, lab.address(1, 1, false), port, count));
    send_back(6);
    let seen = third(&watch.settled()).unwrap();
    assert_eq!((number(&seen, "tx", "packets"), number(&seen, "rx", "packets")), (9, 6));

    live::remove_peer(lab.prefix(), 1, 3, false).unwrap();
    watch.until("the peer to go", |value| third(value).is_none().then_some(()));
    send_back(5);
    let value = watch.settled();
    let other = |direction| sum(&value, "peers", direction, "packets", |peer| peer["other"] == true);
    assert_eq!((other("tx"), other("rx")), (9, 6 + 5), "it is nobody's from the first packet on");
    assert_eq!(sum(&value, "tunnels", "tx", "packets", |_| true), 9);

    live::add_peer(lab.prefix(), 1, 3, false).unwrap();
    watch.until("the peer to come back", |value| {
        third(value).filter(|peer| peer["pod_cidrs"][0] == "10.42.3.0/24")
    });
    assert_eq!(send::send_udp(&from, &to, address, 4, 100).unwrap(), 4);
    send_back(7);
    let value = watch.settled();
    let seen = third(&value).unwrap();
    let counted = (number(&seen, "tx", "packets"), number(&seen, "rx", "packets"));
    assert_eq!(counted, (4, 7), "it begins at zero, and from the first packet on");
    assert_eq!(sum(&value, "peers", "tx", "packets", |_| true), 13);
    assert_eq!(sum(&value, "peers", "rx", "packets", |_| true), 6 + 5 + 7);
}
