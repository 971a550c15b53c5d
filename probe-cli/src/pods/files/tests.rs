//! Tests of all files together, below a root that looks like a node's.

use std::{fs, os::unix::fs::symlink};

use tempfile::TempDir;

use super::*;

/// Writes files below a root where `/var/run` is a link to `/run`, as on every node.
fn host(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("run")).unwrap();
    fs::create_dir_all(root.path().join("var")).unwrap();
    symlink("/run", root.path().join("var/run")).unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn cached(pod: &str, netns: &str) -> String {
    format!(
        r#"{{"kind":"cniCacheV1","containerId":"id-{pod}","ifName":"eth0","networkName":"net",
        "cniArgs":[["K8S_POD_NAMESPACE","shop"],["K8S_POD_NAME","{pod}"]],
        "result":{{"interfaces":[{{"name":"eth0","sandbox":"/var/run/netns/{netns}"}}]}}}}"#
    )
}

#[test]
fn each_kind_of_file_has_its_place() {
    let id = "0123456789abcdef";
    let root = host(&[
        ("var/lib/cni/results/net-a-eth0", &cached("cart-0", "cni-1")),
        ("var/lib/cni/multus/results/net-b-net1", &cached("cart-1", "cni-2")),
        ("var/lib/cni/sriov/pci/0000:01:10.0", "/var/run/netns/cni-1"),
        ("var/lib/cni/sriov/pci/vf_lock/0000:01:10.0.lock", ""),
        ("var/lib/cni/sriov/a-net1", r#"{"name":"sriov-net","deviceID":"0000:01:10.0"}"#),
        (
            &format!("run/k8s.cni.cncf.io/devinfo/cni/sriov-net-{id}_net1"),
            r#"{"type":"pci","pci":{"pci-address":"0000:01:10.2"}}"#,
        ),
        (
            "run/k8s.cni.cncf.io/devinfo/dp/example.com-sriov-x-device.json",
            r#"{"type":"pci","pci":{"pci-address":"0000:01:10.4"}}"#,
        ),
        ("run/netns/cni-1", ""),
    ]);
    let facts = Files::new(root.path()).read_now(&[]);
    let pods: Vec<_> = facts.attachments.iter().map(|attachment| attachment.pod.as_str()).collect();
    assert_eq!(pods, ["cart-0", "cart-1"]);
    assert_eq!(facts.allocations[0].netns, "/var/run/netns/cni-1");
    assert_eq!(facts.configurations[0].container_id, "a");
    assert_eq!(facts.interface_devices[0].pci, "0000:01:10.2");
    assert_eq!(facts.resource_devices[0].pci, "0000:01:10.4");
    let [note] = facts.notes.as_slice() else { panic!("{:?}", facts.notes) };
    assert!(note.starts_with("1 file(s)") && note.contains("cni-2 of pod shop/cart-1"), "{note}");
}

#[test]
fn a_root_without_any_has_none() {
    assert_eq!(Files::new(host(&[]).path()).read_now(&[]), PodFacts::default());
    assert_eq!(Files::new(Path::new("/nowhere")).read_now(&[]), PodFacts::default());
}
