//! What the health check prints of a real data plane, its exit codes, and what it says without privileges. What it finds is in
//! `faults.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

mod planes;

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    process::Command,
};

use nix::sys::signal::Signal;
use overlay_probe::{
    check::{self, REGISTRY},
    lab::{Dataplane, Family},
    model,
    sample::{Frame, Sample},
};
use probe_tests::{
    checked::Node,
    lab::TestNetns,
    sh,
    tool::{NOBODY, binary, run, send_signal, with_privileges},
    wait_for,
};
use serde_json::Value;
use tempfile::TempDir;

#[test]
fn pods_that_send_too_much_are_named_with_the_cure() {
    let node = Node::up(Dataplane::Vxlan, Family::Dual);
    node.inject("pod-mtu-too-large");
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

/// A node that only its files are here of: its NICs are in a copy of its sysfs, and in no network namespace.
#[test]
fn a_copied_node_has_the_nics_of_the_copy() {
    let root = TempDir::new().unwrap();
    let device = |address: &str, files: &[(&str, &str)], links: &[(&str, &str)]| {
        let directory = root.path().join("sys/bus/pci/devices").join(address);
        fs::create_dir_all(&directory).unwrap();
        for (name, text) in [("class", "0x020000\n"), ("vendor", "0x15b3\n")].iter().chain(files) {
            fs::write(directory.join(name), text).unwrap();
        }
        for (name, target) in links {
            symlink(target, directory.join(name)).unwrap();
        }
    };
    let driver = ("driver", "../../drivers/mlx5_core");
    let of_pf = [("device", "0x101d\n"), ("sriov_totalvfs", "16\n"), ("sriov_numvfs", "1\n")];
    device("0000:42:00.0", &of_pf, &[driver, ("virtfn0", "../0000:42:00.2")]);
    device("0000:42:00.2", &[("device", "0x101e\n")], &[driver, ("physfn", "../0000:42:00.0")]);
    fs::create_dir_all(root.path().join("etc/pcidp")).unwrap();
    let pool = |address: &str| {
        let pool =
            r#"{"resourceList": [{"resourceName": "vfs", "selectors": {"pciAddresses": ["ADDRESS"]}}]}"#;
        fs::write(root.path().join("etc/pcidp/config.json"), pool.replace("ADDRESS", address)).unwrap();
    };
    let node = TestNetns::new("copied");
    let found = || {
        let (name, root) = (node.name(), root.path().to_str().unwrap());
        let args = [
            "--netns",
            name,
            "--host-root",
            root,
            "check",
            "--window",
            "50ms",
            "--only",
            "vf",
            "--format",
            "json",
        ];
        let document: Value = serde_json::from_slice(&run(&args).stdout).unwrap();
        let findings = document["findings"].as_array().unwrap().iter();
        findings.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The plugin offers VFs, and this is the PF.
    pool("0000:42:00.0");
    assert_eq!(found(), ["vf-pool-empty"]);
    pool("0000:42:00.2");
    assert_eq!(found(), [""; 0]);
}

/// Who may not read everything is not told that all is well of what was not read.
#[test]
fn without_root_what_cannot_be_read_is_not_judged() {
    let node = Node::up(Dataplane::Vxlan, Family::Dual);
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
    for args in [
        &["--netns", "no-such-namespace", "check", "--format", "json"][..],
        &["check", "--format", "json", "--only", "nonsense"],
        &["check", "--nonsense", "--format=json"],
    ] {
        let output = run(args);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (output.status.code(), document["verdict"].as_str()),
            (Some(3), Some("unknown")),
            "{args:?}"
        );
        assert!(!document["reason"].as_str().unwrap().is_empty() && !output.stderr.is_empty(), "{output:?}");
    }
}

/// What somebody has accepted is no alarm, and what has changed since is told.
#[test]
fn accepted_findings_and_what_changed_since() {
    let node = Node::up(Dataplane::Vxlan, Family::V4);
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (well, accepted) = (path("well.json"), path("accepted"));
    fs::write(&well, node.check(&["--format", "json"]).1).unwrap();
    node.inject("fdb-entry-missing");
    let (code, text) = node.check(&["--since", &well]);
    assert_eq!(code, Some(2));
    assert!(text.starts_with("+ FAIL  peer-neighbour-without-fdb ("), "{text}");
    let sick = path("sick.json");
    fs::write(&sick, node.check(&["--format", "json"]).1).unwrap();
    let (_, text) = node.check(&["--since", &sick]);
    assert!(text.starts_with("1 finding as before"), "{text}");
    fs::write(&accepted, "peer-neighbour-without-fdb * node-2 is being replaced 9999-12-31\n").unwrap();
    let (code, text) = node.check(&["--accept", &accepted, "--quiet"]);
    assert!(code == Some(0) && text.starts_with("OK: ") && text.contains("1 accepted"), "{text}");
    fs::write(&accepted, "peer-neighbour-without-fdb * node-2 is being replaced 2020-12-31\n").unwrap();
    assert_eq!(node.check(&["--accept", &accepted, "--quiet"]).0, Some(2));
    node.undo();
    let (code, text) = node.check(&["--since", &sick]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with("- ok    peer-neighbour-without-fdb ("), "{text}");
    for (content, says) in
        [("peer-neighbour-without-fdb", "line 1: a line has"), ("x * y 2030-01-01", "not the id of a check")]
    {
        fs::write(&accepted, content).unwrap();
        let output = run(&["check", "--accept", &accepted]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(3) && said.contains(says), "{said}");
    }
    for args in [["--since", "/dev/null"], ["--accept", "/nowhere/file"], ["--since", &accepted]] {
        assert_eq!(run(&["check", args[0], args[1]]).status.code(), Some(3), "{args:?}");
    }
}

/// Each finding is told of when it comes and when it goes, and the last look decides the exit code.
#[test]
fn watching_tells_what_comes_and_goes() {
    let node = Node::up(Dataplane::Vxlan, Family::V4);
    let directory = TempDir::new().unwrap();
    let [out, err] = ["out", "err"].map(|name| directory.path().join(name));
    let mut watch = Command::new(binary())
        .args(["--netns", &node.name(), "--host-root", node.root().to_str().unwrap(), "check"])
        .args(["--watch", "100ms", "--window", "50ms", "--only", "peer"])
        .stdout(fs::File::create(&out).unwrap())
        .stderr(fs::File::create(&err).unwrap())
        .spawn()
        .unwrap();
    // Lines of the finding, whose marks are of its comings and goings so far.
    let marks = || -> String {
        let text = fs::read_to_string(&out).unwrap();
        let lines = text.lines().filter(|line| line.contains("peer-neighbour-without-fdb ("));
        lines.map(|line| line.split_once("UTC  ").unwrap().1.chars().next().unwrap()).collect()
    };
    wait_for("the first look", || fs::read_to_string(&err).unwrap().starts_with("OK: ").then_some(()));
    for expected in ["+", "+-", "+-+"] {
        if expected.ends_with('+') {
            node.inject("fdb-entry-missing");
        } else {
            node.undo();
        }
        wait_for(expected, || (marks() == expected).then_some(()));
    }
    send_signal(&watch, Signal::SIGTERM);
    assert_eq!(watch.wait().unwrap().code(), Some(2));
}

/// Who gets the archive sees what was seen here, and finds the same in it.
#[test]
fn a_support_bundle_has_what_was_found_and_what_it_was_made_of() {
    let node = Node::up(Dataplane::Vxlan, Family::V4);
    node.inject("fdb-entry-missing");
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("bundle.tar.gz");
    let file = file.to_str().unwrap();
    let (code, printed) = node.check(&["--support-bundle", file, "--format", "json"]);
    assert_eq!(code, Some(2), "{printed}");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "something half written is left");
    sh("tar", &["-xzf", file, "-C", directory.path().to_str().unwrap()]);
    let read = |name: &str| fs::read_to_string(directory.path().join("overlay-probe").join(name)).unwrap();
    assert_eq!(read("check.json").trim(), printed.trim());
    assert!(read("check.txt").contains("FAIL  peer-neighbour-without-fdb"));
    assert!(read("README.txt").contains("node.json"));
    let before: Sample = serde_json::from_str(&read("before.json")).unwrap();
    let after: Frame = serde_json::from_str(&read("node.json")).unwrap();
    let model = model::over(before, after);
    let judgement = check::run(&model, REGISTRY);
    let found: Vec<&str> = judgement.findings().iter().map(|row| row.check.id).collect();
    assert_eq!(found, ["peer-neighbour-without-fdb"]);
    let (code, text) = node.check(&["--support-bundle", "/nowhere/b.tar.gz", "--format", "json"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, document["verdict"].as_str()), (Some(3), Some("unknown")), "{text}");
    assert!(document["reason"].as_str().unwrap().contains("/nowhere/b.tar.gz"), "{text}");
}
