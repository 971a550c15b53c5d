//! What the lab removes and writes on the machine: its own, and nothing that only has such a name. Needs root.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use std::{fs, os::unix::fs::symlink, path::Path};

use overlay_probe::{
    lab::{self, Family, LabError, files, live},
    netns,
};
use probe_tests::{lab::TestLab, ns, sh, tool::run};

/// Namespaces of a name that a lab could have, which it did not make.
struct Strangers(Vec<String>);

impl Drop for Strangers {
    fn drop(&mut self) {
        for name in &self.0 {
            // The test's own failure is the one to show.
            let _ = netns::remove(name);
        }
    }
}

#[test]
fn what_a_lab_did_not_make_stays() {
    let prefix = format!("t{}stranger", std::process::id());
    let name = |rest: &str| format!("{prefix}-{rest}");
    let strangers = Strangers(["underlay", "node1", "node2", "node3"].map(name).into());
    let [underlay, node, linked, machine] = strangers.0.as_slice() else { panic!() };
    for name in [underlay, node] {
        sh("ip", &["netns", "add", name]);
    }
    ns(node, "ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.0.2.1");
    let directory = Path::new(netns::DIRECTORY);
    symlink(directory.join(node), directory.join(linked)).unwrap();
    fs::write(directory.join(machine), "").unwrap();
    sh("mount", &["--bind", "/proc/self/ns/net", directory.join(machine).to_str().unwrap()]);
    let output = run(&["lab", "down", "--prefix", &prefix]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(strangers.0.iter().all(|name| said.contains(name.as_str())), "{said}");
    assert!(said.contains("lab down --force"), "{said}");
    assert!(netns::open(underlay).is_ok() && netns::open(node).is_ok());
    assert!(ns(node, "ip -br link show dev flannel.1").contains("flannel.1"));
    assert!(fs::symlink_metadata(directory.join(linked)).unwrap().is_symlink());
    let built =
        lab::up(&lab::LabOptions { prefix: prefix.clone(), ..lab::LabOptions::default() }, &mut |_| {});
    assert!(matches!(built, Err(LabError::Taken { .. })), "{built:?}");
    // Forced, it takes what it can have made: neither a link nor the machine's own.
    assert!(matches!(lab::force_down(&prefix), Err(LabError::NotOurs { removed: 2, .. })));
    assert!(netns::open(underlay).is_err() && netns::open(machine).is_ok());
}

#[test]
fn a_lab_whose_files_are_gone_is_known_by_its_mark() {
    let lab = TestLab::up(2, 1, Family::V4);
    let prefix = lab.prefix().to_owned();
    for ending in ["json", "namespaces"] {
        fs::remove_file(format!("/run/overlay-probe/lab/{prefix}.{ending}")).unwrap();
    }
    let count = netns::list().iter().filter(|name| name.starts_with(&format!("{prefix}-"))).count();
    assert_eq!(lab::down(&prefix).unwrap(), count);
    assert_eq!(count, 5);
}

#[test]
fn a_pod_is_removed_by_a_name_of_the_labs_only() {
    let lab = TestLab::up(2, 1, Family::V4);
    let path = format!("/run/overlay-probe/lab/{}.json", lab.prefix());
    let pod = &lab.lab.nodes[0].pods[0];
    let victim = tempfile::tempdir().unwrap();
    let victim = victim.path().join("victim");
    fs::write(&victim, "").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(&pod.netns, &format!("../..{}", victim.display()))).unwrap();
    assert!(live::remove_pod(lab.prefix(), 1, &pod.namespace, &pod.name).is_err());
    assert!(victim.exists());
}

/// Whoever may write the directory could lead root anywhere.
#[test]
fn host_files_are_written_through_no_link() {
    let lab = TestLab::up(2, 1, Family::V4);
    let above = tempfile::tempdir().unwrap();
    let (directory, victim) = (above.path().join("files"), above.path().join("victim"));
    fs::write(&victim, "victim").unwrap();
    fs::create_dir_all(directory.join(lab.node(1)).join("etc")).unwrap();
    symlink(&victim, directory.join(lab.node(1)).join("etc/hosts")).unwrap();
    symlink(above.path(), directory.join(lab.node(2))).unwrap();
    let refused = files::write(&lab.lab, &directory).unwrap_err().to_string();
    assert!(refused.contains("has other files in it"), "{refused}");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "victim");
    assert!(!above.path().join("etc").exists());
    let new = above.path().join("new");
    for _ in 0..2 {
        assert_eq!(files::write(&lab.lab, &new).unwrap().len(), 2);
    }
    assert!(new.join(lab.node(1)).join("etc/hosts").is_file());
}
