//! WireGuard as flannel sets it up: counts equal the wire's and WireGuard's own, peers that change are followed, and no
//! key is shown.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{fmt::Write as _, net::IpAddr};

use overlay_probe::{
    lab::{Dataplane, Family, LabOptions, send},
    netns::Namespace,
};
use probe_tests::{
    judge::{Carried, Tcpdump},
    lab::TestLab,
    needs, ns,
    tool::{Watch, adds_up, entry, notes, number, run, sum},
};
use serde_json::Value;

const DEVICE: &str = "flannel-wg";
const DEVICE_V6: &str = "flannel-wg-v6";

fn lab(nodes: u16, dataplane: Dataplane) -> TestLab {
    TestLab::with(&LabOptions { nodes, pods: 2, family: Family::Dual, dataplane, ..LabOptions::default() })
}

/// What the tool says of the data packets of one direction.
fn outer(of: &Value, direction: &str) -> Carried {
    Carried { packets: number(of, direction, "packets"), bytes: number(of, direction, "outer_bytes") }
}

/// Some of what was measured on the underlay.
fn part(of: &Value, direction: &str, part: Option<&str>) -> Carried {
    let underlay = &of[direction]["underlay"];
    let part = part.map_or(underlay, |part| &underlay[part]);
    Carried { packets: part["packets"].as_u64().unwrap(), bytes: part["bytes"].as_u64().unwrap() }
}

fn tunnel<'a>(value: &'a Value, name: &str) -> &'a Value {
    entry(value, "tunnels", &[("name", name)]).unwrap()
}

/// The peer of a device that is this node.
fn peer<'a>(value: &'a Value, tunnel: &str, node: u16) -> &'a Value {
    let address = if tunnel == DEVICE { format!("172.31.77.{node}") } else { format!("fd77::{node}") };
    entry(value, "peers", &[("tunnel", tunnel), ("node_address", &address)]).unwrap()
}

/// Received and sent bytes by `wg show transfer`, for the device's only peer.
fn transfer(netns: &str, device: &str) -> (u64, u64) {
    let text = ns(netns, &format!("wg show {device} transfer"));
    let mut words = text.split_whitespace().skip(1).map(|word| word.parse().unwrap());
    (words.next().unwrap(), words.next().unwrap())
}

fn public_key(netns: &str) -> String {
    ns(netns, &format!("wg show {DEVICE} public-key")).trim().to_owned()
}

/// One datagram each way, so that there is a session.
fn introduce(lab: &TestLab, from: u16, to: u16, ipv6: bool) {
    let (a, b) = (lab.pod(from, 1), lab.pod(to, 1));
    send::send_udp(&a, &b, lab.address(to, 1, ipv6), 1, 10).unwrap();
    send::send_udp(&b, &a, lab.address(from, 1, ipv6), 1, 10).unwrap();
}

/// Sends from node 1 to node 2 and holds the counts of both against tcpdump and WireGuard itself. WireGuard sends
/// keepalives and handshakes when it likes: when one came between the judges' last looks, it is measured again.
fn compare(ipv6: bool, send: impl Fn(&Namespace, &Namespace, IpAddr)) {
    const TRIES: usize = 5;
    assert!((0..TRIES).any(|_| agreed(ipv6, &send)), "WireGuard was never quiet");
}

fn agreed(ipv6: bool, send: impl Fn(&Namespace, &Namespace, IpAddr)) -> bool {
    let lab = lab(2, Dataplane::Wireguard);
    lab.offloads_off();
    let nodes = [lab.node(1), lab.node(2)];
    let (device, port, headers, overhead) =
        if ipv6 { (DEVICE_V6, 51821, 48, 80) } else { (DEVICE, 51820, 28, 60) };
    let watches = [0, 1].map(|node| Watch::start(&nodes[node]));
    let filter = format!("{}udp port {port}", if ipv6 { "ip6 and " } else { "" });
    let wires = ["out", "in"].map(|direction| Tcpdump::start(&nodes[0], "eth0", direction, &filter));

    send(&lab.pod(1, 1), &lab.pod(2, 1), lab.address(2, 1, ipv6));

    let values = [0, 1].map(|node: usize| watches[node].settled());
    let transfers = [0, 1].map(|node: usize| transfer(&nodes[node], device));
    let wires = wires.map(Tcpdump::stop);
    let later = [0, 1].map(|node: usize| watches[node].settled());
    let measured =
        |value: &Value| [part(tunnel(value, device), "tx", None), part(tunnel(value, device), "rx", None)];
    if (0..2).any(|node| measured(&values[node]) != measured(&later[node])) {
        return false;
    }
    for (node, value) in values.iter().enumerate() {
        let directions = if node == 0 { ["tx", "rx"] } else { ["rx", "tx"] };
        let (seen, peer) = (tunnel(value, device), peer(value, device, if node == 0 { 2 } else { 1 }));
        for (direction, wire) in directions.into_iter().zip(wires) {
            for of in [seen, peer] {
                assert_eq!(part(of, direction, None), wire, "{direction} of node {}", node + 1);
                let (keepalives, handshakes) =
                    (part(of, direction, Some("keepalives")), part(of, direction, Some("handshakes")));
                assert!(handshakes.packets >= 1, "each end sent one message of a handshake");
                assert_eq!(keepalives.bytes, keepalives.packets * (headers + 32));
                let data = Carried {
                    packets: wire.packets - keepalives.packets - handshakes.packets,
                    bytes: wire.bytes - keepalives.bytes - handshakes.bytes,
                };
                assert_eq!(outer(of, direction), data, "data, {direction} of node {}", node + 1);
                let added = data.bytes - number(of, direction, "inner_bytes");
                assert!(
                    (overhead * data.packets..=(overhead + 15) * data.packets).contains(&added),
                    "{added}"
                );
            }
            let transfer = if direction == "rx" { transfers[node].0 } else { transfers[node].1 };
            assert_eq!(transfer, wire.bytes - wire.packets * headers, "wg show transfer, {direction}");
            let told = if direction == "rx" { "rx_bytes" } else { "tx_bytes" };
            assert_eq!(peer["wireguard"][told], transfer);
        }
        assert_eq!(peer["wireguard"]["handshake"], "done");
        assert!(peer["wireguard"]["handshake_age_s"].as_f64().unwrap() < 180.0);
        adds_up(value);
        assert_eq!(sum(value, "pods", "tx", "skbs", |pod| pod["other"] == true), 0, "pods are known");
    }
    let pod = &lab.lab.nodes[0].pods[0];
    let pod = entry(&values[0], "pods", &[("namespace", &pod.namespace), ("name", &pod.name)]).unwrap();
    assert_eq!(
        outer(pod, "tx"),
        outer(tunnel(&values[0], device), "tx"),
        "the pod that did it has all of it"
    );
    true
}

#[test]
fn udp_of_every_padding() {
    needs!(Wireguard);
    for ipv6 in [false, true] {
        compare(ipv6, |from, to, address| {
            for size in 100..=116 {
                assert_eq!(send::send_udp(from, to, address, 7, size).unwrap(), 7);
            }
            // The padding ends at the MTU.
            for size in [1380, 1390, 1392] {
                let size = if ipv6 { size - 20 } else { size };
                assert_eq!(send::send_udp(from, to, address, 7, size).unwrap(), 7);
            }
        });
    }
}

#[test]
fn tcp_that_the_device_splits_itself() {
    needs!(Wireguard);
    for ipv6 in [false, true] {
        compare(ipv6, |from, to, address| {
            assert_eq!(send::send_tcp(from, to, address, 1_000_001).unwrap(), 1_000_001);
        });
    }
}

#[test]
fn udp_with_segmentation() {
    needs!(Wireguard);
    compare(false, |from, to, address| {
        // Without a session only the last 128 packets wait for one (MAX_STAGED_PACKETS).
        assert_eq!(send::send_udp(from, to, address, 1, 10).unwrap(), 1);
        // 10 full datagrams and one of 321 bytes each.
        assert_eq!(send::send_udp_gso(from, to, address, 20, 12_321, 1200).unwrap(), 20 * 11);
    });
}

#[test]
fn the_device_and_its_peer_are_described_as_wg_does() {
    needs!(Wireguard);
    let lab = lab(2, Dataplane::Wireguard);
    let watch = Watch::start(&lab.node(1));
    let value = watch.next();
    let device = tunnel(&value, DEVICE);
    assert_eq!(
        (&device["kind"], &device["port"], &device["mtu"]),
        (&"wireguard".into(), &51820.into(), &1420.into())
    );
    assert_eq!(device["public_key"], public_key(&lab.node(1)));
    assert_eq!(device["underlay"]["name"], "eth0");
    let far = peer(&value, DEVICE, 2);
    assert_eq!(far["key"], public_key(&lab.node(2)));
    assert_eq!(
        (&far["wireguard"]["endpoint"], &far["pod_cidrs"][0]),
        (&"172.31.77.2:51820".into(), &"10.42.2.0/24".into())
    );
    assert_eq!(far["wireguard"]["handshake"], "never");
    assert_eq!(notes(&value), [""; 0]);
}

#[test]
fn keepalives_and_handshakes_are_no_data() {
    needs!(Wireguard);
    let lab = lab(2, Dataplane::Wireguard);
    lab.offloads_off();
    let node = lab.node(1);
    let watch = Watch::start(&node);
    // 32 bytes of WireGuard in 40 of UDP; then the messages of types 1 and 2.
    let keepalives = Tcpdump::start(&node, "eth0", "out", "udp src port 51820 and udp[4:2] = 40");
    let handshakes =
        Tcpdump::start(&node, "eth0", "out", "udp src port 51820 and (udp[8] = 1 or udp[8] = 2)");
    ns(&node, &format!("wg set {DEVICE} peer {} persistent-keepalive 1", public_key(&lab.node(2))));
    let of = |value: &Value, kind: &str| part(tunnel(value, DEVICE), "tx", Some(kind));
    watch.until("some keepalives", |value| (of(value, "keepalives").packets >= 3).then_some(()));
    ns(&node, &format!("wg set {DEVICE} peer {} persistent-keepalive 0", public_key(&lab.node(2))));
    let value = watch.settled();
    assert_eq!(of(&value, "keepalives"), keepalives.stop());
    assert_eq!(of(&value, "handshakes"), handshakes.stop());
    assert!(of(&value, "handshakes").packets > 0);
    assert_eq!(number(tunnel(&value, DEVICE), "tx", "packets"), 0, "no data was sent");
}

#[test]
fn no_key_is_printed() {
    needs!(Wireguard);
    let lab = lab(2, Dataplane::Wireguard);
    let node = lab.node(1);
    let key = ns(&node, "wg genpsk");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &key).unwrap();
    ns(
        &node,
        &format!("wg set {DEVICE} peer {} preshared-key {}", public_key(&lab.node(2)), file.path().display()),
    );
    let private = ns(&node, &format!("wg show {DEVICE} private-key"));
    for format in ["table", "jsonl"] {
        let output = run(&[
            "-vv",
            "--netns",
            &node,
            "watch",
            "--count",
            "2",
            "--interval",
            "200ms",
            "--format",
            format,
        ]);
        assert!(output.status.success());
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(said.contains(DEVICE), "{said}");
        for secret in [key.trim(), private.trim()] {
            assert!(secret.len() == 44 && !said.contains(&secret[..20]), "a key is in the output");
        }
    }
}

#[test]
fn a_peer_that_moves_to_another_endpoint() {
    needs!(Wireguard);
    let lab = lab(2, Dataplane::Wireguard);
    let node = lab.node(1);
    let watch = Watch::start(&node);
    introduce(&lab, 1, 2, false);
    ns(&lab.node(2), "ip addr add 172.31.77.202/24 dev eth0");
    let before = part(peer(&watch.settled(), DEVICE, 2), "tx", None).packets;
    ns(&node, &format!("wg set {DEVICE} peer {} endpoint 172.31.77.202:51820", public_key(&lab.node(2))));
    watch.until("the new endpoint", |value| {
        let far = entry(value, "peers", &[("tunnel", DEVICE), ("node_address", "172.31.77.202")])?;
        (far["wireguard"]["endpoint"] == "172.31.77.202:51820").then_some(())
    });
    // One way only: an answer would come from the old address and bring the endpoint back.
    let socket = send::udp_socket(&lab.pod(1, 1), false, 0).unwrap();
    for _ in 0..25 {
        socket.send_to(&[0; 50], (lab.address(2, 1, false), 9)).unwrap();
    }
    let value = watch.settled();
    assert_eq!(sum(&value, "peers", "tx", "packets", |peer| peer["other"] == true), 0, "{value}");
    let tunnel = tunnel(&value, DEVICE);
    let key = public_key(&lab.node(2));
    let far = entry(&value, "peers", &[("key", &key)]).unwrap();
    assert_eq!(part(far, "tx", None), part(tunnel, "tx", None), "the peer has all of it, at either endpoint");
    assert!(part(far, "tx", None).packets >= before + 25);
}

#[test]
fn allowed_ips_that_move_to_another_peer() {
    needs!(Wireguard);
    let lab = lab(3, Dataplane::Wireguard);
    let node = lab.node(1);
    let watch = Watch::start(&node);
    introduce(&lab, 1, 2, false);
    introduce(&lab, 1, 3, false);
    let before = watch.settled();
    let third = public_key(&lab.node(3));
    // The kernel takes them from whoever had them (wg_allowedips_insert_v4).
    ns(&node, &format!("wg set {DEVICE} peer {third} allowed-ips 10.42.3.0/24,10.42.2.0/24"));
    watch.until("the new allowed IPs", |value| {
        (peer(value, DEVICE, 3)["pod_cidrs"].as_array()?.len() == 2).then_some(())
    });
    let socket = send::udp_socket(&lab.pod(1, 1), false, 0).unwrap();
    for _ in 0..25 {
        socket.send_to(&[0; 50], (lab.address(2, 1, false), 9)).unwrap();
    }
    let after = watch.settled();
    let sent = |value: &Value, node| number(peer(value, DEVICE, node), "tx", "packets");
    assert_eq!(sent(&after, 2), sent(&before, 2));
    assert_eq!(sent(&after, 3), sent(&before, 3) + 25);
    adds_up(&after);
}

#[test]
fn a_device_that_is_made_again_with_another_key() {
    needs!(Wireguard);
    let lab = lab(2, Dataplane::Wireguard);
    let node = lab.node(1);
    let watch = Watch::start(&node);
    introduce(&lab, 1, 2, false);
    watch.settled();
    let (old, far) = (public_key(&node), public_key(&lab.node(2)));
    ns(&node, &format!("ip link del {DEVICE}"));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), ns(&node, "wg genkey")).unwrap();
    for command in [
        format!("ip link add name {DEVICE} mtu 1420 type wireguard"),
        format!("wg set {DEVICE} private-key {} listen-port 51820", file.path().display()),
        format!("wg set {DEVICE} peer {far} endpoint 172.31.77.2:51820 allowed-ips 10.42.2.0/24"),
        format!("ip addr add 10.42.1.0/32 dev {DEVICE}"),
        format!("ip link set {DEVICE} up"),
        format!("ip route add 10.42.0.0/16 dev {DEVICE}"),
    ] {
        ns(&node, &command);
    }
    let new = public_key(&node);
    assert_ne!(old, new);
    let far_node = lab.node(2);
    ns(&far_node, &format!("wg set {DEVICE} peer {old} remove"));
    ns(&far_node, &format!("wg set {DEVICE} peer {new} endpoint 172.31.77.1:51820 allowed-ips 10.42.1.0/24"));
    watch.until("the new key", |value| {
        let whole = entry(value, "tunnels", &[("name", DEVICE), ("public_key", &new)])?["port"] == 51820;
        let peer = entry(value, "peers", &[("tunnel", DEVICE), ("key", &far)])?;
        (whole && peer["pod_cidrs"].as_array()?.len() == 1).then_some(())
    });
    assert_eq!(send::send_udp(&lab.pod(1, 1), &lab.pod(2, 1), lab.address(2, 1, false), 40, 90).unwrap(), 40);
    let value = watch.settled();
    assert_eq!(number(tunnel(&value, DEVICE), "tx", "packets"), 40, "a new device begins at zero");
    assert_eq!(number(peer(&value, DEVICE, 2), "tx", "packets"), 40);
}

/// Peers beside the real one.
const MORE: usize = 1000;

#[test]
fn a_thousand_peers() {
    needs!(Wireguard);
    let lab = lab(2, Dataplane::Wireguard);
    let node = lab.node(1);
    let mut config = String::new();
    for number in 0..MORE {
        let key = format!("{number:042}A=");
        write!(
            config,
            "[Peer]\nPublicKey = {key}\nEndpoint = 198.18.{}.{}:51820\nAllowedIPs = 10.{}.{}.0/24\n",
            number / 250,
            number % 250 + 1,
            100 + number / 250,
            number % 250
        )
        .unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config).unwrap();
    ns(&node, &format!("wg addconf {DEVICE} {}", file.path().display()));
    ns(&node, &format!("ip route add 10.100.0.0/14 dev {DEVICE}"));
    let watch = Watch::start(&node);
    introduce(&lab, 1, 2, false);
    let socket = send::udp_socket(&lab.pod(1, 1), false, 0).unwrap();
    for number in 0..MORE {
        let address: IpAddr = format!("10.{}.{}.9", 100 + number / 250, number % 250).parse().unwrap();
        socket.send_to(&[0; 50], (address, 9)).unwrap();
    }
    // The underlay will not settle: nobody answers, so that a thousand handshakes are tried again and again.
    let sent = u64::try_from(MORE).unwrap() + 1;
    let value = watch.until("every datagram to be counted", |value| {
        (number(tunnel(value, DEVICE), "tx", "packets") >= sent).then(|| value.clone())
    });
    let of_device = |peer: &Value| peer["tunnel"] == DEVICE && peer["other"] == false;
    let peers: Vec<&Value> =
        value["peers"].as_array().unwrap().iter().filter(|peer| of_device(peer)).collect();
    assert_eq!(peers.len(), MORE + 1);
    let strangers = peers.iter().filter(|peer| peer["node_address"] != "172.31.77.2");
    let counted: Vec<u64> = strangers.map(|peer| number(peer, "tx", "packets")).collect();
    assert_eq!(counted, vec![1; MORE], "each got its datagram");
    assert_eq!(number(peer(&value, DEVICE, 2), "tx", "packets"), 1);
    adds_up(&value);
}

#[test]
fn halfway_from_vxlan_to_wireguard() {
    needs!(Wireguard);
    let lab = lab(3, Dataplane::Both);
    let watch = Watch::start(&lab.node(1));
    for (to, count) in [(2, 21), (3, 34)] {
        let sent = send::send_udp(&lab.pod(1, 1), &lab.pod(to, 1), lab.address(to, 1, false), count, 80);
        assert_eq!(sent.unwrap(), count);
    }
    let value = watch.settled();
    assert_eq!(number(tunnel(&value, "flannel.1"), "tx", "packets"), 21);
    assert_eq!(number(tunnel(&value, DEVICE), "tx", "packets"), 34);
    assert_eq!(number(peer(&value, DEVICE, 3), "tx", "packets"), 34);
    adds_up(&value);
}

#[test]
fn pods_packets_that_a_route_leads_past_the_device() {
    needs!(Wireguard);
    let lab = lab(2, Dataplane::Wireguard);
    lab.offloads_off();
    let nodes = [lab.node(1), lab.node(2)];
    let watches = nodes.each_ref().map(|node| Watch::start(node));
    let (pod, far) = (lab.pod(1, 1), lab.pod(2, 1));
    let in_clear = |of: &Value, direction: &str| Carried {
        packets: of[direction]["underlay"]["in_clear_packets"].as_u64().unwrap(),
        bytes: of[direction]["underlay"]["in_clear_bytes"].as_u64().unwrap(),
    };
    for (ipv6, device, network, via) in
        [(false, DEVICE, "10.42.2.0/24", "172.31.77.2"), (true, DEVICE_V6, "fd00:42:0:2::/64", "fd77::2")]
    {
        let address = lab.address(2, 1, ipv6);
        introduce(&lab, 1, 2, ipv6);
        assert_eq!(send::send_udp(&pod, &far, address, 40, 90).unwrap(), 40);
        for value in watches.each_ref().map(Watch::settled) {
            let of = tunnel(&value, device);
            assert_eq!([in_clear(of, "tx"), in_clear(of, "rx")], [Carried::default(); 2], "all is encrypted");
        }
        ns(&nodes[0], &format!("ip route add {network} via {via} dev eth0"));
        let family = if ipv6 { "ip6" } else { "ip" };
        let wire = Tcpdump::start(&nodes[0], "eth0", "out", &format!("{family} and dst host {address}"));
        assert_eq!(send::send_udp(&pod, &far, address, 33, 90).unwrap(), 33);
        assert_eq!(send::send_tcp(&pod, &far, address, 300_001).unwrap(), 300_001);
        watches[0].until("the alarm", |value| (peer(value, device, 2)["state"] == "in-clear").then_some(()));
        let values = watches.each_ref().map(Watch::settled);
        let wire = wire.stop();
        for (node, direction) in [(0, "tx"), (1, "rx")] {
            let value = &values[node];
            let other = if node == 0 { 2 } else { 1 };
            assert_eq!(in_clear(peer(value, device, other), direction), wire, "{direction} of the peer");
            assert_eq!(in_clear(tunnel(value, device), direction), wire, "{direction} of the tunnel");
        }
    }
}
