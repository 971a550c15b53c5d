//! `check --with-traffic`: what only packets show, on real ones; and that nothing is left of what it attaches.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use std::{
    net::IpAddr,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use nix::sys::signal::Signal;
use overlay_probe::lab::{Dataplane, Family, send};
use probe_tests::{
    checked::Node,
    kernel::Held,
    needs::Feature,
    ns,
    tool::{NOBODY, binary, run, send_signal, with_privileges},
    wait_for,
};
use serde_json::Value;

/// The finding of a check in a document.
fn finding<'a>(document: &'a Value, id: &str) -> Option<&'a Value> {
    document["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == id)
}

/// Why a check is in one of the document's lists.
fn why<'a>(document: &'a Value, list: &str, id: &str) -> Option<&'a str> {
    let row = document[list].as_array().unwrap().iter().find(|row| row["id"] == id)?;
    row["why"].as_str()
}

/// What it finds while something goes on.
fn checked(node: &Node, meanwhile: impl Fn() + Sync) -> Value {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                meanwhile();
            }
        });
        let (name, root) = (node.name(), node.root());
        let target = ["--netns", &name, "--host-root", root.to_str().unwrap()];
        let words = ["check", "--with-traffic", "--window", "2s", "--format", "json"];
        let output = run(&[&target[..], &words].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        is_over.store(true, Ordering::Relaxed);
        sender.join().unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    })
}

/// Datagrams of this size from the first pod of a node to that of another, which have not yet learned what the way takes. Nobody waits
/// for them: what does not arrive is no reason for a pause as long as the window.
fn datagrams(node: &Node, [from, to]: [u16; 2], bytes: usize) {
    let sender = send::udp_socket(&node.lab.pod(from, 1), false, 0).unwrap();
    let receiver = send::udp_socket(&node.lab.pod(to, 1), false, 0).unwrap();
    let port = receiver.local_addr().unwrap().port();
    for netns in [node.lab.lab.options.pod(from, 1), node.lab.node(from)] {
        ns(&netns, "ip route flush cache");
    }
    for _ in 0..20 {
        // The kernel tells here of the one before.
        let _ = sender.send_to(&vec![0; bytes], (node.lab.address(to, 1, false), port));
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn packets_too_big_and_fragments_name_who_sends_them() {
    let node = Node::up(Dataplane::Vxlan, Family::V4);
    let healthy = checked(&node, || datagrams(&node, [1, 2], 1_000));
    assert_eq!((&healthy["verdict"], healthy["findings"].as_array().unwrap().len()), (&Value::from("ok"), 0));
    assert!(healthy["passed"].as_array().unwrap().contains(&Value::from("mtu-packets-too-big")), "{healthy}");

    // The NIC takes less than tunnel and pods send.
    node.inject("nic-mtu-lowered");
    let document = checked(&node, || datagrams(&node, [1, 2], 1_400));
    for (id, who) in [
        ("mtu-packets-too-big", node.lab.lab.nodes[0].pods[0].name.clone()),
        ("mtu-outer-fragments", "peer".to_owned()),
    ] {
        let found = finding(&document, id).unwrap_or_else(|| panic!("{id}: {document}"));
        assert_eq!(found["explained_by"], "mtu-tunnel-exceeds-underlay", "{found}");
        let evidence = found["evidence"].as_array().unwrap();
        assert!(evidence.iter().any(|seen| seen["what"].as_str().unwrap().contains(&who)), "{who}: {found}");
    }
    node.undo();

    // Another node does that: its packets arrive here in pieces.
    ns(&node.lab.node(2), "ip link set eth0 mtu 1400");
    let document = checked(&node, || datagrams(&node, [2, 1], 1_400));
    let found = finding(&document, "mtu-outer-fragments").unwrap_or_else(|| panic!("{document}"));
    assert_eq!((&found["explained_by"], &found["fix"]["elsewhere"]), (&Value::Null, &Value::from(true)));
    assert_eq!(finding(&document, "mtu-packets-too-big"), None, "{document}");
}

#[test]
fn pods_packets_outside_the_tunnel_are_found() {
    const ID: &str = "dataplane-pods-in-clear";
    let node = Node::up(Dataplane::Vxlan, Family::V4);
    let socket = send::udp_socket(&node.lab.pod(1, 1), false, 0).unwrap();
    let send_to = |address: IpAddr| {
        socket.send_to(&[0; 50], (address, 9)).unwrap();
        thread::sleep(Duration::from_millis(10));
    };
    // The default route takes what goes to a pod of a node that is not there.
    let document = checked(&node, || send_to("10.42.77.7".parse().unwrap()));
    let found = finding(&document, ID).unwrap_or_else(|| panic!("{document}"));
    assert_eq!(
        (&found["severity"], &found["explained_by"], &found["subject"]["name"]),
        (&"warn".into(), &Value::Null, &"flannel.1".into()),
        "{found}"
    );
    // And what goes to a pod of one whose route is lost.
    ns(&node.name(), "ip route del 10.42.2.0/24 dev flannel.1");
    let document = checked(&node, || send_to(node.lab.address(2, 1, false)));
    let found = finding(&document, ID).unwrap_or_else(|| panic!("{document}"));
    assert_eq!(
        (&found["explained_by"], &found["subject"]["name"]),
        (&"peer-fdb-without-route".into(), &"172.31.77.2".into()),
        "{found}"
    );
}

#[test]
fn without_asking_nothing_is_attached_and_without_privilege_the_rest_is_judged() {
    let node = Node::up(Dataplane::Vxlan, Family::V4);
    let (_, text) = node.check(&["--format", "json"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    let id = "mtu-packets-too-big";
    assert_eq!(why(&document, "not_applicable", id), Some("needs --with-traffic"));
    let args = ["check", "--with-traffic", "--window", "50ms", "--format", "json"];
    let output = with_privileges(&node.name(), &NOBODY, &args);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let missing = why(&document, "not_judged", id).unwrap_or_else(|| panic!("{document}"));
    assert!(missing.contains("CAP_BPF") && missing.contains("root"), "{missing}");
    assert!(document["passed"].as_array().unwrap().len() > 10, "{document}");
}

/// However it ends, no program is left.
#[test]
fn nothing_is_left_of_it() {
    let node = Node::up(Dataplane::Vxlan, Family::V4);
    let name = node.name();
    for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
        // With clsact a killed run leaves its filters, and the next start takes them: tests of killed runs have that.
        if signal == Some(Signal::SIGKILL) && Feature::Tcx.missing().is_some() {
            continue;
        }
        // Long enough to be seen while it lasts.
        let window = if signal.is_some() { "600s" } else { "5s" };
        let mut child = Command::new(binary())
            .args(["--netns", &name, "check", "--with-traffic", "--window", window, "--quiet"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let held = wait_for("its programs", || {
            let held = Held::by(child.id());
            (held.programs.len() >= 4).then_some(held)
        });
        if let Some(signal) = signal {
            send_signal(&child, signal);
        }
        let status = child.wait().unwrap();
        wait_for(&format!("the end of its programs after {signal:?}"), || {
            (held.left() == Held::default()).then_some(())
        });
        if signal == Some(Signal::SIGTERM) {
            assert_eq!(status.code(), Some(3));
        }
    }
}
