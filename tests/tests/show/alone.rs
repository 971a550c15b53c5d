//! Nodes that know no other node: the only node of a cluster is well, whatever its CNI, and what is shown of it agrees.

use probe_tests::{hostroot::HostRoot, node::Node, ns, tool::run};
use serde_json::{Value, json};

use super::{judge, list, text};

/// Subjects, and whether there must be something to show of each on a node with a pod.
const SUBJECTS: [&str; 5] = ["node", "links", "peers", "pods", "mtu"];

/// What the tool prints of a node with these files, and its exit code; its complaint, if there is one.
fn shown(node: &Node, files: &HostRoot, arguments: &[&str]) -> (String, Option<i32>, String) {
    let always = ["--netns", node.name(), "--host-root", files.arg(), "show"];
    let output = run(&[&always, arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), output.status.code(), text(output.stderr))
}

fn document(node: &Node, files: &HostRoot, what: &str) -> Value {
    let (text, code, said) = shown(node, files, &[what, "--format", "json"]);
    assert_eq!(code, Some(0), "{what}: {said}");
    serde_json::from_str(&text).unwrap()
}

/// Nothing is wrong with the node, in any table, and all of them know its data plane.
fn is_well(node: &Node, files: &HostRoot, plane: &str) {
    let mut printed = String::new();
    for what in SUBJECTS {
        let (text, code, said) = shown(node, files, &[what]);
        assert_eq!((code, said.as_str()), (Some(0), ""), "{plane}, {what}: {text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80 && !line.starts_with('!'), "{plane}, {what}: {line:?}");
        }
        for word in ["stale", "unknown origin", "!=", "no data plane found"] {
            assert!(!text.contains(word), "{plane}, {what}, {word}: {text}");
        }
        printed.push_str(&text);
    }
    assert!(printed.contains(plane), "{plane}: {printed}");
    let value = document(node, files, "node");
    assert_eq!(value["actual"]["peers"], 0);
    assert_eq!(value["notes"], json!([]), "{plane}");
    assert_eq!(list(&document(node, files, "peers"), "holes"), &[] as &[Value]);
    // Who counts pods' interfaces comes to one number.
    let pods = list(&document(node, files, "pods"), "pods").len();
    assert_eq!(value["actual"]["pod_interfaces"], pods, "{plane}");
    assert_eq!(pods, 1, "{plane}");
}

fn no_files() -> HostRoot {
    HostRoot::new(&[])
}

/// flannel's device, as it is before another node has joined.
fn flannel(node: &Node, device: &str, vni: u32, port: u16) {
    node.ip(&format!(
        "link add name {device} mtu 1450 type vxlan id {vni} dev u0 local 192.0.2.1 dstport {port} nolearning
         addr add 10.42.0.0/32 dev {device}
         link set {device} up"
    ));
}

#[test]
fn flannel_and_canal() {
    let canal = Node::new("canal1");
    flannel(&canal, "flannel.1", 1, 8472);
    canal.ip("route add blackhole 10.42.0.0/24");
    canal.calico_pod("10.42.0.5");
    is_well(&canal, &no_files(), "Canal, VXLAN (certain)");

    let direct = Node::new("canal2");
    direct.ip("route add blackhole 10.42.0.0/24");
    direct.calico_pod("10.42.0.5");
    is_well(&direct, &no_files(), "Canal, no encapsulation (likely)");

    let k3s = Node::new("k3s1");
    flannel(&k3s, "flannel.1", 1, 8472);
    k3s.bridged_pod("10.42.0.1/24");
    is_well(&k3s, &no_files(), "flannel, VXLAN (certain)");

    let rke2 = Node::new("rke2f1");
    flannel(&rke2, "flannel.4096", 4096, 4789);
    rke2.bridged_pod("10.42.0.1/24");
    is_well(&rke2, &no_files(), "rke2-flannel, VXLAN (certain)");
}

#[test]
fn calico() {
    let vxlan = Node::new("calico1");
    // The first address that Calico gives away in a block of its own is the tunnel's.
    vxlan.ip("link add name vxlan.calico mtu 1450 type vxlan id 4096 dev u0 local 192.0.2.1 dstport 4789 nolearning
         addr add 10.42.0.64/32 dev vxlan.calico
         link set vxlan.calico up
         route add blackhole 10.42.0.64/26 proto 80");
    vxlan.calico_pod("10.42.0.66");
    is_well(&vxlan, &no_files(), "Calico, VXLAN (certain)");
    let (peers, _, _) = shown(&vxlan, &no_files(), &["peers"]);
    assert_eq!(peers, "vxlan.calico: VXLAN, no peer: it leads to no other node\n");
    let (mtu, _, _) = shown(&vxlan, &no_files(), &["mtu"]);
    assert!(mtu.starts_with("vxlan.calico: VXLAN over IPv4, leads to no other node\n"), "{mtu}");

    let bgp = Node::new("calico2");
    bgp.ip("route add blackhole 10.42.0.64/26 proto bird");
    bgp.calico_pod("10.42.0.66");
    is_well(&bgp, &no_files(), "Calico, no encapsulation (likely)");
}

#[test]
fn cilium() {
    let tunnel = "link add name cilium_vxlan type vxlan external dstport 8472
         link set cilium_vxlan up";
    for (name, more, plane) in
        [("cilium1", tunnel, "Cilium, VXLAN (certain)"), ("cilium2", "", "Cilium, no encapsulation (likely)")]
    {
        let node = Node::new(name);
        node.cilium_host("10.0");
        node.ip(more);
        node.calico_pod("10.0.0.77");
        is_well(&node, &no_files(), plane);
        let value = document(&node, &no_files(), "node");
        let addresses: Vec<&str> =
            list(&value["actual"], "addresses").iter().map(|own| text(own, "interface")).collect();
        assert_eq!(addresses, ["u0"], "cilium_host is inside of the node");
        let (table, _, _) = shown(&node, &no_files(), &["node"]);
        assert!(table.contains("peers          unknown\n"), "{table}");
    }
}

/// Without a tunnel and without another node the kernel shows only a bridge; files say what it is for.
#[test]
fn k3s_with_host_gw() {
    let node = Node::new("hostgw1");
    node.bridged_pod("10.42.0.1/24");
    let files = HostRoot::new(&[
        ("etc/rancher/k3s/config.yaml", "flannel-backend: host-gw\n".to_owned()),
        ("run/flannel/subnet.env", "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.0.1/24\n".to_owned()),
    ]);
    is_well(&node, &files, "flannel, no encapsulation (likely)");
    // Before there is a pod and its bridge, too.
    let early = Node::new("hostgw2");
    let (table, code, said) = shown(&early, &files, &["node"]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "{table}");
    assert!(table.replace('\n', " ").contains("on the only node of a cluster there are none"), "{table}");
    for what in ["peers", "mtu"] {
        assert_eq!(shown(&early, &files, &[what]).1, Some(0), "{what}");
    }
    // Of a bridge that no file speaks of nothing is known.
    assert_eq!(shown(&node, &no_files(), &["node"]).1, Some(3));
}

/// k3s with a unit and no `config.yaml`: its tunnel is bound to a device that leads nowhere, as the unit says.
#[test]
fn k3s_by_its_unit() {
    let node = Node::new("unit1");
    node.ip("link add name inside type bridge
         addr add 198.51.100.1/32 dev inside
         link set inside up
         link add name docker0 type bridge
         addr add 172.17.0.1/16 dev docker0
         link add name flannel.1 mtu 1450 type vxlan id 1 dev inside local 198.51.100.1 dstport 8472 nolearning
         addr add 10.42.0.0/32 dev flannel.1
         link set flannel.1 up");
    node.bridged_pod("10.42.0.1/24");
    let unit = "[Service]\nType=notify\nExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--node-ip=198.51.100.1' \\\n\t\
        '--flannel-iface' \\\n\t'inside' \\\n\t'--data-dir=/srv/k3s' \\\n";
    let files = HostRoot::new(&[("etc/systemd/system/k3s.service", unit.to_owned())]);
    is_well(&node, &files, "flannel, VXLAN (certain)");
    let value = document(&node, &files, "node");
    let row = |aspect: &str| {
        let rows = list(&value, "side_by_side");
        rows.iter()
            .find(|row| row["aspect"] == aspect)
            .unwrap_or_else(|| panic!("{aspect}: {rows:?}"))
            .clone()
    };
    for (aspect, wanted, line) in [
        ("cni", "k3s flannel", json!(null)),
        ("backend", "vxlan", json!(null)),
        ("interface", "inside", json!(7)),
        ("node-addresses", "198.51.100.1", json!(5)),
        ("cluster-cidrs", "10.42.0.0/16", json!(null)),
    ] {
        let row = row(aspect);
        assert_eq!(
            (&row["intended"], &row["agrees"], &row["line"]),
            (&json!([wanted]), &json!(true), &line),
            "{row}"
        );
    }
    let addresses: Vec<&str> =
        list(&value["actual"], "addresses").iter().map(|own| text(own, "interface")).collect();
    assert_eq!(
        addresses,
        ["u0", "inside"],
        "the tunnel's packets come from there; docker0 is inside of the node"
    );
}

/// flannel's UDP backend, without the process that would wrap its packets.
#[test]
fn flannel_udp() {
    let node = Node::new("udp1");
    let tun = std::process::Command::new("ip")
        .args(["-n", node.name(), "tuntap", "add", "dev", "flannel0", "mode", "tun"])
        .output()
        .unwrap();
    if !tun.status.success() {
        eprintln!("no tun devices here: {}", String::from_utf8_lossy(&tun.stderr));
        return;
    }
    node.ip("link set flannel0 mtu 1472 up
         addr add 10.42.7.0/16 dev flannel0");
    node.bridged_pod("10.42.7.1/24");
    let volume = "var/lib/kubelet/pods/11111111-2222-4333-8444-555555555555/volumes/kubernetes.io~configmap/flannel-cfg";
    let conf = "{\n  \"Network\": \"10.42.0.0/16\",\n  \"Backend\": { \"Type\": \"udp\" }\n}\n";
    let files = HostRoot::new(&[
        (&format!("{volume}/net-conf.json"), conf.to_owned()),
        ("run/flannel/subnet.env", "FLANNEL_SUBNET=10.42.7.1/24\nFLANNEL_MTU=1472\n".to_owned()),
    ]);
    let value = document(&node, &files, "node");
    let [plane] = list(&value["actual"], "data_planes") else { panic!("{value}") };
    assert_eq!(
        (text(plane, "system"), text(plane, "encapsulation"), text(plane, "certainty")),
        ("flannel", "udp", "certain")
    );
    let device = &list(plane, "devices")[0];
    assert_eq!(
        (&device["peers"], &device["routes"], &device["families"]),
        (&json!(null), &json!(1), &json!([4]))
    );
    assert_eq!(list(&value["actual"], "pod_cidrs")[0]["cidr"], "10.42.7.0/24");
    let route = judge(node.name(), "ip -j route show dev flannel0");
    assert_eq!(route[0]["dst"], "10.42.0.0/16");
    for aspect in ["cni", "backend", "families", "cluster-cidrs", "pod-cidrs", "tunnel-mtu"] {
        let row = list(&value, "side_by_side").iter().find(|row| row["aspect"] == aspect).unwrap();
        assert_eq!(row["agrees"], true, "{row}");
    }
    let (table, _, _) = shown(&node, &files, &["node"]);
    assert!(table.contains("flannel0 has no carrier: no process holds it"), "{table}");
    let (mtu, _, _) = shown(&node, &files, &["mtu"]);
    assert!(mtu.contains("outer headers     -28") && mtu.contains("tunnel flannel0   1472 fits"), "{mtu}");
    let (peers, code, _) = shown(&node, &files, &["peers"]);
    assert_eq!(
        (peers.as_str(), code),
        ("flannel0: UDP in user space, its peers are known to flanneld only\n", Some(0))
    );
}

/// Early flannel: the cluster's length on the tunnel's address, entries on demand, pods on docker's bridge.
#[test]
fn flannel_with_entries_on_demand() {
    let node = Node::new("demand1");
    node.ip("link add name flannel.1 mtu 1450 type vxlan id 1 dev u0 local 192.0.2.1 dstport 8472 nolearning l2miss l3miss
         addr add 10.42.36.0/16 dev flannel.1
         link set flannel.1 up");
    node.bridged_pod("10.42.36.1/24");
    let env = "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.36.1/24\nFLANNEL_MTU=1450\n";
    let files = HostRoot::new(&[("run/flannel/subnet.env", env.to_owned())]);
    is_well(&node, &files, "flannel, VXLAN (certain)");
    let value = document(&node, &files, "node");
    assert_eq!(
        list(&value["actual"]["data_planes"][0], "devices")[0]["peers"],
        json!(null),
        "not known before use"
    );
    assert_eq!(list(&value["actual"], "pod_cidrs")[0]["cidr"], "10.42.36.0/24");
    for aspect in ["cni", "cluster-cidrs", "pod-cidrs", "tunnel-mtu", "pod-mtu"] {
        let row = list(&value, "side_by_side").iter().find(|row| row["aspect"] == aspect).unwrap();
        assert_eq!(
            (&row["agrees"], &row["file"]),
            (&json!(true), &json!("/run/flannel/subnet.env")),
            "{row}"
        );
    }
    // A neighbour that was asked for.
    node.ip("neigh add 10.42.9.7 lladdr 0a:00:00:00:00:09 dev flannel.1 nud reachable");
    ns(node.name(), "bridge fdb add 0a:00:00:00:00:09 dev flannel.1 dst 192.0.2.9");
    let value = document(&node, &files, "peers");
    assert_eq!((list(&value, "peers").len(), list(&value, "holes").len()), (1, 0));
}
