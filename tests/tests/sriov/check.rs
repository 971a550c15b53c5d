//! The health check's SR-IOV family on a real NIC: a healthy VF has no finding, each fault raises its check, and the finding's
//! own commands mend it.

use probe_tests::{hostroot::HostRoot, lab::TestNetns, needs, ns, sh, tool::run, wait_for};
use serde_json::Value;

use super::nic::{Nic, cached, mac};

/// What is found with the files below `root`, by id, and the commands that shall mend it.
fn found(root: &str) -> Vec<(String, Vec<String>)> {
    let output = run(&["--host-root", root, "check", "--only", "vf", "--window", "50ms", "--format", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["not_judged"], Value::Array(Vec::new()), "{document}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| {
            let commands = finding["fix"]["commands"].as_array().unwrap().iter().map(text).collect();
            (text(&finding["id"]), commands)
        })
        .collect()
}

/// The one finding is `id`; its commands are run, and nothing is found any more.
fn is_found_and_mended(root: &str, id: &str) {
    let findings = found(root);
    let raised: Vec<&str> = findings.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(raised, [id], "{findings:?}");
    let commands = &findings[0].1;
    for command in commands {
        sh("sh", &["-c", command]);
    }
    // A NIC that was reset has no carrier for a while.
    wait_for(&format!("a healthy VF after {commands:?}"), || found(root).is_empty().then_some(()));
}

#[test]
fn faults_of_a_vf_are_found_and_their_fixes_mend_them() {
    needs!(Sriov);
    let nic = Nic::up();
    let (pf, pod) = (nic.pf(), TestNetns::new("vfcheck"));
    nic.give(0, &pod, "192.0.2.1/24");
    let own = mac(pod.name(), "net1");
    sh("ip", &["link", "set", &pf, "vf", "0", "mac", &own]);
    let config = r#"{"resourceList": [{"resourceName": "igb", "selectors": {"drivers": ["igbvf"]}}]}"#;
    let host = HostRoot::new(&[
        ("var/lib/cni/results/sriov-net-c1-net1", cached("cart-0", pod.name(), Some(&nic.pci(0)))),
        ("etc/pcidp/config.json", config.to_owned()),
    ]);
    let root = host.arg();
    assert_eq!(found(root), []);

    sh("ip", &["link", "set", &pf, "vf", "0", "mac", "02:00:00:00:00:77", "spoofchk", "on"]);
    is_found_and_mended(root, "vf-mac-not-allowed");
    ns(pod.name(), "ip link set net1 mtu 2000");
    is_found_and_mended(root, "vf-mtu-exceeds-pf");
    sh("ip", &["link", "set", &pf, "down"]);
    is_found_and_mended(root, "vf-link-down");
}
