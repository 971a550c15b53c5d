//! Privileges: what is missing is named and nothing is touched; what is not needed any more is given up.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
};

use nix::sys::signal::Signal;
use probe_tests::{
    hand::{Pair, TUNNEL},
    kernel,
    needs::ways,
    tool::{NOBODY, Watch, binary, with_privileges},
    wait_for,
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
        refused(&pair, &output, "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
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
        ("-bpf,-perfmon,-net_admin,-sys_admin", "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"),
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

const DAC_OVERRIDE: u32 = 1;
const DAC_READ_SEARCH: u32 = 2;
const NET_ADMIN: u32 = 12;
const SYS_PTRACE: u32 = 19;
const SYS_ADMIN: u32 = 21;
const SYS_RESOURCE: u32 = 24;
const PERFMON: u32 = 38;
const BPF: u32 = 39;
const LOOK: [u32; 5] = [DAC_OVERRIDE, DAC_READ_SEARCH, NET_ADMIN, SYS_PTRACE, SYS_ADMIN];

/// What each thread of a process says of itself.
fn threads(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    // A thread may end meanwhile.
    tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok()).collect()
}

/// Files and answers of others are read with what reading takes, and nothing that is started could gain more.
#[test]
fn who_only_looks_gives_up_the_rest_first() {
    let root = tempfile::tempdir().unwrap();
    let socket = root.path().join("run/containerd/containerd.sock");
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    // Who asks it waits for two seconds.
    let _silent = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut child = Command::new(binary())
        .args(["--host-root", root.path().to_str().unwrap(), "show", "pods"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = wait_for("capabilities that were given up", || {
        let status = threads(child.id()).into_iter().next()?;
        let connected = fs::read_dir(format!("/proc/{}/fd", child.id())).ok()?.flatten();
        let is_asking = connected
            .filter_map(|fd| fs::read_link(fd.path()).ok())
            .any(|target| target.to_string_lossy().starts_with("socket:"));
        (is_asking && status.contains("NoNewPrivs:\t1")).then_some(status)
    });
    for name in ["CapEff", "CapPrm", "CapBnd"] {
        let left: Vec<u32> = set(&status, name).difference(&LOOK.into()).copied().collect();
        assert_eq!(left, [0_u32; 0], "{name}: {status}");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    child.wait().unwrap();
}

/// Its senders run beside who attaches, and need nothing.
#[test]
fn the_threads_of_a_demo_have_no_capabilities() {
    let mut child = Command::new(binary())
        .args(["demo", "--nodes", "2", "--pods", "1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It prints once it has attached.
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
    let kept = BTreeSet::from([NET_ADMIN, SYS_ADMIN, PERFMON, BPF]);
    let threads = threads(child.id());
    for status in &threads {
        assert!(set(status, "CapPrm").is_subset(&kept) && set(status, "CapBnd").len() < 12, "{status}");
        assert_eq!((set(status, "CapInh"), set(status, "CapAmb")), (BTreeSet::new(), BTreeSet::new()));
    }
    let without = threads.iter().filter(|status| set(status, "CapPrm").is_empty()).count();
    assert!(without >= 4, "{threads:#?}");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM)
        .unwrap();
    child.wait().unwrap();
}

#[test]
fn a_running_watch_keeps_only_what_following_needs() {
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
            let follow = LOOK.into_iter().chain([SYS_RESOURCE, PERFMON, BPF]).collect();
            assert!(set(&status, "CapBnd").is_subset(&follow), "{status}");
            assert_eq!(set(&status, "CapAmb"), BTreeSet::new());
            assert!(status.lines().any(|line| line == "NoNewPrivs:\t1"), "{status}");
            threads += 1;
        }
        assert!(threads > 0);
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    }
}
