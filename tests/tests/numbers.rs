//! Right numbers: what the tool counts equals what the wire carried, to the packet and to the byte.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{collections::BTreeSet, fs, net::IpAddr};

use overlay_probe::{
    lab::{Family, send},
    netns::Namespace,
};
use probe_tests::{
    hand::Pair,
    judge::{Carried, Counters, Tcpdump},
    lab::TestLab,
    ns,
    tool::{Watch, adds_up, entry, is_after_left_out, number, sum},
    wait_for,
};
use serde_json::Value;

const OVER: u64 = 50;
const OVER_V6: u64 = 70;

/// What the tool says of one direction of a tunnel.
fn outer(tunnel: &Value, direction: &str) -> Carried {
    Carried { packets: number(tunnel, direction, "packets"), bytes: number(tunnel, direction, "outer_bytes") }
}

/// The same, measured on the underlay.
fn measured(tunnel: &Value, direction: &str) -> Carried {
    let underlay = &tunnel[direction]["underlay"];
    Carried { packets: underlay["packets"].as_u64().unwrap(), bytes: underlay["bytes"].as_u64().unwrap() }
}

/// Sends from a pod of node 1 to a pod of node 2 and holds both nodes' counts against the wire between them.
///
/// The interface counters also see what is no tunnel packet: router solicitations and reports of multicast groups, which
/// come when they like. Then the judges disagree, nothing can be said, and it is measured again.
fn compare(ipv6: bool, gro: bool, send: impl Fn(&Namespace, &Namespace, IpAddr)) {
    const TRIES: usize = 4;
    assert!((0..TRIES).any(|_| agreed(ipv6, gro, &send)), "the judges disagreed {TRIES} times");
}

/// One measurement; false when the judges disagree.
fn agreed(ipv6: bool, gro: bool, send: impl Fn(&Namespace, &Namespace, IpAddr)) -> bool {
    let lab = TestLab::up(2, 2, Family::Dual);
    lab.offloads_off();
    if gro {
        // Packets travel one by one; the receiver puts them together again before the tunnel device sees them.
        ns(&lab.node(2), "ethtool -K eth0 gro on");
    }
    let (sender, receiver) = (lab.node(1), lab.node(2));
    let (tunnel, overhead, filter) = if ipv6 {
        ("flannel-v6.1", OVER_V6, "ip6 and udp port 8472")
    } else {
        ("flannel.1", OVER, "udp port 8472")
    };
    let watch_sender = Watch::start(&sender);
    let watch_receiver = Watch::start(&receiver);
    let forth = Tcpdump::start(&sender, "eth0", "out", "udp port 8472");
    let back = Tcpdump::start(&sender, "eth0", "in", filter);
    let ports = || ["node1", "node2"].map(|node| Counters::read(&lab.lab.options.underlay(), node));
    let before = ports();

    send(&lab.pod(1, 1), &lab.pod(2, 1), lab.address(2, 1, ipv6));

    let at_sender = watch_sender.settled();
    let at_receiver = watch_receiver.settled();
    let after = ports();
    let (forth, back) = (forth.stop(), back.stop());

    // A port of the underlay's bridge is the far end of a node's NIC: what it received is what the node sent. What is lost between the
    // ports is on one of them only.
    let carried =
        |port: usize| (after[port].received_since(&before[port]), after[port].sent_since(&before[port]));
    if [carried(0), carried(1)] != [(forth, back), (back, forth)] {
        return false;
    }
    assert!(forth.packets > 0, "nothing was sent");

    let of = |value: &Value| entry(value, "tunnels", &[("name", tunnel)]).unwrap().clone();
    let (at_sender_tunnel, at_receiver_tunnel) = (of(&at_sender), of(&at_receiver));
    assert_eq!(outer(&at_sender_tunnel, "tx"), forth, "the sender's tx");
    assert_eq!(outer(&at_sender_tunnel, "rx"), back, "the sender's rx");
    assert_eq!(outer(&at_receiver_tunnel, "rx"), forth, "the receiver's rx");
    assert_eq!(outer(&at_receiver_tunnel, "tx"), back, "the receiver's tx");
    for (value, direction, wire) in [
        (&at_sender_tunnel, "tx", forth),
        (&at_sender_tunnel, "rx", back),
        (&at_receiver_tunnel, "rx", forth),
        (&at_receiver_tunnel, "tx", back),
    ] {
        assert_eq!(measured(value, direction), wire, "measured on the underlay, {direction}");
        let per_packet = number(value, direction, "outer_bytes") - number(value, direction, "inner_bytes");
        assert_eq!(per_packet, overhead * wire.packets, "{direction}: overhead per packet");
        let family = if ipv6 { "ipv6" } else { "ipv4" };
        assert_eq!(number(value, direction, family), wire.packets);
        assert_eq!(number(value, direction, "oversize"), 0);
        let sizes: u64 =
            value["sizes"].as_array().unwrap().iter().map(|size| size[direction].as_u64().unwrap()).sum();
        assert_eq!(sizes, wire.packets, "every packet is in one size bucket");
    }
    for value in [&at_sender, &at_receiver] {
        adds_up(value);
    }
    // The pod and the peer that did it, and nobody else.
    let pod = &lab.lab.nodes[0].pods[0];
    let pod = entry(&at_sender, "pods", &[("namespace", &pod.namespace), ("name", &pod.name)]).unwrap();
    assert_eq!(number(pod, "tx", "packets"), forth.packets);
    assert_eq!(number(pod, "rx", "packets"), back.packets);
    let node = if ipv6 { "fd77::2" } else { "172.31.77.2" };
    let peer = entry(&at_sender, "peers", &[("tunnel", tunnel), ("node_address", node)]).unwrap();
    assert_eq!(outer(peer, "tx"), forth);
    assert_eq!(measured(peer, "tx"), forth);
    assert_eq!(outer(peer, "rx"), back);
    assert_eq!(sum(&at_sender, "pods", "tx", "skbs", |pod| pod["other"] == true), 0);
    true
}

fn tcp(from: &Namespace, to: &Namespace, address: IpAddr) {
    assert_eq!(send::send_tcp(from, to, address, 3_000_001).unwrap(), 3_000_001);
}

fn udp(from: &Namespace, to: &Namespace, address: IpAddr) {
    assert_eq!(send::send_udp(from, to, address, 777, 64).unwrap(), 777);
}

fn udp_gso(from: &Namespace, to: &Namespace, address: IpAddr) {
    // 10 full datagrams and one of 321 bytes each.
    let received = send::send_udp_gso(from, to, address, 50, 12_321, 1200).unwrap();
    // The receiving socket may overflow on a slow machine, which is after everything that is compared.
    assert!((1..=50 * 11).contains(&received), "{received}");
}

#[test]
fn tcp_with_gso_over_ipv4() {
    compare(false, false, tcp);
}

#[test]
fn tcp_with_gso_over_ipv6() {
    compare(true, false, tcp);
}

#[test]
fn tcp_that_the_receiver_aggregates() {
    compare(false, true, tcp);
    compare(true, true, tcp);
}

/// The MSS that connections begin with, and those of them that the tunnel does not carry: one of the pods has too large an MTU.
#[test]
fn syns_announce_what_tcpdump_reads() {
    let lab = TestLab::up(2, 1, Family::Dual);
    ns(&lab.lab.options.pod(1, 1), "ip link set eth0 mtu 1500");
    let node = lab.node(1);
    let watch = Watch::start(&node);
    let tunnels = [("flannel.1", false, 40), ("flannel-v6.1", true, 60)];
    let judges = tunnels
        .map(|(tunnel, ..)| ["out", "in"].map(|direction| Tcpdump::start(&node, tunnel, direction, "tcp")));
    for (_, ipv6, _) in tunnels {
        assert_eq!(
            send::send_tcp(&lab.pod(1, 1), &lab.pod(2, 1), lab.address(2, 1, ipv6), 1000).unwrap(),
            1000
        );
    }
    let counted = watch.settled();
    let pod = &lab.lab.nodes[0].pods[0];
    let pod = entry(&counted, "pods", &[("namespace", &pod.namespace), ("name", &pod.name)]).unwrap();
    let mut read = [Vec::new(), Vec::new()];
    for ((tunnel, _, headers), judges) in tunnels.into_iter().zip(judges) {
        let budget = entry(&counted, "tunnels", &[("name", tunnel)]).unwrap()["budget"].as_u64().unwrap();
        for (read, judge) in read.iter_mut().zip(judges) {
            let announced = judge.stop_for_mss();
            // Again where a machine that stood still has sent a SYN again: that is counted, too.
            let different: BTreeSet<_> = announced.iter().collect();
            assert_eq!(different.len(), 1, "{tunnel}: {announced:?}");
            read.extend(announced.into_iter().map(|mss| (mss, mss + headers > budget)));
        }
    }
    for (direction, read) in ["tx", "rx"].into_iter().zip(read) {
        let over = read.iter().filter(|(_, is_over)| *is_over).count();
        assert_eq!(over > 0, direction == "tx", "the judge: {read:?}");
        let syns = &pod["syns"][direction];
        assert_eq!(syns["segments"], read.len(), "{direction}: {syns}");
        assert_eq!(syns["over_budget"], over, "{direction}: {syns}");
        assert_eq!(
            syns["largest_mss"],
            read.iter().map(|(mss, _)| *mss).max().unwrap(),
            "{direction}: {syns}"
        );
    }
}

#[test]
fn small_udp() {
    compare(false, false, udp);
    compare(true, false, udp);
}

#[test]
fn udp_with_segmentation() {
    compare(false, false, udp_gso);
    compare(true, false, udp_gso);
}

#[test]
fn udp_with_segmentation_that_the_receiver_may_aggregate() {
    compare(false, true, udp_gso);
    compare(true, true, udp_gso);
}

/// What was counted of pods in no tunnel.
fn in_clear(of: &Value, direction: &str) -> Carried {
    let underlay = &of[direction]["underlay"];
    Carried {
        packets: underlay["in_clear_packets"].as_u64().unwrap(),
        bytes: underlay["in_clear_bytes"].as_u64().unwrap(),
    }
}

/// The gateway of the nodes' default route, as whoever has this link-layer address.
fn gateway_is(node: &str, ipv6: bool, mac: &str) {
    let gateway = if ipv6 { "fd77::fe" } else { "172.31.77.254" };
    ns(node, &format!("ip neigh replace {gateway} lladdr {mac} dev eth0 nud permanent"));
}

fn mac(node: &str) -> String {
    let link: Value = serde_json::from_str(&ns(node, "ip -j link show dev eth0")).unwrap();
    link[0]["address"].as_str().unwrap().to_owned()
}

#[test]
fn pods_packets_that_the_default_route_takes() {
    const NOBODY: &str = "02:00:00:00:00:99";
    // The third node's network tells how long this node's own is.
    let lab = TestLab::up(3, 1, Family::Dual);
    lab.offloads_off();
    let (sender, receiver) = (lab.node(1), lab.node(2));
    let (pod, far) = (lab.pod(1, 1), lab.pod(2, 1));
    let watches = [Watch::start(&sender), Watch::start(&receiver)];
    for (ipv6, tunnel, network, nodes, gone) in [
        (false, "flannel.1", "10.42.2.0/24", ["172.31.77.1", "172.31.77.2"], "10.42.1.99"),
        (true, "flannel-v6.1", "fd00:42:0:2::/64", ["fd77::1", "fd77::2"], "fd00:42:0:1::99"),
    ] {
        let address = lab.address(2, 1, ipv6);
        let peer = |value: &Value, node: &str| {
            entry(value, "peers", &[("tunnel", tunnel), ("node_address", node)]).unwrap().clone()
        };
        let whole = |value: &Value| entry(value, "tunnels", &[("name", tunnel)]).unwrap().clone();
        udp(&pod, &far, address);
        for value in watches.each_ref().map(Watch::settled) {
            let of = whole(&value);
            assert_eq!([in_clear(&of, "tx"), in_clear(&of, "rx")], [Carried::default(); 2]);
        }
        // The route to the other node's pods is lost; the gateway happens to know the way.
        gateway_is(&sender, ipv6, &mac(&receiver));
        ns(&sender, &format!("ip route del {network} dev {tunnel}"));
        watches[0].until("the route to go", |value| {
            (peer(value, nodes[1])["pod_cidrs"].as_array()?.is_empty()).then_some(())
        });
        let family = if ipv6 { "ip6" } else { "ip" };
        let wire = Tcpdump::start(&sender, "eth0", "out", &format!("{family} and dst host {address}"));
        udp(&pod, &far, address);
        tcp(&pod, &far, address);
        let [at_sender, at_receiver] = watches.each_ref().map(Watch::settled);
        let wire = wire.stop();
        for (value, node, direction) in [(&at_sender, nodes[1], "tx"), (&at_receiver, nodes[0], "rx")] {
            assert_eq!(in_clear(&peer(value, node), direction), wire, "{direction} of the peer");
            assert_eq!(in_clear(&whole(value), direction), wire, "{direction} of the tunnel");
        }
        // A pod that is gone, and nothing holds its network.
        gateway_is(&sender, ipv6, NOBODY);
        let own = if ipv6 { "fd00:42:0:1::/64" } else { "10.42.1.0/24" };
        ns(&sender, &format!("ip route del blackhole {own}"));
        let wire = Tcpdump::start(&sender, "eth0", "out", &format!("{family} and dst host {gone}"));
        let socket = send::udp_socket(&pod, ipv6, 0).unwrap();
        for _ in 0..25 {
            socket.send_to(&[0; 50], (gone.parse::<IpAddr>().unwrap(), 9)).unwrap();
        }
        let other = |value: &Value| {
            let peers = value["peers"].as_array().unwrap().iter();
            let mut others = peers.filter(|peer| peer["tunnel"] == tunnel && peer["other"] == true);
            in_clear(others.next().unwrap(), "tx")
        };
        let counted = watches[0].until("packets to the pod that is gone", |value| {
            (other(value).packets >= 25).then(|| other(value))
        });
        assert_eq!(counted, wire.stop());
        // Routed without a tunnel as it is meant, it is no fault.
        ns(&sender, &format!("ip route add {network} via {} dev eth0", nodes[1]));
        let before = watches[0].until("the direct route", |value| {
            let notes = value["notes"].as_array()?;
            let is_missed = notes.iter().any(|note| note.as_str().unwrap().contains(nodes[1]));
            (!is_missed).then(|| value.clone())
        });
        udp(&pod, &far, address);
        let after = watches[0].settled();
        let direct = |value: &Value| value["direct"]["tx"]["packets"].as_u64().unwrap();
        assert_eq!(direct(&after) - direct(&before), 777);
        assert_eq!(in_clear(&whole(&after), "tx"), in_clear(&whole(&before), "tx"));
    }
}

/// What all threads of a process have spent so far, in seconds: `/proc/PID/task/*/schedstat` begins with nanoseconds on a CPU.
fn accounted(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let spent = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    spent.sum::<f64>() / 1e9
}

#[test]
fn what_the_tool_spends_is_what_the_kernel_accounts() {
    const LINES: usize = 20;
    const TRIES: usize = 5;
    let pair = Pair::new("spent");
    let watch = Watch::start(pair.node(1));
    // A line is read some time after what it says; the first and the last are of other intervals by that much, and by more where this
    // process stood still: then it is measured again. A line that was left out says nothing of its interval.
    let mut seen = Vec::new();
    let is_so = wait_for("lines of which none is left out", || {
        watch.settled();
        let before = accounted(watch.pid());
        let lines: Vec<Value> = (0..LINES).map(|_| watch.next()).collect();
        let accounted = accounted(watch.pid()) - before;
        if lines.iter().any(is_after_left_out) {
            return None;
        }
        let said = |line: &Value| {
            line["self"]["cpu_percent"].as_f64().unwrap() / 100.0 * line["interval_s"].as_f64().unwrap()
        };
        let said: f64 = lines.iter().map(said).sum();
        seen.push((said, accounted));
        let is_so = (0.6..1.6).contains(&(said / accounted));
        (is_so || seen.len() == TRIES).then_some(is_so)
    });
    assert!(is_so, "seconds, said and accounted: {seen:?}");
}
