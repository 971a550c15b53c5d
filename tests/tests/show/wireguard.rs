//! Data planes over real WireGuard, held against `wg`.

use std::collections::BTreeMap;

use overlay_probe::lab::{Dataplane, Family, LabOptions, send};
use probe_tests::{
    lab::TestLab,
    needs,
    node::Node,
    ns,
    tool::{NOBODY, with_privileges},
    wait_for,
};
use serde_json::{Value, json};

use super::{judge, list, planes::planes, show, table, text};

fn lab(dataplane: Dataplane) -> TestLab {
    TestLab::with(&LabOptions { nodes: 3, pods: 2, family: Family::Dual, dataplane, ..LabOptions::default() })
}

/// The peers of a device by public key, as `wg` has them: endpoint, allowed IPs, last handshake.
fn dump(node: &str, device: &str) -> BTreeMap<String, (String, String, u64)> {
    ns(node, &format!("wg show {device} dump"))
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            (cells[0].to_owned(), (cells[2].to_owned(), cells[3].to_owned(), cells[4].parse().unwrap()))
        })
        .collect()
}

#[test]
fn canal_over_wireguard() {
    needs!(Wireguard);
    let lab = lab(Dataplane::Wireguard);
    let node = lab.node(1);
    let value = show(&node, "node");
    let [plane] = list(&value["actual"], "data_planes") else { panic!("{value}") };
    assert_eq!(
        (text(plane, "system"), text(plane, "encapsulation"), text(plane, "certainty")),
        ("canal", "wireguard", "certain")
    );
    assert_eq!(plane["families"], json!([4, 6]));

    let (from, to) = (lab.pod(1, 1), lab.pod(2, 1));
    send::send_udp(&from, &to, lab.address(2, 1, false), 1, 10).unwrap();
    wait_for("a handshake", || {
        dump(&node, "flannel-wg").values().any(|(_, _, handshake)| *handshake > 0).then_some(())
    });
    let value = show(&node, "peers");
    for device in ["flannel-wg", "flannel-wg-v6"] {
        let judged = dump(&node, device);
        let shown: Vec<_> = list(&value, "peers").iter().filter(|p| text(p, "tunnel") == device).collect();
        assert_eq!(shown.len(), judged.len());
        for peer in shown {
            let (endpoint, allowed, handshake) = &judged[text(peer, "key")];
            assert_eq!(text(&peer["wireguard"], "endpoint"), endpoint);
            assert_eq!(peer["pod_cidrs"], json!(allowed.split(',').collect::<Vec<_>>()));
            assert_eq!(text(&peer["wireguard"], "handshake") == "done", *handshake > 0);
            assert_eq!(peer["wireguard"]["handshake_age_s"].is_u64(), *handshake > 0);
            assert_eq!(peer["last_tx_age_s"], Value::Null);
        }
    }
    let mtu = show(&node, "mtu");
    let paths = list(&mtu, "paths").iter();
    let of = |path: &Value| {
        (text(path, "device").to_owned(), path["overhead"].clone(), path["most"].clone(), path["fit"].clone())
    };
    let unused = json!({ "verdict": "unused", "bytes": 20 });
    assert_eq!(
        paths.map(of).collect::<Vec<_>>(),
        [
            ("flannel-wg".to_owned(), json!(60), json!(1440), unused),
            ("flannel-wg-v6".to_owned(), json!(80), json!(1420), json!({ "verdict": "fits" })),
        ]
    );
    assert!(table(&node, "peers").contains("flannel-wg: WireGuard, 2 peers"));

    // Who may not ask WireGuard is told so, and sees the rest.
    let output = with_privileges(&node, &NOBODY, &["show", "node", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [plane] = list(&value["actual"], "data_planes") else { panic!("{value}") };
    assert_eq!((&plane["system"], &plane["devices"][0]["peers"]), (&json!("canal"), &Value::Null));
    let notes = value["notes"].to_string();
    assert!(notes.contains("needs CAP_NET_ADMIN to list WireGuard peers"), "{notes}");
}

#[test]
fn a_cluster_halfway_shows_both() {
    needs!(Wireguard);
    let lab = lab(Dataplane::Both);
    let node = lab.node(1);
    let value = show(&node, "node");
    let planes = list(&value["actual"], "data_planes");
    let summary: Vec<_> = planes
        .iter()
        .map(|plane| (text(plane, "system"), text(plane, "encapsulation"), plane["stale"] == true))
        .collect();
    assert_eq!(summary, [("canal", "wireguard", false), ("canal", "vxlan", true)]);
    // Node 3 is reached by WireGuard, node 2 by VXLAN only.
    let device = |plane: &Value, name: &str| {
        list(plane, "devices").iter().find(|device| text(device, "name") == name).unwrap().clone()
    };
    let specific = json!({ "why": "more-specific", "than": "flannel-wg", "routes": 1, "with_peer": 0 });
    assert_eq!(device(&planes[1], "flannel.1")["stale"], specific);
    let bypassed = json!({ "by": "flannel.1", "routes": 1, "with_peer": 0 });
    assert_eq!(device(&planes[0], "flannel-wg")["bypassed"], bypassed);

    // The stale route to a node that WireGuard has a peer for: nothing of it is encrypted.
    ns(&node, "ip route add 10.42.3.0/24 via 10.42.3.0 dev flannel.1 onlink");
    let value = show(&node, "node");
    let specific = json!({ "why": "more-specific", "than": "flannel-wg", "routes": 2, "with_peer": 1 });
    let planes = list(&value["actual"], "data_planes");
    assert_eq!(device(&planes[1], "flannel.1")["stale"], specific);
    // When all of VXLAN's entries are gone the switch is done, and the device is only stale.
    for device in ["flannel.1", "flannel-v6.1"] {
        ns(&node, &format!("ip link set {device} down"));
        for entry in judge(&node, &format!("bridge -j fdb show dev {device}")) {
            if let (Some(mac), Some(node_address)) = (entry["mac"].as_str(), entry["dst"].as_str()) {
                ns(&node, &format!("bridge fdb del {mac} dev {device} dst {node_address}"));
            }
        }
    }
    let value = show(&node, "node");
    let planes = list(&value["actual"], "data_planes");
    let idle = json!({ "why": "idle", "carried_by": "flannel-wg" });
    assert_eq!(device(&planes[1], "flannel.1")["stale"], idle);
    assert_eq!(device(&planes[0], "flannel-wg")["bypassed"], Value::Null);
    let shown = table(&node, "node");
    assert!(shown.contains("flannel.1 is probably stale"), "{shown}");
}

#[test]
fn calico_leads_to_wireguard_by_a_rule() {
    needs!(Wireguard);
    let node = Node::new("calicowg");
    node.ip("link add name wireguard.cali mtu 1440 type wireguard
         addr add 10.42.0.66/32 dev wireguard.cali
         link set wireguard.cali up
         route add blackhole 10.42.0.64/26 proto 80
         route add 10.42.2.128/26 dev wireguard.cali table 1
         rule add not fwmark 0x100000/0x100000 table 1 priority 99");
    let key = ns(node.name(), "wg genkey");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &key).unwrap();
    let path = file.path().display();
    ns(node.name(), &format!("wg set wireguard.cali private-key {path} listen-port 51820 fwmark 0x100000"));
    node.calico_pod("10.42.0.67");
    let found = planes(&node);
    let [plane] = found.as_slice() else { panic!("{found:?}") };
    let known = (plane.system.as_str(), plane.encapsulation.as_str(), &plane.certainty);
    assert_eq!(known, ("calico", "wireguard", &json!("certain")));
    assert_eq!(plane.devices, [("wireguard.cali".to_owned(), Value::Null)]);

    // Without the rule the device's address in a Calico block still tells; without the block only the name is left.
    node.ip("rule del not fwmark 0x100000/0x100000 table 1 priority 99");
    assert_eq!(planes(&node)[0].certainty, json!("certain"));
    node.ip("route del blackhole 10.42.0.64/26 proto 80");
    assert_eq!(planes(&node)[0].certainty, json!("likely"));
}
