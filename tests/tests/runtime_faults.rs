//! Faults of pods that a container runtime made: what it says, what host-local keeps and what Multus did not do, on a real node.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use overlay_probe::lab::Family;
use probe_tests::{
    containerd::{Containerd, PodSpec},
    lab::TestLab,
    ns,
    tool::run,
};
use serde_json::{Value, json};

const NETWORK: &str = "k8s-pod-network";
/// Multus' annotation.
const REQUESTED: &str = "k8s.v1.cni.cncf.io/networks";

fn ipam() -> Value {
    json!({
        "type": "host-local",
        "ranges": [[{"subnet": "10.42.1.192/26"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    })
}

/// What `check` finds of pods on the node: ids and summaries.
fn found(containerd: &Containerd) -> Vec<(String, String)> {
    let args =
        ["--netns", "/proc/self/ns/net", "check", "--window", "50ms", "--only", "pod", "--format", "json"];
    let output = containerd.on_node(|| run(&args));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["not_judged"], json!([]), "{document}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = document["findings"].as_array().unwrap().iter();
    findings.map(|finding| (text(&finding["id"]), text(&finding["summary"]))).collect()
}

/// One finding.
fn of(id: &str, summary: &str) -> [(String, String); 1] {
    [(id.to_owned(), summary.to_owned())]
}

/// Calls host-local as the bridge plugin does, for a sandbox of this name.
fn host_local(containerd: &Containerd, command: &str, sandbox: &str) {
    let configuration = json!({ "cniVersion": "0.3.1", "name": NETWORK, "type": "bridge", "ipam": ipam() });
    let environment = [
        ("CNI_COMMAND", command),
        ("CNI_CONTAINERID", sandbox),
        ("CNI_NETNS", "/var/run/netns/none"),
        ("CNI_IFNAME", "eth0"),
    ];
    containerd.run_plugin("host-local", &environment, &configuration);
}

#[test]
fn addresses_that_leak_and_networks_that_pods_lack() {
    let lab = TestLab::up(2, 1, Family::V4);
    let node = lab.node(1);
    let containerd = Containerd::start(&node);
    let configuration = json!({
        "cniVersion": "0.3.1",
        "name": NETWORK,
        "plugins": [{ "type": "bridge", "bridge": "cni0", "isGateway": true, "mtu": 1450, "ipam": ipam() }],
    });
    containerd.cni_conf("10-bridge.conflist", &configuration);
    let pod = containerd.run_pod(&PodSpec::new("shop", "cart-0").annotated(REQUESTED, "shop/storage@net1"));

    // The pod was made without Multus.
    let lacks = "shop/cart-0 has 0 of the 1 secondary network that it asks for.";
    assert_eq!(found(&containerd), of("pod-network-missing", lacks));
    let storage = json!({
        "cniVersion": "0.3.1",
        "name": "storage",
        "type": "bridge",
        "bridge": "br7",
        "ipam": {"type": "static", "addresses": [{"address": "198.18.1.7/24"}]},
    });
    containerd.attach(&pod, "shop/storage", "net1", &storage);
    assert_eq!(found(&containerd), []);

    // Sandboxes that the runtime does not know, as after a loss of power.
    let gone: Vec<String> = (0..5).map(|number| format!("{number:064x}")).collect();
    for (number, sandbox) in gone.iter().enumerate() {
        assert_eq!(found(&containerd), [], "{number} addresses may be those of pods that end just now");
        host_local(&containerd, "ADD", sandbox);
    }
    let leaked = "5 of 6 that host-local has given in /var/lib/cni/networks/k8s-pod-network are of pods that are gone.";
    assert_eq!(found(&containerd), of("pod-ipam-leaked", leaked));
    for sandbox in &gone {
        host_local(&containerd, "DEL", sandbox);
    }
    assert_eq!(found(&containerd), []);
    containerd.remove_pod(&pod);
    ns(&node, "ip link del br7");
}
