//! Every fault that a lab of VXLAN can be given, on a real data plane, and the lab's own commands for faults. Those of WireGuard are
//! in `wireguard_faults.rs`, since few kernels of those who run the tests have it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use overlay_probe::{
    check::{FAULTS, Fault, Plane},
    lab::{Dataplane, Family},
};
use probe_tests::{
    checked::Node,
    faulted::{OF_ONE_FAMILY, each_fault, each_fix, is_of_both},
    needs::Feature,
    tool::run,
};

#[test]
fn each_fault_raises_its_check_and_undone_the_node_is_what_it_was() {
    let has_wireguard = Feature::Wireguard.missing().is_none();
    let is_impossible = |fault: &Fault| fault.needs_old_kernel && has_wireguard;
    each_fault(Dataplane::Vxlan, Family::Dual, |fault| !is_impossible(fault) && is_of_both(fault));
}

#[test]
fn pasted_fixes_mend_the_node() {
    each_fix(Dataplane::Vxlan, Plane::Vxlan);
}

/// Without IPv4 the faults of tunnels and their tables are those of IPv6.
#[test]
fn each_fault_of_tunnels_raises_its_check_with_ipv6_only() {
    let takes_ipv4 = |fault: &Fault| ["family-without-peers", "tunnel-forwarding-off"].contains(&fault.name);
    // Traffic is of IPv4.
    let is_shown = |fault: &Fault| !fault.needs_old_kernel && !fault.needs_traffic;
    let is_meant = |fault: &Fault| fault.plane == Plane::Vxlan && is_shown(fault) && !takes_ipv4(fault);
    each_fault(Dataplane::Vxlan, Family::V6, is_meant);
}

#[test]
fn each_fault_of_one_family_raises_its_check() {
    for (name, family) in OF_ONE_FAMILY {
        each_fault(Dataplane::Vxlan, family, |fault| fault.name == name);
    }
}

#[test]
fn faults_are_known_by_the_lab_and_undone_by_it() {
    let node = Node::up(Dataplane::Vxlan, Family::V4);
    let prefix = node.lab.prefix();
    let lab = |words: &[&str]| {
        let args: Vec<&str> = ["lab"].iter().chain(words).copied().chain(["--prefix", prefix]).collect();
        let output = run(&args);
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (_, listed) = (0, String::from_utf8(run(&["lab", "fault", "--list"]).stdout).unwrap());
    assert_eq!(listed.lines().count(), FAULTS.len(), "{listed}");
    let (is_made, said) = lab(&["fault", "fdb-entry-missing"]);
    assert!(is_made && said.contains("peer-neighbour-without-fdb") && said.contains("--undo"), "{said}");
    assert!(lab(&["status"]).1.contains("fault    fdb-entry-missing"));
    let (is_made, said) = lab(&["fault", "fdb-entry-missing"]);
    assert!(!is_made && said.contains("has already"), "{said}");
    for (words, expected) in [
        (["fault", "old-keys-left"].as_slice(), "--dataplane wireguard"),
        (&["fault", "family-without-peers"], "both families"),
        (&["fault", "config-other-cni", "--node", "2"], "--node 1"),
        (&["fault", "route-missing", "--node", "9"], "no node 9"),
        (&["fault", "nonsense"], "--list"),
    ] {
        let (is_made, said) = lab(words);
        assert!(!is_made && said.contains(expected), "{words:?}: {said}");
    }
    assert!(lab(&["fault", "config-other-vni"]).0);
    let (is_undone, said) = lab(&["fault", "--undo"]);
    assert_eq!(
        (is_undone, said.as_str()),
        (true, "undone: config-other-vni on node 1\nundone: fdb-entry-missing on node 1\n")
    );
    node.becomes_healthy("undone");
    assert_eq!(lab(&["fault", "--undo"]).1, "the lab has no fault\n");
}
