//! More pods and peers than there are slots: nothing is lost, what has no slot of its own is "other".
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{fmt::Write as _, net::IpAddr};

use overlay_probe::lab::send;
use probe_tests::{
    hand::{Pair, TUNNEL},
    lab::TestNetns,
    ns, sh,
    tool::{Watch, adds_up, entry, number, sum},
};
use serde_json::Value;

const PEERS: usize = 1000;
const PODS: usize = 300;
/// Pod slots unless asked for.
const DEFAULT_PODS: usize = 256;

/// Runs a batch file of `ip` or `bridge` in a namespace.
fn batch(tool: &str, netns: &str, commands: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), commands).unwrap();
    sh(tool, &["-n", netns, "-batch", file.path().to_str().unwrap()]);
}

/// A third and a fourth octet for each number.
fn octets(number: usize) -> (usize, usize) {
    (number / 250, number % 250 + 1)
}

/// Gives node 1 a thousand peers more; an address in the pod network of each.
fn thousand_peers(pair: &Pair) -> Vec<IpAddr> {
    let (mut ip, mut bridge, mut pods) = (String::new(), String::new(), Vec::new());
    // Their outer packets go to node 2, which drops what is not its own.
    writeln!(ip, "route add 198.18.0.0/16 via 192.0.2.2").unwrap();
    for number in 0..PEERS {
        let (high, low) = octets(number);
        let mac = format!("0a:01:00:00:{high:02x}:{low:02x}");
        writeln!(ip, "neigh add 10.200.{high}.{low} lladdr {mac} dev {TUNNEL} nud permanent").unwrap();
        writeln!(ip, "route add 10.{}.{low}.0/24 via 10.200.{high}.{low} dev {TUNNEL} onlink", 210 + high)
            .unwrap();
        writeln!(bridge, "fdb add {mac} dev {TUNNEL} dst 198.18.{high}.{low}").unwrap();
        pods.push(format!("10.{}.{low}.9", 210 + high).parse().unwrap());
    }
    batch("ip", pair.node(1), &ip);
    batch("bridge", pair.node(1), &bridge);
    pods
}

/// Gives node 1 three hundred pods, all in one namespace: the node cannot tell.
fn three_hundred_pods(pair: &Pair, pods: &TestNetns) -> Vec<IpAddr> {
    let (mut node, mut inside, mut addresses) = (String::new(), String::new(), Vec::new());
    for number in 0..PODS {
        let (high, low) = octets(number);
        let address = format!("10.7.{}.{low}", 10 + high);
        writeln!(node, "link add name cali{number} type veth peer name p{number} netns {}", pods.name())
            .unwrap();
        writeln!(node, "link set cali{number} up").unwrap();
        writeln!(node, "route add {address}/32 dev cali{number}").unwrap();
        // What arrives is dropped there: only the tunnel counts here.
        writeln!(node, "neigh add {address} lladdr 02:00:00:00:00:99 dev cali{number} nud permanent")
            .unwrap();
        writeln!(inside, "link set p{number} up").unwrap();
        addresses.push(address.parse().unwrap());
    }
    ns(pods.name(), "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
    batch("ip", pair.node(1), &node);
    batch("ip", pods.name(), &inside);
    ns(pair.node(1), "sysctl -q -w net.ipv4.ip_forward=1");
    pair.at(2).ip(&format!("route add 10.7.0.0/16 via 10.7.1.0 dev {TUNNEL} onlink"));
    addresses
}

/// One datagram to each, from a node.
fn one_to_each(pair: &Pair, from: usize, to: &[IpAddr]) {
    let socket = send::udp_socket(&pair.open(from), false, 0).unwrap();
    for address in to {
        assert_eq!(socket.send_to(&[0; 72], (*address, 9)).unwrap(), 72);
    }
}

/// Every number of the tunnels is that of the parts and of "other" together, on the underlay too.
fn all_adds_up(value: &Value) {
    adds_up(value);
    for direction in ["tx", "rx"] {
        let underlay = |list: &str| -> (u64, u64) {
            let of = |field: &str| {
                let entries = value[list].as_array().unwrap().iter();
                entries.filter_map(|entry| entry[direction]["underlay"][field].as_u64()).sum()
            };
            (of("packets"), of("bytes"))
        };
        assert_eq!(underlay("peers"), underlay("tunnels"), "{direction} on the underlay");
    }
}

fn is_other(entry: &Value) -> bool {
    entry["other"] == true
}

/// `slots`: asked for, or the default. One of node 1's peers is node 2, the others only take.
fn peers(slots: Option<usize>) {
    let pair = Pair::new("peers");
    let to = thousand_peers(&pair);
    let slots = slots.map(|slots| slots.to_string());
    let arguments: Vec<&str> = slots.iter().flat_map(|slots| ["--peer-slots", slots]).collect();
    let watch = Watch::start_with(pair.node(1), &arguments);
    let with = slots.as_ref().map_or(PEERS + 1, |slots| slots.parse().unwrap());
    let without = u64::try_from(PEERS + 1 - with).unwrap();

    for round in 1..=2 {
        one_to_each(&pair, 1, &to);
        let value = watch.settled();
        assert_eq!(value["self"]["peers_without_slot"], without);
        assert_eq!(value["peers"].as_array().unwrap().len(), PEERS + 2, "all are listed, and other");
        let tunnel = entry(&value, "tunnels", &[("name", TUNNEL)]).unwrap();
        assert_eq!(number(tunnel, "tx", "packets"), round * 1000);
        assert_eq!(tunnel["tx"]["underlay"]["packets"], round * 1000);
        // Which peers found a slot is the tool's to choose: node 2, which gets nothing, may be among them.
        let counted = sum(&value, "peers", "tx", "packets", |peer| !is_other(peer));
        let other = sum(&value, "peers", "tx", "packets", is_other);
        assert_eq!(counted + other, round * 1000);
        assert!(other == round * without || (without > 0 && other == round * (without - 1)), "{other}");
        for peer in value["peers"].as_array().unwrap().iter().filter(|peer| !is_other(peer)) {
            assert!(
                [0, round].contains(&number(peer, "tx", "packets")),
                "a peer has another's packets: {peer}"
            );
            // Without a slot nothing was measured, which is not the same as nothing.
            let measured = peer["tx"]["underlay"]["packets"].as_u64().unwrap_or(0);
            assert_eq!(measured, number(peer, "tx", "packets"), "{peer}");
        }
        all_adds_up(&value);
    }
}

#[test]
fn a_thousand_peers_and_enough_slots() {
    peers(None);
}

#[test]
fn a_thousand_peers_and_a_hundred_slots() {
    peers(Some(100));
}

#[test]
fn a_thousand_peers_and_one_slot() {
    peers(Some(1));
}

/// The state after so many packets have come: sending them does not wait for it.
fn all_received(watch: &Watch, packets: u64) -> Value {
    watch.until("all packets", |value| {
        let tunnel = entry(value, "tunnels", &[("name", TUNNEL)]).unwrap();
        (number(tunnel, "rx", "packets") >= packets).then_some(())
    });
    watch.settled()
}

fn pods(slots: Option<usize>) {
    let pair = Pair::new("pods");
    let inside = TestNetns::new("inside");
    let to = three_hundred_pods(&pair, &inside);
    let slots = slots.map(|slots| slots.to_string());
    let arguments: Vec<&str> = slots.iter().flat_map(|slots| ["--pod-slots", slots]).collect();
    let watch = Watch::start_with(pair.node(1), &arguments);
    let with = slots.as_ref().map_or(DEFAULT_PODS, |slots| slots.parse().unwrap());
    let without = u64::try_from(PODS - with).unwrap();

    for round in 1..=2 {
        one_to_each(&pair, 2, &to);
        let value = all_received(&watch, round * 300);
        assert_eq!(value["self"]["pods_without_slot"], without);
        assert_eq!(value["pods"].as_array().unwrap().len(), PODS + 1);
        let tunnel = entry(&value, "tunnels", &[("name", TUNNEL)]).unwrap();
        assert_eq!(number(tunnel, "rx", "packets"), round * 300);
        assert_eq!(sum(&value, "pods", "rx", "packets", is_other), round * without);
        let mut counted = 0;
        for pod in value["pods"].as_array().unwrap().iter().filter(|pod| !is_other(pod)) {
            let packets = number(pod, "rx", "packets");
            assert!([0, round].contains(&packets), "a pod has another's packets: {pod}");
            counted += usize::from(packets > 0);
        }
        assert_eq!(counted, with);
        all_adds_up(&value);
    }
}

#[test]
fn three_hundred_pods_and_the_default_slots() {
    pods(None);
}

#[test]
fn three_hundred_pods_and_enough_slots() {
    pods(Some(300));
}

#[test]
fn three_hundred_pods_and_sixteen_slots() {
    pods(Some(16));
}

/// A slot that becomes free goes to one that had none, and begins at zero.
#[test]
fn a_slot_that_becomes_free_is_used() {
    let pair = Pair::new("freed");
    let inside = TestNetns::new("inside");
    let to = three_hundred_pods(&pair, &inside);
    let watch = Watch::start_with(pair.node(1), &["--pod-slots", "299"]);
    one_to_each(&pair, 2, &to);
    let value = all_received(&watch, 300);
    assert_eq!(
        (&value["self"]["pods_without_slot"], value["pods"].as_array().unwrap().len()),
        (&1.into(), 301)
    );
    let with = |value: &Value| {
        let pods = value["pods"].as_array().unwrap().clone();
        pods.into_iter().find(|pod| !is_other(pod) && number(pod, "rx", "packets") == 1)
    };
    let gone = with(&value).unwrap();
    pair.at(1).ip(&format!("link del {}", gone["interface"].as_str().unwrap()));
    // The freed slot is not handed out in the same breath: a packet under way could count for a stranger.
    let interface = gone["interface"].as_str().unwrap();
    watch.until("the pod to go", |value| {
        entry(value, "pods", &[("interface", interface)]).is_none().then_some(())
    });
    let value = watch.until("the slot to be used", |value| {
        (value["self"]["pods_without_slot"] == 0).then(|| value.clone())
    });
    assert_eq!(
        sum(&value, "pods", "rx", "packets", is_other),
        2,
        "the one without a slot and the one that went"
    );
    assert_eq!(sum(&value, "pods", "rx", "packets", |pod| !is_other(pod)), 298);
    all_adds_up(&value);
}
