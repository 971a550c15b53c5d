//! What the health check prints of a real data plane, its exit codes, and what it says without privileges. What it finds is in
//! `faults.rs`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use std::{fs, os::unix::fs::PermissionsExt as _};

use overlay_probe::{
    check::{self, REGISTRY},
    lab::{Dataplane, Family},
    model,
    sample::{Frame, Sample},
};
use probe_tests::{
    checked::Node,
    sh,
    tool::{NOBODY, run, with_privileges},
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
    let output = run(&["--netns", "no-such-namespace", "check", "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), document["verdict"].as_str()), (Some(3), Some("unknown")));
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
