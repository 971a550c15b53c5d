//! Nodes on which something is stale or lost, with the node's files: what is shown of them, and what helps.

use probe_tests::{hostroot::HostRoot, lab::TestNetns, node::Node, ns, tool::run};
use serde_json::{Value, json};

use super::{list, planes::planes, text};

fn table(node: &Node, files: &HostRoot, what: &str) -> String {
    let output = run(&["--netns", node.name(), "--host-root", files.arg(), "show", what]);
    String::from_utf8(output.stdout).unwrap().replace("\n  ", " ")
}

fn document(node: &Node, files: &HostRoot, what: &str) -> Value {
    let output = run(&["--netns", node.name(), "--host-root", files.arg(), "show", what, "--format", "json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn row(value: &Value, aspect: &str) -> Value {
    let rows = list(value, "side_by_side");
    rows.iter().find(|row| row["aspect"] == aspect).unwrap_or_else(|| panic!("{aspect}: {rows:?}")).clone()
}

/// flannel with a device and a peer for each node.
fn flannel(node: &Node, own: &str, peers: &[(&str, u8)]) {
    node.ip(&format!(
        "link add name flannel.1 mtu 1450 type vxlan id 1 dev u0 local 192.0.2.1 dstport 8472 nolearning
         addr add {own}/32 dev flannel.1
         link set flannel.1 up"
    ));
    for (network, last) in peers {
        node.ip(&format!(
            "neigh add {network} lladdr 0a:00:00:00:00:{last:02x} dev flannel.1 nud permanent
             route add {network}/24 via {network} dev flannel.1 onlink"
        ));
        fdb(node, *last);
    }
}

fn fdb(node: &Node, last: u8) {
    ns(node.name(), &format!("bridge fdb append 0a:00:00:00:00:{last:02x} dev flannel.1 dst 192.0.2.{last}"));
}

/// The node was in another cluster, and flannel keeps the routes of that.
#[test]
fn routes_of_another_cluster() {
    let node = Node::new("moved");
    flannel(&node, "10.60.3.0", &[("10.60.1.0", 2), ("10.60.2.0", 3)]);
    node.ip("route add 172.31.0.0/24 via 172.31.0.0 dev flannel.1 onlink
         route add 172.31.9.0/24 via 172.31.9.0 dev flannel.1 onlink");
    node.bridged_pod("10.60.3.1/24");
    let volume = "var/lib/kubelet/pods/aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee/volumes/kubernetes.io~configmap/flannel-cfg";
    let files = HostRoot::new(&[
        (
            &format!("{volume}/net-conf.json"),
            "{\n  \"Network\": \"10.60.0.0/16\",\n  \"Backend\": { \"Type\": \"vxlan\" }\n}\n".to_owned(),
        ),
        (
            &format!("{volume}/cni-conf.json"),
            "{\"name\": \"pods\", \"plugins\": [{\"type\": \"flannel\"}]}".to_owned(),
        ),
    ]);
    let value = document(&node, &files, "node");
    for (aspect, wanted) in [("cni", "flannel"), ("backend", "vxlan"), ("cluster-cidrs", "10.60.0.0/16")] {
        let row = row(&value, aspect);
        assert_eq!((&row["intended"], &row["agrees"]), (&json!([wanted]), &json!(true)), "{row}");
    }
    assert_eq!((&value["actual"]["peers"], &value["actual"]["holes"]), (&json!(2), &json!(2)));
    let shown = table(&node, &files, "node");
    for network in ["172.31.0.0/24", "172.31.9.0/24"] {
        assert!(shown.contains(&format!("route {network} via")), "{shown}");
        let command = format!("ip route del {network} dev flannel.1");
        assert!(shown.contains(&command), "{shown}");
        // It is one that works.
        ns(node.name(), &command);
    }
    assert!(!shown.contains("restart the CNI's agent"), "no agent deletes them: {shown}");
    assert_eq!(document(&node, &files, "node")["actual"]["holes"], 0);
}

/// The node was given another pod network, and the old one's bridge and address stayed. Another node has that network now.
#[test]
fn two_pod_networks() {
    let node = Node::new("twice");
    flannel(&node, "10.60.5.0", &[("10.60.1.0", 2)]);
    node.bridged_pod("10.60.4.1/24");
    node.ip("addr add 10.60.4.0/32 dev flannel.1
         neigh add 10.60.4.0 lladdr 0a:00:00:00:00:07 dev flannel.1 nud permanent");
    fdb(&node, 7);
    let env = "FLANNEL_NETWORK=10.60.0.0/16\nFLANNEL_SUBNET=10.60.5.1/24\nFLANNEL_MTU=1450\n";
    let files = HostRoot::new(&[("run/flannel/subnet.env", env.to_owned())]);
    let value = document(&node, &files, "node");
    let own: Vec<(&str, &str)> = list(&value["actual"], "pod_cidrs")
        .iter()
        .map(|own| (text(own, "cidr"), text(own, "source")))
        .collect();
    assert_eq!(own, [("10.60.4.0/24", "bridge"), ("10.60.5.0/24", "tunnel-address")]);
    let row = row(&value, "pod-cidrs");
    assert_eq!((&row["intended"], &row["agrees"]), (&json!(["10.60.5.0/24"]), &json!(false)), "{row}");
    // The kernel refuses the route, since its gateway is here.
    let refused = std::process::Command::new("ip")
        .args([
            "-n",
            node.name(),
            "route",
            "add",
            "10.60.4.0/25",
            "via",
            "10.60.4.0",
            "dev",
            "flannel.1",
            "onlink",
        ])
        .output()
        .unwrap();
    assert!(!refused.status.success());
    for what in ["node", "peers", "pods"] {
        let shown = table(&node, &files, what);
        assert!(shown.contains("no route leads to the pods of node 192.0.2.7"), "{what}: {shown}");
        assert!(shown.contains("10.60.4.0 is an address of this node, too"), "{what}: {shown}");
    }
}

/// Calico with two families, of which one has routes to nobody.
#[test]
fn calico_with_one_family_only() {
    let node = Node::new("onefam");
    ns(node.name(), "sysctl -q -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0");
    node.ip("addr add 2001:db8:2::1/64 dev u0 nodad
         link add name vxlan.calico mtu 1450 type vxlan id 4096 dev u0 local 192.0.2.1 dstport 4789 nolearning
         addr add 10.60.0.64/32 dev vxlan.calico
         link set vxlan.calico up
         neigh add 10.60.2.128 lladdr 66:00:00:00:00:02 dev vxlan.calico nud permanent
         route add 10.60.2.128/26 via 10.60.2.128 dev vxlan.calico onlink proto 80
         route add blackhole 10.60.0.64/26 proto 80
         link add name vxlan-v6.calico mtu 1430 type vxlan id 4096 dev u0 local 2001:db8:2::1 dstport 4789 nolearning
         addr add fd60::40/128 dev vxlan-v6.calico nodad
         link set vxlan-v6.calico up
         route add blackhole fd60::40/122 proto 80");
    ns(node.name(), "bridge fdb append 66:00:00:00:00:02 dev vxlan.calico dst 192.0.2.2");
    node.calico_pod("10.60.0.66");
    let planes = planes(&node);
    let [plane] = planes.as_slice() else { panic!("{planes:?}") };
    assert_eq!((plane.system.as_str(), &plane.certainty), ("calico", &json!("certain")));
    let devices = [("vxlan.calico".to_owned(), Value::Null), ("vxlan-v6.calico".to_owned(), Value::Null)];
    assert_eq!(plane.devices, devices, "one of them is in need, and none is stale");
    let files = HostRoot::new(&[]);
    let shown = table(&node, &files, "node");
    assert!(
        shown.contains(
            "! vxlan-v6.calico leads to no other node, while vxlan.calico has 1 peer: pods' IPv6 packets"
        ),
        "{shown}"
    );
    assert!(table(&node, &files, "mtu").contains("vxlan-v6.calico: VXLAN over IPv6, leads to no other node"));
}

/// What flannel left when k3s was told not to run it.
#[test]
fn a_backend_that_was_turned_off() {
    let node = Node::new("off");
    node.ip("link add name flannel.1 mtu 1450 type vxlan id 1 dev u0 local 192.0.2.1 dstport 8472 nolearning
         link set flannel.1 up");
    let files = HostRoot::new(&[("etc/rancher/k3s/config.yaml", "flannel-backend: none\n".to_owned())]);
    let value = document(&node, &files, "node");
    let device = &list(&value["actual"]["data_planes"][0], "devices")[0];
    assert_eq!((&device["stale"]["why"], &device["idle"]), (&json!("unused"), &json!(true)), "{device}");
    let backend = row(&value, "backend");
    assert_eq!((&backend["intended"], &backend["agrees"]), (&json!(["none"]), &json!(true)), "{backend}");
    node.ip("addr add 10.42.0.0/32 dev flannel.1");
    let value = document(&node, &files, "node");
    for aspect in ["cni", "backend"] {
        let row = row(&value, aspect);
        assert_eq!((&row["intended"], &row["agrees"]), (&json!(["none"]), &json!(false)), "{row}");
    }
}

/// A pod's namespace is not where the CNI cache says, or is none; and a table without rows has its notes all the same.
#[test]
fn a_namespace_that_is_lost() {
    let node = Node::new("lost");
    flannel(&node, "10.60.3.0", &[("10.60.1.0", 2)]);
    node.bridged_pod("10.60.3.1/24");
    let cached = |network: &str, ifname: &str, netns: &str| {
        json!({
            "kind": "cniCacheV1", "containerId": "c1", "ifName": ifname, "networkName": network,
            "cniArgs": [["K8S_POD_NAMESPACE", "shop"], ["K8S_POD_NAME", "cart-0"]],
            "result": {
                "cniVersion": "0.4.0",
                "interfaces": [{ "name": "veth1a2b3c4d" }, { "name": ifname, "sandbox": netns }],
                "ips": [{ "version": "4", "interface": 1, "address": "10.60.3.5/24" }],
            },
        })
        .to_string()
    };
    let files = HostRoot::new(&[]);
    let netns = "/run/elsewhere/cni-1";
    files.write("var/lib/cni/results/pods-c1-eth0", cached("pods", "eth0", netns));
    files.write("var/lib/cni/results/storage-c1-net1", cached("storage", "net1", netns));
    let shown = table(&node, &files, "pods");
    assert!(shown.contains("shop/cart-0 10.60.3.5 veth1a2b3c4d"), "{shown}");
    assert!(
        shown.contains(
            "namespace /run/elsewhere/cni-1 does not exist; only the CNI cache lists net1 (storage)"
        ),
        "{shown}"
    );
    // A file that is no namespace: the pod is there, and so is the reason.
    files.write("run/elsewhere/cni-1", "");
    let shown = table(&node, &files, "pods");
    assert!(shown.contains("shop/cart-0"), "{shown}");
    assert!(shown.contains("! network namespace /run/elsewhere/cni-1: "), "{shown}");

    let empty = TestNetns::new("lostempty");
    let output = run(&["--netns", empty.name(), "--host-root", files.arg(), "show", "pods"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("run/elsewhere/cni-1"), "{shown}");
}

/// k3s with host-gw and two families: the routes are all there is, and its pods are those of the bridge.
#[test]
fn host_gw_with_two_families() {
    let node = Node::new("hostgw6");
    ns(node.name(), "sysctl -q -w net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0");
    node.bridged_pod("10.42.1.1/24");
    node.ip("addr add 2001:db8:5::21/64 dev u0 nodad
         addr add 2001:db8:100:1::1/64 dev cni0 nodad
         route add 10.42.0.0/24 via 192.0.2.20 dev u0
         route add 10.42.2.0/24 via 192.0.2.22 dev u0
         route add 2001:db8:100::/64 via 2001:db8:5::20 dev u0
         route add 2001:db8:100:2::/64 via 2001:db8:5::22 dev u0");
    let config = "flannel-backend: host-gw\ncluster-cidr: 10.42.0.0/16,2001:db8:100::/56\nnode-ip:\n  - 192.0.2.1\n  - \
        2001:db8:5::21\n";
    let env = "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.1.1/24\nFLANNEL_IPV6_NETWORK=2001:db8:100::/56\n\
        FLANNEL_IPV6_SUBNET=2001:db8:100:1::1/64\nFLANNEL_MTU=1500\n";
    let files = HostRoot::new(&[
        ("etc/rancher/k3s/config.yaml", config.to_owned()),
        ("run/flannel/subnet.env", env.to_owned()),
    ]);
    let value = document(&node, &files, "node");
    for aspect in ["cni", "backend", "families", "cluster-cidrs", "pod-cidrs"] {
        let row = row(&value, aspect);
        assert_eq!(row["agrees"], true, "{row}");
    }
    // Two nodes, each with an address of both families.
    let counts = ["peers", "peers_ipv4", "peers_ipv6"].map(|name| value["actual"][name].as_u64());
    assert_eq!(counts, [Some(2), Some(2), Some(2)], "{value}");
    let pods = document(&node, &files, "pods");
    let [pod] = list(&pods, "pods") else { panic!("{pods}") };
    assert_eq!((text(pod, "host_ifname"), text(pod, "source")), ("veth1a2b3c4d", "bridge"));
    assert_eq!((&pod["name"], &pod["addresses"]), (&json!(null), &json!([])), "nobody knows them");
}
