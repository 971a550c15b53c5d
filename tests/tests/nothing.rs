//! Nothing to look at, nobody who reads, and the demo, which brings its own.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use overlay_probe::lab::DEFAULT_PREFIX;
use probe_tests::{
    hand::Pair,
    lab::TestNetns,
    needs::Feature,
    sh,
    tool::{binary, run},
    wait_for,
};

#[test]
fn a_namespace_without_an_overlay_points_to_the_demo() {
    let empty = TestNetns::new("bare");
    for command in [&["watch"][..], &["watch", "--attach", "clsact"], &["top"], &[]] {
        let arguments: Vec<&str> = ["--netns", empty.name()].iter().chain(command).copied().collect();
        let output = run(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{command:?}: {said}");
        let what = "overlay-probe: no overlay found: no VXLAN or WireGuard device and no SR-IOV VF in this network namespace";
        assert!(said.starts_with(what), "{command:?}: {said}");
        assert!(said.contains("overlay-probe demo") && said.contains("--netns"), "{command:?}: {said}");
        assert_eq!(output.stdout, b"");
    }
}

/// Whatever the command, and before it does anything.
#[test]
fn what_the_user_names_has_to_be_there() {
    let known = TestNetns::new("known");
    let nearly = format!("{}7", known.name());
    let commands: [&[&str]; 10] = [
        &["watch"],
        &["mtu"],
        &["cleanup"],
        &["top"],
        &["show", "node"],
        &["show", "pods", "--format", "json"],
        &["lab", "status"],
        &["lab", "down", "--prefix", "no-such-lab"],
        &["demo"],
        &[],
    ];
    for command in commands {
        for (option, words) in [
            (["--netns", &nearly], vec![format!("no network namespace {nearly}"), known.name().to_owned()]),
            (
                ["--host-root", "/no/such/root"],
                vec!["--host-root /no/such/root: there is no such directory".to_owned()],
            ),
            (
                ["--host-root", "/etc/passwd"],
                vec!["--host-root /etc/passwd: this is not a directory".to_owned()],
            ),
            (
                ["--cri-socket", "/no/such.sock"],
                vec!["--cri-socket /no/such.sock: there is no such socket".to_owned()],
            ),
            (
                ["--cri-socket", "/etc/passwd"],
                vec!["--cri-socket /etc/passwd: this is not a socket".to_owned()],
            ),
        ] {
            let output = run(&[&option[..], command].concat());
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(3), "{option:?} {command:?}: {said}");
            assert_eq!(output.stdout, b"");
            // It is refused also where it would not be looked at.
            let is_void = said.contains("has no meaning for");
            assert!(
                is_void || words.iter().all(|words| said.contains(words)),
                "{option:?} {command:?}: {said}"
            );
        }
    }
    // A file that is there but is no namespace.
    let output = run(&["--netns", "/etc/passwd", "watch"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("/etc/passwd is not a network namespace"), "{said}");
}

#[test]
fn of_many_namespaces_the_closest_are_named() {
    let many: Vec<TestNetns> = (0..12).map(|_| TestNetns::new("crowd")).collect();
    let nearly = format!("{}q", many[4].name());
    let output = run(&["--netns", &nearly, "show", "node"]);
    let said = String::from_utf8(output.stderr).unwrap();
    let list = said.split("the closest of those that exist: ").nth(1).unwrap();
    assert!(list.split(", ").next().is_some_and(|first| first == many[4].name()), "{said}");
    assert_eq!(list.matches(", ").count(), 7, "{said}");
    assert!(list.trim_end().ends_with(" more") && list.contains(" and "), "{said}");
}

/// Words, and a way out.
#[test]
fn a_lab_that_this_kernel_cannot_make() {
    if Feature::Wireguard.missing().is_none() {
        return;
    }
    let prefix = format!("t{}nowg", std::process::id());
    let output = run(&["lab", "up", "--dataplane", "wireguard", "--prefix", &prefix]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert_eq!(
        said,
        "overlay-probe: cannot build the lab: this kernel has no WireGuard; use --dataplane vxlan\n"
    );
    assert!(!sh("ip", &["netns", "list"]).contains(&prefix), "nothing of it stays");
}

#[test]
fn usage_errors_cannot_be_judged_either() {
    for arguments in [
        &["watch", "--interval", "1ms"][..],
        &["watch", "--count", "0"],
        &["watch", "--peer-slots", "0"],
        &["watch", "--pod-slots", "65537"],
        &["watch", "--attach", "xdp"],
        &["no-such-command"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert_ne!(output.stderr, b"", "{arguments:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let pair = Pair::new("pipe");
    for format in ["jsonl", "table"] {
        let mut child = Command::new(binary())
            .args(["--netns", pair.node(1), "watch", "--format", format, "--interval", "100ms"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // As `head -1` does: one line, then the pipe is closed.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.ends_with('\n') && line.len() > 1, "{line:?}");
        let status = wait_for("watch to end", || child.try_wait().unwrap());
        let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{format}");
    }
}

/// Names of links and of a lab's network namespaces, as everybody sees them.
fn visible() -> BTreeSet<String> {
    let links: serde_json::Value = serde_json::from_str(&sh("ip", &["-j", "link", "show"])).unwrap();
    let links = links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap().to_owned());
    let is_of_lab = |name: &String| name.starts_with(DEFAULT_PREFIX);
    links.chain(overlay_probe::netns::list().into_iter().filter(is_of_lab)).collect()
}

#[test]
fn the_demo_prints_a_table_and_leaves_nothing() {
    let before = visible();
    let mut child = Command::new(binary())
        .arg("demo")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains(" over "), "{first}");
    let during = visible();
    let printed: Vec<String> = lines.map(Result::unwrap).collect();
    let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");

    for heading in ["TUNNEL ", "PEER ", "POD "] {
        assert!(printed.iter().any(|line| line.starts_with(heading)), "{heading} in {printed:?}");
    }
    // It shows traffic, not only names: the pods talk over both tunnels.
    for tunnel in ["flannel.1 (vxlan", "flannel-v6.1 (vxlan"] {
        let rates = printed.iter().rev().find(|line| line.starts_with(tunnel)).unwrap();
        let sent = rates.split_whitespace().nth(5).unwrap();
        assert!(sent != "0" && sent != "-", "{rates}");
    }
    assert_eq!(during, before, "nobody else sees the demo's namespaces while it runs");
    assert_eq!(visible(), before, "and nothing is left");
}

/// Every kernel of the matrix runs this, and some of them have no TCX.
#[test]
fn a_kernel_without_tcx_says_so() {
    let pair = Pair::new("way");
    let output = run(&["--netns", pair.node(1), "watch", "--count", "1", "--attach", "tcx"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if Feature::Tcx.missing().is_none() {
        assert_eq!(output.status.code(), Some(0), "{said}");
    } else {
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("this kernel has none") && said.contains("leave out --attach tcx"), "{said}");
    }
}
