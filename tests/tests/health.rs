//! What breaks while a node is watched is said: devices that go or are set down, an MTU that becomes too small, entries that are
//! missing for a peer. And nothing is said of a node where nothing is wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what must hold by panicking")]

use overlay_probe::lab::Family;
use probe_tests::{
    lab::{TestLab, TestNetns},
    ns,
    tool::{Watch, entry},
};
use serde_json::Value;

fn notes(value: &Value) -> Vec<&str> {
    value["notes"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

/// Waits for a note with these words, and gives what was said with it.
fn noted(watch: &Watch, words: &str) -> Value {
    watch.until(words, |value| notes(value).iter().any(|note| note.contains(words)).then(|| value.clone()))
}

/// Waits until nothing is wrong.
fn well(watch: &Watch) {
    watch.until("no note", |value| {
        let states = ["tunnels", "peers"].into_iter().flat_map(|list| value[list].as_array().unwrap());
        let is_ok = |state: &Value| state["state"] == "ok" || state["other"] == true;
        (notes(value).is_empty() && states.into_iter().all(is_ok)).then_some(())
    });
}

fn state(value: &Value, list: &str, field: &str, name: &str) -> String {
    let entry = entry(value, list, &[(field, name)]).unwrap_or_else(|| panic!("no {name} in {value}"));
    entry["state"].as_str().unwrap().to_owned()
}

#[test]
fn what_breaks_is_said_and_what_is_mended_is_not() {
    let lab = TestLab::up(2, 1, Family::V4);
    let node = lab.node(1);
    let watch = Watch::start(&node);
    well(&watch);

    ns(&node, "ip link set eth0 mtu 1400");
    let value = noted(&watch, "packets over 1350 bytes leave in fragments or are dropped");
    assert_eq!(state(&value, "tunnels", "name", "flannel.1"), "too-big");
    ns(&node, "ip link set eth0 mtu 1500");
    well(&watch);

    // `10.42.2.0/24 via 10.42.2.0 dev flannel.1 onlink`
    let route = ns(&node, "ip route show dev flannel.1 10.42.2.0/24");
    ns(&node, "ip route del 10.42.2.0/24 dev flannel.1");
    let value = noted(&watch, "no route leads to 172.31.77.2");
    assert_eq!(state(&value, "peers", "node_address", "172.31.77.2"), "no-route");
    let route = route.replace(" onlink", "");
    ns(&node, &format!("ip route add {} dev flannel.1 onlink", route.trim()));
    well(&watch);

    let neighbour = ns(&node, "ip neigh show 10.42.2.0 dev flannel.1");
    let mac = neighbour.split_whitespace().find(|word| word.contains(':')).unwrap().to_owned();
    ns(&node, "ip neigh del 10.42.2.0 dev flannel.1");
    let value = noted(&watch, "has no neighbour entry for its gateway");
    assert_eq!(state(&value, "peers", "node_address", "172.31.77.2"), "no-neighbour");
    ns(&node, &format!("ip neigh replace 10.42.2.0 lladdr {mac} dev flannel.1 nud permanent"));
    well(&watch);

    ns(&node, &format!("bridge fdb del {mac} dev flannel.1 dst 172.31.77.2 self"));
    let value = noted(&watch, "has no FDB entry");
    assert_eq!(state(&value, "peers", "key", &mac), "no-fdb");
    ns(&node, &format!("bridge fdb append {mac} dev flannel.1 dst 172.31.77.2 self permanent"));
    well(&watch);

    ns(&node, "ip link set eth0 down");
    let value = noted(&watch, "eth0 is down: outer packets of flannel.1 cannot leave");
    assert_eq!(state(&value, "tunnels", "name", "flannel.1"), "underlay-down");
    assert_eq!(state(&value, "peers", "node_address", "172.31.77.2"), "underlay-down");
    ns(&node, "ip link set eth0 up");
    well(&watch);

    ns(&node, "ip link set flannel.1 down");
    let value = noted(&watch, "flannel.1 is down: it carries no packets");
    assert_eq!(state(&value, "tunnels", "name", "flannel.1"), "down");

    // As an agent makes it that is stopped before it writes the entries.
    let made_again =
        "ip link add flannel.1 type vxlan id 1 dev eth0 local 172.31.77.1 dstport 8472 nolearning";
    for command in ["ip link del flannel.1", made_again, "ip link set flannel.1 up"] {
        ns(&node, command);
    }
    let value = noted(&watch, "flannel.1 was deleted and made again without its routes");
    assert_eq!(state(&value, "tunnels", "name", "flannel.1"), "no-route");

    ns(&node, "ip link del flannel.1");
    let value = noted(&watch, "flannel.1 is gone");
    assert!(
        notes(&value).iter().any(|note| note.contains("no VXLAN or WireGuard device is left")),
        "{value}"
    );
    assert_eq!(value["tunnels"].as_array().unwrap().len(), 0, "documents list what exists");
}

#[test]
fn a_device_below_without_a_carrier_is_said_without_waiting_for_a_dump() {
    let node = TestNetns::new("carrier");
    // Its other end plays the switch.
    ns(node.name(), "ip link add nic0 type veth peer name switch");
    ns(node.name(), "ip addr add 192.0.2.1/24 dev nic0");
    ns(node.name(), "ip link set nic0 up");
    ns(node.name(), "ip link set switch up");
    ns(node.name(), "ip link add vx0 type vxlan id 7 dev nic0 dstport 4789");
    ns(node.name(), "ip link set vx0 up");
    let watch = Watch::start(node.name());
    well(&watch);
    ns(node.name(), "ip link set switch down");
    noted(&watch, "nic0 has no carrier: outer packets of vx0 cannot leave");
    ns(node.name(), "ip link set switch up");
    well(&watch);
}
