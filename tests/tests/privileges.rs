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
    settled,
    tool::{Killed, NOBODY, Watch, binary, entry, send_signal, with_privileges},
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
        let arguments: Vec<&str> = ONCE.into_iter().chain(["--drops"]).collect();
        let output = with_privileges(pair.node(1), &["--bounding-set", &without], &arguments);
        assert_eq!(output.status.code(), Some(0), "{without}: {}", stderr(&output));
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(said.contains(TUNNEL), "{without}");
        let has_drops = fs::exists("/sys/kernel/btf/vmlinux").unwrap() && !kernel::is_before(5, 17);
        assert_eq!(said.contains("what the kernel drops is not counted: "), !has_drops, "{without}: {said}");
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
    let child = Command::new(binary())
        .args(["--host-root", root.path().to_str().unwrap(), "show", "pods"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = Killed(child.unwrap());
    // What entering namespaces takes is given up last, when another process does that.
    let kept = BTreeSet::from([DAC_OVERRIDE, DAC_READ_SEARCH, NET_ADMIN]);
    let status = wait_for("capabilities that were given up", || {
        let status = threads(child.0.id()).into_iter().next()?;
        (set(&status, "CapPrm") == kept).then_some(status)
    });
    // It stays there while it is looked at, however long that takes.
    send_signal(&child.0, Signal::SIGSTOP);
    assert_eq!(set(&status, "CapEff"), kept, "{status}");
    assert!(set(&status, "CapBnd").is_subset(&LOOK.into()) && is_confined(&status), "{status}");
    let helper = helper(child.0.id());
    let of_helper = || set(&fs::read_to_string(format!("/proc/{helper}/status")).unwrap(), "CapPrm");
    let wanted = BTreeSet::from([DAC_READ_SEARCH, SYS_PTRACE, SYS_ADMIN]);
    assert_eq!(settled(of_helper, |found| *found == wanted), wanted);
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.0.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    send_signal(&child.0, Signal::SIGCONT);
    child.0.wait().unwrap();
    assert!(has_ended(helper));
}

/// What is said of system calls: a filter is on, and nothing that is started gains anything.
fn is_confined(status: &str) -> bool {
    ["NoNewPrivs:\t1", "Seccomp:\t2"].iter().all(|line| status.lines().any(|other| other == *line))
}

/// The processes that this one has started.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// The process that enters namespaces for this one.
fn helper(pid: u32) -> u32 {
    let [helper]: [u32; 1] = children(pid).try_into().unwrap();
    helper
}

/// A run goes on without it only where nothing else of it stays behind.
fn has_ended(pid: u32) -> bool {
    wait_for("the helper's end", || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        (status.is_empty() || status.contains("State:\tZ")).then_some(true)
    })
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
    let kept = BTreeSet::from([NET_ADMIN, PERFMON, BPF]);
    let threads = threads(child.id());
    for status in &threads {
        assert!(set(status, "CapPrm").is_subset(&kept) && set(status, "CapBnd").len() < 12, "{status}");
        assert_eq!((set(status, "CapInh"), set(status, "CapAmb")), (BTreeSet::new(), BTreeSet::new()));
        assert!(is_confined(status), "{status}");
    }
    let without = threads.iter().filter(|status| set(status, "CapPrm").is_empty()).count();
    assert!(without >= 4, "{threads:#?}");
    let helper = helper(child.id());
    send_signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    assert!(has_ended(helper));
}

#[test]
fn a_running_watch_keeps_only_what_following_needs() {
    let pair = Pair::new("kept");
    for attach in ways() {
        let watch = Watch::start_with(pair.node(1), &["--attach", attach]);
        // It has begun, with all of its threads.
        watch.next();
        let threads = threads(watch.pid());
        assert!(threads.len() > 1, "{threads:?}");
        for status in &threads {
            // The reader of files has none at all.
            let needed = BTreeSet::from([NET_ADMIN, PERFMON, BPF]);
            let has = set(status, "CapPrm");
            assert!(has == needed || has.is_empty(), "{status}");
            assert_eq!(set(status, "CapEff"), has);
            assert_eq!(set(status, "CapInh"), BTreeSet::new());
            let follow = LOOK.into_iter().chain([SYS_RESOURCE, PERFMON, BPF]).collect();
            assert!(set(status, "CapBnd").is_subset(&follow), "{status}");
            assert_eq!(set(status, "CapAmb"), BTreeSet::new());
            assert!(is_confined(status), "{status}");
        }
        // What enters namespaces is apart, has nothing else, and ends with the run.
        let helper = helper(watch.pid());
        let status = fs::read_to_string(format!("/proc/{helper}/status")).unwrap();
        let kept = BTreeSet::from([DAC_READ_SEARCH, SYS_PTRACE, SYS_ADMIN, BPF]);
        assert_eq!((set(&status, "CapEff"), set(&status, "CapPrm")), (kept.clone(), kept));
        assert!(is_confined(&status) && status.starts_with("Name:\toverlay-netns\n"), "{status}");
        assert_eq!(watch.end(Signal::SIGTERM), Some(0));
        assert!(has_ended(helper));
    }
}

/// The kernel's part of it is best effort: the tool says what it could do, and does the same without.
#[test]
fn what_confines_a_run_is_said() {
    let pair = Pair::new("said");
    let said = |off: bool| {
        let mut watch = Command::new(binary());
        watch.args(["-v", "--netns", pair.node(1), "watch", "--count", "1"]).stdin(Stdio::null());
        if off {
            watch.env("OVERLAY_PROBE_CONFINE", "off");
        }
        let output = watch.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(String::from_utf8_lossy(&output.stdout).contains(TUNNEL));
        stderr(&output)
    };
    let on = said(false);
    for words in [
        "seccomp: system calls that this command does not need are refused",
        "network namespaces are entered by a process of its own",
        "seccomp: system calls that a run does not need once it has begun are refused",
    ] {
        assert!(on.contains(words), "{words}: {on}");
    }
    // Which of both depends on how the kernel was built and started.
    let landlock = ["only what this command still opens can be opened", "this kernel has no Landlock"];
    let is_told = |said: &str| landlock.iter().any(|words| said.contains(&format!("Landlock: {words}")));
    assert!(is_told(&on), "{on}");
    for command in
        [&["show", "pods"][..], &["check", "--window", "100ms"], &["mtu", "--dry-run"], &["cleanup"]]
    {
        let output =
            Command::new(binary()).args(["-v", "--netns", pair.node(1)]).args(command).output().unwrap();
        assert!(is_told(&stderr(&output)), "{command:?}: {}", stderr(&output));
    }
    // Another process' root is hidden by it, unless it is the node's.
    let root = format!("/proc/{}/root", std::process::id());
    let output = Command::new(binary()).args(["-v", "--host-root", &root, "show", "node"]).output().unwrap();
    let left_out = stderr(&output);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("cannot open"), "{left_out}");
    let words = ["Landlock: left out", "this kernel has no Landlock"];
    assert!(words.iter().any(|words| left_out.contains(words)), "{left_out}");
    let off = said(true);
    assert!(off.contains("OVERLAY_PROBE_CONFINE=off") && !off.contains("Landlock"), "{off}");
}

/// A process that is in no named namespace: its pod is found by the process, which Landlock hides from the run itself.
#[test]
fn a_run_looks_into_namespaces_of_processes() {
    let pair = Pair::new("byproc");
    let mut pod = Command::new("unshare")
        .args([
            "--net",
            "sh",
            "-c",
            "ip link add net1 type veth peer name net2 && ip link set net1 up && exec sleep 600",
        ])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let root = tempfile::tempdir().unwrap();
    for link in ["proc", "sys"] {
        std::os::unix::fs::symlink(format!("/{link}"), root.path().join(link)).unwrap();
    }
    let results = root.path().join("var/lib/cni/results");
    fs::create_dir_all(&results).unwrap();
    let host = ["--host-root", root.path().to_str().unwrap()];
    let watch = Watch::start_with(pair.node(1), &host);
    watch.next();
    let netns = format!("/proc/{}/ns/net", pod.id());
    let result = serde_json::json!({
        "kind": "cniCacheV1", "containerId": "c".repeat(64), "ifName": "net1", "networkName": "extra",
        "cniArgs": [["K8S_POD_NAMESPACE", "shop"], ["K8S_POD_NAME", "cart-0"]],
        "result": {"cniVersion": "1.0.0", "interfaces": [{"name": "net1", "sandbox": netns}]},
    });
    fs::write(results.join("extra-cart-0-net1"), result.to_string()).unwrap();
    wait_for("the pod's interface", || {
        let line = watch.next();
        let pod = entry(&line, "pods", &[("name", "cart-0")])?;
        pod["interfaces"].as_array()?.iter().any(|one| one["name"] == "net1").then_some(())
    });
    assert_eq!(watch.end(Signal::SIGTERM), Some(0));
    // So it is for who looks once.
    let output = Command::new(binary()).args(host).args(["--netns", pair.node(1), "show", "pods"]).output();
    let said = String::from_utf8(output.unwrap().stdout).unwrap();
    assert!(said.lines().any(|line| line.starts_with("shop/cart-0") && line.contains("net1")), "{said}");
    pod.kill().unwrap();
    pod.wait().unwrap();
}
