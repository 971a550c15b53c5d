//! `show mtu --if`: what is said to come of a change is compared with the same change really made, and with a lab that was built so.

use overlay_probe::lab::{Dataplane, Family, LabOptions};
use probe_tests::{lab::TestLab, needs, ns, tool::run};
use serde_json::{Value, json};

use super::{judge, list, show, text};

/// What comes of a change, as the tool says before it is made.
fn planned(netns: &str, changes: &[&str]) -> Value {
    let options: Vec<&str> = changes.iter().flat_map(|change| ["--if", change]).collect();
    let output = run(&[&["--netns", netns, "show", "mtu", "--format", "json"], options.as_slice()].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""), "{changes:?}");
    let mut value: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Nothing was changed.
    assert_eq!(value["paths"], show(netns, "mtu")["paths"]);
    value["planned"].take()
}

/// Paths by device, without the interface index, which a device that is not there yet has not.
fn budget(paths: &Value) -> Vec<Value> {
    let mut paths = paths.as_array().unwrap().clone();
    for path in &mut paths {
        path.as_object_mut().unwrap().remove("ifindex");
    }
    paths.sort_by_key(|path| path["device"].to_string());
    paths
}

/// The budget as the tool finds it.
fn now(netns: &str) -> Vec<Value> {
    budget(&show(netns, "mtu")["paths"])
}

/// The value of a key in what is to be set.
fn set<'a>(planned: &'a Value, key: &str) -> &'a Value {
    let values = list(&planned["settings"], "values");
    values.iter().find(|value| value["key"] == key).map_or(&Value::Null, |value| &value["value"])
}

fn kinds(planned: &Value) -> Vec<&str> {
    list(planned, "breaks").iter().map(|broken| text(broken, "kind")).collect()
}

/// Gives pods' interfaces another MTU, as if they were recreated with it.
fn recreate_pods(node: &str, mtu: &str) {
    for link in judge(node, "ip -j link show type veth") {
        let name = text(&link, "ifname");
        if name.starts_with("cali") {
            ns(node, &format!("ip link set {name} mtu {mtu}"));
        }
    }
}

#[test]
fn another_mtu_below_the_tunnel() {
    let lab = TestLab::up(2, 2, Family::Dual);
    let node = lab.node(1);
    let smaller = planned(&node, &["underlay=1400"]);
    assert_eq!(
        kinds(&smaller),
        ["tunnel-too-big", "pods-too-big", "tunnel-too-big", "pods-too-big"],
        "{smaller}"
    );
    ns(&node, "ip link set eth0 mtu 1400");
    assert_eq!(budget(&smaller["after"]), now(&node));

    // What it says to do is enough, and exactly enough.
    let steps = list(&smaller, "steps").iter().map(|step| step.as_str().unwrap());
    let commands =
        steps.filter_map(|step| step.split_once(": ip ")).flat_map(|(_, commands)| commands.split("; "));
    for command in commands {
        ns(&node, &format!("ip {}", command.trim_start_matches("ip ")));
    }
    let pods = set(&smaller, "calico.vethuMTU").as_str().unwrap();
    recreate_pods(&node, pods);
    assert_eq!(budget(&smaller["settled"]), now(&node));
    let built = TestLab::with(&LabOptions { nodes: 2, pods: 2, underlay_mtu: 1400, ..LabOptions::default() });
    assert_eq!(now(&built.node(1)), now(&node), "what a lab is built with from the start");

    let jumbo = planned(&node, &["underlay=9000"]);
    assert_eq!(kinds(&jumbo), Vec::<&str>::new(), "{jumbo}");
    ns(&node, "ip link set eth0 mtu 9000");
    assert_eq!(budget(&jumbo["after"]), now(&node));
    assert_eq!(set(&jumbo, "calico.vethuMTU"), "8930");
}

#[test]
fn other_families() {
    let [ipv4, dual] = [Family::V4, Family::Dual].map(|family| TestLab::up(2, 2, family));
    let one = planned(&ipv4.node(1), &["family=dual"]);
    // Its pods have 1450 bytes, which VXLAN over IPv6 does not leave; and the node has no IPv6 address.
    assert_eq!(kinds(&one), ["no-address", "pods-too-big"], "{one}");
    assert_eq!(set(&one, "calico.vethuMTU"), "1430");
    assert_eq!(budget(&one["settled"]), now(&dual.node(1)));
    recreate_pods(&dual.node(1), "1450");
    assert_eq!(budget(&one["after"]), now(&dual.node(1)));

    let back = planned(&dual.node(1), &["family=ipv4"]);
    assert_eq!(kinds(&back), Vec::<&str>::new(), "{back}");
    assert_eq!(budget(&back["settled"]), now(&ipv4.node(1)));
}

/// flannel's host-gw: routes by the other nodes' addresses.
#[test]
fn no_tunnel() {
    let lab = TestLab::up(2, 2, Family::V4);
    let node = lab.node(1);
    let direct = planned(&node, &["backend=host-gw"]);
    assert_eq!(kinds(&direct), ["backends-differ"], "{direct}");
    assert_eq!(set(&direct, "flannel.backend"), "host-gw");
    ns(&node, "ip link delete flannel.1");
    ns(&node, "ip route add 10.42.2.0/24 via 172.31.77.2");
    assert_eq!(budget(&direct["after"]), now(&node));
    recreate_pods(&node, set(&direct, "calico.vethuMTU").as_str().unwrap());
    assert_eq!(budget(&direct["settled"]), now(&node));

    // And back.
    let wrapped = planned(&node, &["backend=vxlan"]);
    assert_eq!(kinds(&wrapped), ["pods-too-big", "backends-differ"], "{wrapped}");
    let built = TestLab::up(2, 2, Family::V4);
    assert_eq!(budget(&wrapped["settled"]), now(&built.node(1)));
}

#[test]
fn wireguard_instead_of_vxlan() {
    needs!(Wireguard);
    let built =
        |dataplane| TestLab::with(&LabOptions { nodes: 2, pods: 2, dataplane, ..LabOptions::default() });
    let (vxlan, wireguard) = (built(Dataplane::Vxlan), built(Dataplane::Wireguard));
    let switched = planned(&vxlan.node(1), &["backend=wireguard"]);
    assert_eq!(kinds(&switched), ["pods-too-big", "pods-too-big", "backends-differ"], "{switched}");
    assert_eq!(set(&switched, "flannel.backend"), "wireguard");
    assert_eq!(budget(&switched["settled"]), now(&wireguard.node(1)));
    recreate_pods(&wireguard.node(1), "1430");
    assert_eq!(budget(&switched["after"]), now(&wireguard.node(1)));

    let back = planned(&wireguard.node(1), &["backend=vxlan"]);
    assert_eq!(budget(&back["settled"]), now(&vxlan.node(1)));
}

#[test]
fn what_is_no_change_is_refused() {
    let lab = TestLab::up(1, 1, Family::V4);
    for word in ["backend=geneve", "underlay=100", "mtu", "family="] {
        let output = run(&["--netns", &lab.node(1), "show", "mtu", "--if", word]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{word}: {said}");
        assert!(said.contains("give one of backend=vxlan|wireguard|host-gw|ipip"), "{said}");
    }
    // The only node of a cluster has a budget, too.
    assert_eq!(set(&planned(&lab.node(1), &["underlay=9000"]), "calico.vethuMTU"), &json!("8950"));
}

/// `check --for wireguard` on a node of which nothing is wrong.
#[test]
fn a_switch_is_checked_before_it_is_made() {
    let lab = TestLab::up(2, 2, Family::Dual);
    let node = lab.node(1);
    let mut options = vec!["--netns", &node, "check", "--window", "50ms", "--format", "json"];
    let judge = |options: &[&str]| {
        let document: Value = serde_json::from_slice(&run(options).stdout).unwrap();
        let ids = list(&document, "findings").iter().map(|finding| text(finding, "id").to_owned());
        (ids.collect::<Vec<_>>(), document)
    };
    let (before, document) = judge(&options);
    assert!(before.is_empty(), "{document}");
    // Somebody's own device has WireGuard's port.
    ns(&node, "ip link add vpn0 type vxlan id 9 dev eth0 dstport 51820");
    ns(&node, "ip link set vpn0 up");
    options.extend(["--for", "wireguard", "--only", "wireguard-port-taken,mtu-planned-exceeded"]);
    // Without the node's files nothing is known of what new pods get.
    let (found, document) = judge(&options);
    assert_eq!(found, ["wireguard-port-taken"], "{document}");
    assert_eq!(document["not_judged"][0]["id"], "mtu-planned-exceeded", "{document}");
    let files = tempfile::TempDir::new().unwrap();
    let mut copy = lab.lab.clone();
    overlay_probe::lab::files::install(&mut copy, files.path()).unwrap();
    let root = files.path().join(&node);
    options.extend(["--host-root", root.to_str().unwrap()]);
    let (found, document) = judge(&options);
    assert_eq!(found, ["mtu-planned-exceeded", "wireguard-port-taken"], "{document}");
    let summary = "New pods get an MTU of 1430; after the switch 1420 fit.";
    let findings = list(&document, "findings");
    assert!(findings.iter().any(|finding| text(finding, "summary") == summary), "{document}");
}
