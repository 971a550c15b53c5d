//! The health check on a real data plane: a healthy lab has no finding, each fault raises its check and nothing unrelated, and
//! undone the node is healthy again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use std::{collections::BTreeSet, net::UdpSocket, thread};

use overlay_probe::{
    lab::{Dataplane, Family, LabOptions, files},
    netns,
};
use probe_tests::{
    lab::TestLab,
    needs, ns,
    tool::{NOBODY, run, with_privileges},
    wait_for,
};
use serde_json::Value;
use tempfile::TempDir;

/// A lab's first node, with the files that it would have.
struct Node {
    lab: TestLab,
    files: TempDir,
}

impl Node {
    fn up(dataplane: Dataplane) -> Self {
        let options =
            LabOptions { nodes: 3, pods: 2, family: Family::Dual, dataplane, ..LabOptions::default() };
        let lab = TestLab::with(&options);
        let files = TempDir::new().unwrap();
        files::write(&lab.lab, files.path()).unwrap();
        Self { lab, files }
    }

    fn name(&self) -> String {
        self.lab.node(1)
    }

    /// Runs commands in the node's namespace, one on each line.
    fn run(&self, commands: &str) {
        for command in commands.lines().map(str::trim).filter(|command| !command.is_empty()) {
            ns(&self.name(), command);
        }
    }

    fn check(&self, more: &[&str]) -> (Option<i32>, String) {
        let name = self.name();
        let root = self.files.path().join(&name);
        let mut args =
            vec!["--netns", &name, "--host-root", root.to_str().unwrap(), "check", "--window", "50ms"];
        args.extend(more);
        let output = run(&args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    fn document(&self) -> (Option<i32>, Value) {
        let (code, text) = self.check(&["--format", "json"]);
        (code, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    /// Findings that no other one explains, by id.
    fn found(&self) -> (Option<i32>, BTreeSet<String>, Value) {
        let (code, document) = self.document();
        let findings = document["findings"].as_array().unwrap();
        let own = findings.iter().filter(|finding| finding["explained_by"].is_null());
        let ids = own.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect();
        (code, ids, document)
    }

    fn is_healthy(&self, after: &str) {
        let (code, found, document) = self.found();
        assert!(found.is_empty(), "{after}: {document}");
        assert_eq!((code, document["verdict"].as_str()), (Some(0), Some("ok")), "{after}: {document}");
    }
}

/// What raises which checks, how it is made and how it is undone.
const FAULTS: &[(&[&str], &str, &str)] = &[
    (&["mtu-tunnel-exceeds-underlay"], "ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500"),
    (&["host-forwarding-off"], "sysctl -q -w net.ipv4.ip_forward=0", "sysctl -q -w net.ipv4.ip_forward=1"),
    (
        &["peer-neighbour-without-fdb"],
        "bridge fdb del 02:42:04:00:00:02 dev flannel.1 dst 172.31.77.2",
        "bridge fdb append 02:42:04:00:00:02 dev flannel.1 dst 172.31.77.2",
    ),
    (
        &["peer-route-without-neighbour"],
        "ip neigh del 10.42.2.0 dev flannel.1",
        "ip neigh add 10.42.2.0 lladdr 02:42:04:00:00:02 dev flannel.1 nud permanent",
    ),
    (
        &["peer-fdb-without-route"],
        "ip route del 10.42.2.0/24",
        "ip route add 10.42.2.0/24 via 10.42.2.0 dev flannel.1 onlink",
    ),
    (
        // The node's own address is preferred to the route by it, which the kernel keeps.
        &["peer-own-address"],
        "ip address add 10.42.2.0/32 dev flannel.1",
        "ip address del 10.42.2.0/32 dev flannel.1",
    ),
    (
        &["peer-destination-shared"],
        "bridge fdb del 02:42:04:00:00:03 dev flannel.1 dst 172.31.77.3
         bridge fdb append 02:42:04:00:00:03 dev flannel.1 dst 172.31.77.2",
        "bridge fdb del 02:42:04:00:00:03 dev flannel.1 dst 172.31.77.2
         bridge fdb append 02:42:04:00:00:03 dev flannel.1 dst 172.31.77.3",
    ),
    (
        &["peer-vtep-mac-shared"],
        "ip neigh replace 10.42.3.0 lladdr 02:42:04:00:00:02 dev flannel.1 nud permanent
         bridge fdb del 02:42:04:00:00:03 dev flannel.1 dst 172.31.77.3
         bridge fdb append 02:42:04:00:00:02 dev flannel.1 dst 172.31.77.3",
        "ip neigh replace 10.42.3.0 lladdr 02:42:04:00:00:03 dev flannel.1 nud permanent
         bridge fdb del 02:42:04:00:00:02 dev flannel.1 dst 172.31.77.3
         bridge fdb append 02:42:04:00:00:03 dev flannel.1 dst 172.31.77.3",
    ),
];

#[test]
fn each_fault_raises_its_check_and_undone_the_node_is_healthy() {
    let node = Node::up(Dataplane::Vxlan);
    node.is_healthy("at the start");
    for (raises, make, undo) in FAULTS {
        node.run(make);
        let (code, found, document) = node.found();
        let expected: BTreeSet<String> = raises.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(found, expected, "{make}: {document}");
        assert_eq!(code, Some(2), "{make}");
        node.run(undo);
        node.is_healthy(make);
    }
    // The kernel removes routes and addresses of what goes down, and they do not come back: these are the last ones.
    node.run("ip link set flannel.1 down");
    let (code, found, document) = node.found();
    assert!(found.contains("dataplane-tunnel-down") && code == Some(2), "{document}");
    node.run("ip link set eth0 down");
    let (_, found, document) = node.found();
    assert!(found.contains("dataplane-underlay-down"), "{document}");
    node.run("ip link del flannel.1\nip link del flannel-v6.1");
    let (code, found, document) = node.found();
    assert!(found.contains("dataplane-missing") && code == Some(2), "{document}");
}

#[test]
fn pods_that_send_too_much_are_named_with_the_cure() {
    let node = Node::up(Dataplane::Vxlan);
    let links = ns(&node.name(), "ip -o link");
    let pod = links.split_whitespace().find(|word| word.starts_with("cali")).unwrap();
    let pod = pod.split('@').next().unwrap();
    node.run(&format!("ip link set {pod} mtu 1500"));
    let (_, found, document) = node.found();
    assert_eq!(found, BTreeSet::from(["mtu-pod-exceeds-tunnel".to_owned()]), "{document}");
    let (code, text) = node.check(&[]);
    assert_eq!(code, Some(2));
    assert!(text.contains("FAIL  mtu-pod-exceeds-tunnel") && text.contains("vethuMTU"), "{text}");
    assert!(text.lines().rev().take(4).any(|line| line.starts_with("FAIL: ")), "the verdict is last: {text}");
    let (code, _) = node.check(&["--fail-on", "never"]);
    assert_eq!(code, Some(0));
    let (_, quiet) = node.check(&["--quiet"]);
    assert!(quiet.starts_with("FAIL: "), "{quiet}");
    let (code, line) = node.check(&["--format", "nagios"]);
    assert!(code == Some(2) && line.starts_with("OVERLAY CRITICAL - mtu-pod-exceeds-tunnel"), "{line}");
    let (code, line) = node.check(&["--format", "npd"]);
    assert!(code == Some(1) && line.chars().count() <= 81, "{line}");
    let (_, only) = node.check(&["--only", "host", "--quiet"]);
    assert!(only.starts_with("OK: "), "{only}");
}

/// Who may not read everything is not told that all is well of what was not read.
#[test]
fn without_root_what_cannot_be_read_is_not_judged() {
    let node = Node::up(Dataplane::Vxlan);
    let output = with_privileges(&node.name(), &NOBODY, &["check", "--window", "50ms", "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let missing = document["not_judged"].as_array().unwrap();
    assert!(!missing.is_empty(), "{document}");
    assert!(missing.iter().all(|row| !row["why"].as_str().unwrap().is_empty()), "{document}");
    let output =
        with_privileges(&node.name(), &NOBODY, &["check", "--window", "50ms", "--strict", "--quiet"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn usage_errors_are_unknown_and_explaining_needs_no_node() {
    for args in [
        &["check", "--only", "nonsense"][..],
        &["check", "--format", "nonsense"],
        &["check", "--explain", "x"],
    ] {
        assert_eq!(run(args).status.code(), Some(3), "{args:?}");
    }
    let output = run(&["check", "--explain", "mtu-pod-exceed-tunnel"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is it mtu-pod-exceeds-tunnel?"), "{said}");
    let listed = String::from_utf8(run(&["check", "--list"]).stdout).unwrap();
    for line in listed.lines() {
        let id = line.split(' ').next().unwrap();
        let output = run(&["check", "--explain", id]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("How it is found"), "{id}: {text}");
    }
    let output = run(&["--netns", "no-such-namespace", "check", "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), document["verdict"].as_str()), (Some(3), Some("unknown")));
}

/// Public keys of a node's peers by the node's number, IPv4 only.
fn key(node: &Node, of: u16) -> String {
    let text = ns(&node.name(), "wg show flannel-wg endpoints");
    let line = text.lines().find(|line| line.contains(&format!("172.31.77.{of}:"))).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

/// WireGuard says nothing of what it cannot deliver.
#[test]
fn wireguard_peers_that_cannot_be_reached_are_found() {
    needs!(Wireguard);
    let node = Node::up(Dataplane::Wireguard);
    node.is_healthy("at the start");
    let (second, third) = (key(&node, 2), key(&node, 3));
    let add = |more: &str| {
        format!(
            "wg set flannel-wg peer {second} remove
             wg set flannel-wg peer {second} allowed-ips 10.42.2.0/24 {more}"
        )
    };
    let expect = |id: &str, expected: i32| {
        let (code, found, document) = node.found();
        assert_eq!((code, found), (Some(expected), BTreeSet::from([id.to_owned()])), "{document}");
    };
    node.run(&add(""));
    expect("wireguard-endpoint-missing", 2);
    node.run(&add("endpoint 172.31.77.2:51820"));
    node.is_healthy("the peer has an endpoint again, and nothing was sent to it");

    // A port on which nobody answers, and something to send.
    node.run(&add("endpoint 172.31.77.2:9"));
    let here = netns::open(&node.name()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            netns::enter(&here).unwrap();
            UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", "10.42.2.9:9").unwrap();
        });
    });
    wait_for("WireGuard to try", || {
        let transfer = ns(&node.name(), "wg show flannel-wg transfer");
        let line = transfer.lines().find(|line| line.starts_with(&second)).unwrap();
        (line.split_whitespace().nth(2) != Some("0")).then_some(())
    });
    expect("wireguard-never-handshook", 2);
    node.run(&add("endpoint 172.31.77.2:51820"));
    node.is_healthy("the peer was made anew");

    node.run(&format!("wg set flannel-wg peer {third} allowed-ips 10.42.3.0/24,10.42.0.0/22"));
    expect("wireguard-allowed-ips-overlap", 1);
}
