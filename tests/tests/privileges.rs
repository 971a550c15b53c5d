//! Privileges: what is missing is named and nothing is touched; what is not needed any more is given up.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{collections::BTreeSet, fs, process::Output};

use nix::sys::signal::Signal;
use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel,
    needs::ways,
    tool::{NOBODY, Watch, with_privileges},
};

const ONCE: [&str; 3] = ["watch", "--count", "1"];

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// It ended before it touched anything, and said why.
fn refused(pair: &Pair, output: &Output, missing: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("needs {missing}; run with sudo")), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    for interface in [TUNNEL, "u0"] {
        assert!(!kernel::has_clsact(pair.node(1), interface), "a clsact qdisc on {interface}");
    }
}

#[test]
fn without_root_the_missing_capabilities_are_named() {
    let pair = Pair::new("nobody");
    for more in [&[][..], &["--attach", "clsact"], &["--attach", "tcx"]] {
        let arguments: Vec<&str> = ONCE.iter().chain(more).copied().collect();
        let output = with_privileges(pair.node(1), &NOBODY, &arguments);
        refused(&pair, &output, "CAP_BPF and CAP_NET_ADMIN and CAP_PERFMON");
    }
}

#[test]
fn without_root_another_namespace_cannot_be_entered() {
    let pair = Pair::new("enter");
    let output = with_privileges(pair.node(2), &NOBODY, &["--netns", pair.node(1), "watch", "--count", "1"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(pair.node(1)) && said.contains("CAP_SYS_ADMIN: run with sudo"), "{said}");
}

#[test]
fn root_without_a_capability_is_told_which() {
    let pair = Pair::new("bounded");
    for (without, missing) in [
        ("-net_admin", "CAP_NET_ADMIN"),
        ("-bpf,-sys_admin", "CAP_BPF"),
        ("-perfmon,-sys_admin", "CAP_PERFMON"),
        ("-bpf,-perfmon,-net_admin,-sys_admin", "CAP_BPF and CAP_NET_ADMIN and CAP_PERFMON"),
    ] {
        let output = with_privileges(pair.node(1), &["--bounding-set", without], &ONCE);
        refused(&pair, &output, missing);
    }
}

/// Neither more than is asked for is needed, nor is a kernel of before `CAP_BPF` left out.
#[test]
fn exactly_what_is_needed_suffices() {
    let pair = Pair::new("enough");
    for without in ["-all,+bpf,+net_admin,+perfmon", "-all,+net_admin,+sys_admin"] {
        // Before Linux 5.11 maps count against RLIMIT_MEMLOCK (`bpf_charge_memlock`), which must be raised.
        let without =
            if kernel::is_before(5, 11) { format!("{without},+sys_resource") } else { without.to_owned() };
        let output = with_privileges(pair.node(1), &["--bounding-set", &without], &ONCE);
        assert_eq!(output.status.code(), Some(0), "{without}: {}", stderr(&output));
        assert!(String::from_utf8(output.stdout.clone()).unwrap().contains(TUNNEL), "{without}");
    }
}

/// The bits of a set in `/proc/PID/status`, by capability number.
fn set(status: &str, name: &str) -> BTreeSet<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).unwrap();
    let bits = u64::from_str_radix(line.trim(), 16).unwrap();
    (0..64).filter(|bit| bits >> bit & 1 == 1).collect()
}

#[test]
fn a_running_watch_keeps_only_what_following_needs() {
    const NET_ADMIN: u32 = 12;
    const SYS_ADMIN: u32 = 21;
    const PERFMON: u32 = 38;
    const BPF: u32 = 39;
    let pair = Pair::new("kept");
    for attach in ways() {
        let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
        // Every tenth interval CAP_SYS_ADMIN is raised for a moment before the line is printed, not after.
        watch.next();
        // Capabilities belong to threads: one that kept them would keep them for the whole process.
        let mut threads = 0;
        for task in fs::read_dir(format!("/proc/{}/task", watch.pid())).unwrap() {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            assert_eq!(set(&status, "CapEff"), BTreeSet::from([NET_ADMIN, PERFMON, BPF]));
            assert_eq!(set(&status, "CapPrm"), BTreeSet::from([NET_ADMIN, SYS_ADMIN, PERFMON, BPF]));
            assert_eq!(set(&status, "CapInh"), BTreeSet::new());
            assert_eq!(set(&status, "CapAmb"), BTreeSet::new());
            assert!(status.lines().any(|line| line == "NoNewPrivs:\t1"), "{status}");
            threads += 1;
        }
        assert!(threads > 0);
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
}
