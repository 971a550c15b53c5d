//! Faults of a data plane made on one lab, one after another: a healthy lab has no finding, each fault raises its check and nothing
//! unrelated, and undone the node is what it was.

use std::{
    fmt::Write as _,
    net::UdpSocket,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use overlay_probe::{
    check::{FAULTS, Fault, Plane},
    lab::{Dataplane, Family},
    netns,
};

use crate::{checked::Node, kernel, ns, settled, sh, wait_for};

/// The faults that only labs of one family can be given.
pub const OF_ONE_FAMILY: [(&str, Family); 2] =
    [("localhost-without-ipv6", Family::V6), ("ipv6-range-without-network", Family::V4)];

/// A lab of both families can be given the fault.
pub fn is_of_both(fault: &Fault) -> bool {
    !OF_ONE_FAMILY.iter().any(|(name, _)| *name == fault.name)
}

/// What shows where packets come in.
const INCOMING: &str = "source-refused";

/// What a fault that shows with traffic only is shown by.
fn with_traffic(node: &Node, fault: &Fault, judge: &mut dyn FnMut()) {
    // From this node to the other one's pods, or from one of them to a pod of this node.
    let (from, to) = match fault.plane {
        Plane::Wireguard if fault.name != INCOMING => (node.name(), "10.42.2.9:9"),
        Plane::Any | Plane::Vxlan | Plane::Wireguard => (node.lab.lab.options.pod(2, 1), "10.42.1.2:9"),
    };
    let from = netns::open(&from).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            netns::enter(&from).unwrap();
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            while !is_over.load(Ordering::Relaxed) {
                // Refused by a port that nobody has.
                let _ = socket.send_to(b"x", to);
                thread::sleep(Duration::from_millis(1));
            }
        });
        if fault.raises == "wireguard-never-handshook" {
            wait_for("WireGuard to try", || {
                let transfer = ns(&node.name(), "wg show flannel-wg transfer");
                let is_tried = |line: &str| line.split_whitespace().nth(2) != Some("0");
                transfer.lines().any(is_tried).then_some(())
            });
        }
        judge();
        is_over.store(true, Ordering::Relaxed);
    });
}

/// What is wrong with what a fault raises; empty when nothing is.
fn judged(node: &Node, fault: &Fault) -> String {
    let (code, found, document) = node.found_with(if fault.needs_probes { &["--probe"] } else { &[] });
    let of_check = found.iter().find(|(id, _)| id == fault.raises);
    let unrelated: Vec<&str> = found
        .iter()
        .filter(|(id, is_explained)| {
            id != fault.raises && !is_explained && !fault.also.contains(&id.as_str())
        })
        .map(|(id, _)| id.as_str())
        .collect();
    if of_check.is_some() && unrelated.is_empty() && matches!(code, Some(1 | 2)) {
        return String::new();
    }
    let raised = if of_check.is_some() { "raised" } else { "not raised" };
    format!(
        "{}: {} is {raised}, also {unrelated:?}, exit code {code:?}\n{}\n",
        fault.name, fault.raises, document["findings"]
    )
}

/// The same, as soon as it is so: the kernel finishes with some changes of a device a little later (`linkwatch_event`), and after the faults
/// before, WireGuard may have to try a handshake again before packets get there, which it does after five seconds (`REKEY_TIMEOUT`).
fn judged_in_time(node: &Node, fault: &Fault) -> String {
    let judged = || {
        let wrong = judged(node, fault);
        if !wrong.is_empty() {
            // A machine that stood still for seconds misses answers.
            node.asks_again();
        }
        wrong
    };
    settled(judged, String::is_empty)
}

/// Makes each fault of a data plane on one lab, one after another.
pub fn each_fault(dataplane: Dataplane, family: Family, is_meant: impl Fn(&Fault) -> bool) {
    let node = Node::up(dataplane, family);
    node.is_healthy("at the start");
    let before = node.state();
    let mut wrong = String::new();
    let plane = if dataplane == Dataplane::Vxlan { Plane::Vxlan } else { Plane::Wireguard };
    let is_here = |fault: &&Fault| {
        let is_shown = fault.since_kernel.is_none_or(|(major, minor)| !kernel::is_before(major, minor));
        is_shown && (fault.plane == Plane::Any || fault.plane == plane)
    };
    for fault in FAULTS.iter().filter(is_here).filter(|fault| is_meant(fault)) {
        node.inject(fault.name);
        if fault.needs_traffic {
            with_traffic(&node, fault, &mut || wrong += &judged_in_time(&node, fault));
        } else {
            wrong += &judged_in_time(&node, fault);
        }
        node.undo();
        let after = settled(|| node.state(), |after| *after == before);
        for line in before.symmetric_difference(&after) {
            let which = if before.contains(line) { "is missing" } else { "is new" };
            writeln!(wrong, "{} undone: {which}: {line}", fault.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    node.becomes_healthy("at the end");
}

/// Pastes what the findings of each fault say, where that is to mend it without anybody else.
pub fn each_fix(dataplane: Dataplane, plane: Plane) {
    let node = Node::up(dataplane, Family::Dual);
    let is_here = |fault: &&Fault| fault.plane == Plane::Any || fault.plane == plane;
    for fault in FAULTS.iter().filter(is_here).filter(|fault| fault.is_mended_by_paste) {
        node.inject(fault.name);
        let (_, _, document) = node.found();
        let findings = document["findings"].as_array().unwrap().iter();
        let commands = findings.flat_map(|finding| finding["fix"]["commands"].as_array().unwrap());
        let commands = commands.map(|command| command.as_str().unwrap());
        // There is no cluster whose agent could be restarted.
        let commands: Vec<&str> = commands.filter(|command| !command.starts_with("kubectl ")).collect();
        assert!(!commands.is_empty(), "{}: {document}", fault.name);
        for command in commands {
            let netns = format!("--net=/run/netns/{}", node.name());
            sh("nsenter", &[&netns, "sh", "-c", command]);
        }
        node.becomes_healthy(fault.name);
        node.undo();
    }
}
