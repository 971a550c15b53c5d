//! Data planes made by hand as their systems make them.

use probe_tests::{needs, node::Node};
use serde_json::{Value, json};

use super::{judge, list, show, table, text};

/// A data plane, as it is shown.
#[derive(Debug)]
pub(super) struct Plane {
    pub(super) system: String,
    pub(super) encapsulation: String,
    pub(super) certainty: Value,
    /// Names, and why each is stale.
    pub(super) devices: Vec<(String, Value)>,
}

/// A node's data planes.
pub(super) fn planes(node: &Node) -> Vec<Plane> {
    let value = show(node.name(), "node");
    let planes = list(&value["actual"], "data_planes").iter();
    planes
        .map(|plane| {
            let devices = list(plane, "devices").iter();
            Plane {
                system: text(plane, "system").to_owned(),
                encapsulation: text(plane, "encapsulation").to_owned(),
                certainty: plane["certainty"].clone(),
                devices: devices.map(|d| (text(d, "name").to_owned(), d["stale"].clone())).collect(),
            }
        })
        .collect()
}

/// The only plane, in words.
fn plane(node: &Node) -> String {
    let planes = planes(node);
    let [plane] = planes.as_slice() else { panic!("{planes:?}") };
    let names: Vec<_> = plane.devices.iter().map(|(name, _)| name.as_str()).collect();
    let certainty = plane.certainty.as_str().unwrap_or("-");
    format!("{} {} {certainty} {}", plane.system, plane.encapsulation, names.join(" "))
}

/// The peers by device, address and networks.
fn peers(node: &Node) -> Vec<String> {
    let value = show(node.name(), "peers");
    list(&value, "peers")
        .iter()
        .map(|peer| format!("{} {} {}", text(peer, "tunnel"), text(peer, "node_address"), peer["pod_cidrs"]))
        .collect()
}

#[test]
fn rke2_flannel() {
    let node = Node::new("rkeflannel");
    node.flannel("flannel.4096", 4096, 4789);
    assert_eq!(plane(&node), "rke2-flannel vxlan certain flannel.4096");
    assert_eq!(peers(&node), ["flannel.4096 192.0.2.2 [\"10.42.1.0/24\"]"]);
    let value = show(node.name(), "node");
    let own = &list(&value["actual"], "pod_cidrs")[0];
    assert_eq!((text(own, "cidr"), text(own, "source")), ("10.42.0.0/24", "bridge"));
    assert_eq!(value["actual"]["pod_interfaces"], 1);
    let links = show(node.name(), "links");
    let of = |name: &str| list(&links, "links").iter().find(|link| link["name"] == name).unwrap().clone();
    assert_eq!(
        (of("cni0")["roles"].clone(), of("veth1a2b3c4d")["roles"].clone()),
        (json!(["pod-bridge"]), json!(["pod"]))
    );
    assert_eq!(of("veth1a2b3c4d")["master"], "cni0");
    // The pod on the bridge is compared, too, though no address of it is known.
    let mtu = show(node.name(), "mtu");
    let pods = &list(&mtu["paths"][0], "pods")[0];
    assert_eq!((&pods["mtu"], &pods["fit"]), (&json!(1450), &json!({ "verdict": "fits" })));
}

#[test]
fn k3s_flannel_and_a_stale_device_beside_it() {
    let node = Node::new("k3s");
    node.flannel("flannel.1", 1, 8472);
    assert_eq!(plane(&node), "flannel vxlan certain flannel.1");

    // What Calico left when it was replaced.
    node.ip("link add name vxlan.calico type vxlan id 4096 dev u0 local 192.0.2.1 dstport 4789 nolearning
         link set vxlan.calico up");
    let planes = planes(&node);
    let idle = json!({ "why": "idle", "carried_by": "flannel.1" });
    assert_eq!(planes.len(), 2, "{planes:?}");
    assert_eq!(planes[0].devices, [("flannel.1".to_owned(), Value::Null)]);
    assert_eq!((planes[1].system.as_str(), &planes[1].certainty), ("calico", &json!("likely")));
    assert_eq!(planes[1].devices, [("vxlan.calico".to_owned(), idle)]);
    let shown = table(node.name(), "node");
    assert!(shown.contains("vxlan.calico is probably stale"), "{shown}");
}

#[test]
fn calico_vxlan() {
    let node = Node::new("calico");
    node.calico_vxlan();
    node.calico_pod("10.42.0.66");
    assert_eq!(plane(&node), "calico vxlan certain vxlan.calico");
    assert_eq!(peers(&node), ["vxlan.calico 192.0.2.2 [\"10.42.2.128/26\"]"]);
    let value = show(node.name(), "node");
    assert_eq!(list(&value["actual"], "pod_cidrs")[0]["cidr"], "10.42.0.64/26");
}

#[test]
fn host_gw() {
    let node = Node::new("hostgw");
    node.ip("route add blackhole 10.42.0.0/24
         route add 10.42.1.0/24 via 192.0.2.2 dev u0
         route add 10.42.2.0/24 via 192.0.2.3 dev u0");
    node.calico_pod("10.42.0.5");
    assert_eq!(plane(&node), "canal none likely u0");
    let routes = judge(node.name(), "ip -j route show via 192.0.2.3");
    assert_eq!(peers(&node)[1], format!("u0 192.0.2.3 [{}]", routes[0]["dst"]));
    let mtu = show(node.name(), "mtu");
    let path = &list(&mtu, "paths")[0];
    assert_eq!(
        (&path["device"], &path["overhead"], &path["carries"]),
        (&json!("u0"), &json!(0), &json!(1500))
    );
}

#[test]
fn cilium_and_calico_collect_metadata() {
    let cilium = Node::new("cilium");
    cilium.cilium_host("10.0");
    cilium.ip("route add 10.0.1.0/24 via 10.0.0.5 dev cilium_host src 10.0.0.5 mtu 1450
         link add name cilium_vxlan type vxlan external dstport 8472
         link set cilium_vxlan up");
    assert_eq!(plane(&cilium), "cilium vxlan certain cilium_vxlan");
    let path = &list(&show(cilium.name(), "mtu"), "paths")[0].clone();
    assert_eq!((&path["route_mtu"], &path["held_by_route"]), (&json!(1450), &json!(true)));
    assert_eq!(path["fit"], json!({ "verdict": "fits" }), "by the route, whatever the device has: {path}");

    let calico = Node::new("calicobpf");
    calico.ip("link add name vxlan.calico type vxlan external dstport 4789
         addr add 10.42.0.65/32 dev vxlan.calico
         link set vxlan.calico up
         route add 10.42.2.128/26 via 10.42.2.129 dev vxlan.calico onlink proto 80");
    assert_eq!(plane(&calico), "calico-ebpf vxlan certain vxlan.calico");
}

#[test]
fn an_overlay_of_unknown_origin() {
    let node = Node::new("unknown");
    node.ip("link add name flannel-wg type vxlan id 77 dev u0 local 192.0.2.1 dstport 4790 nolearning
         link set flannel-wg up");
    assert_eq!(plane(&node), "unknown vxlan - flannel-wg", "a name decides nothing");
    assert!(table(node.name(), "node").contains("Overlay of unknown origin, VXLAN"));
}

#[test]
fn calico_ip_in_ip() {
    needs!(Ipip);
    let node = Node::new("ipip");
    // The module makes it in every namespace.
    let made = judge(node.name(), "ip -j link show type ipip");
    if made.is_empty() {
        node.ip("link add name tunl0 type ipip");
    }
    assert_eq!(list(&super::show_with_code(node.name(), "node").0["actual"], "data_planes"), &[] as &[Value]);
    node.ip("link set tunl0 up mtu 1480
         addr add 10.42.0.67/32 dev tunl0
         route add 10.42.2.128/26 via 192.0.2.2 dev tunl0 onlink proto bird
         route add blackhole 10.42.0.64/26 proto bird");
    node.calico_pod("10.42.0.68");
    assert_eq!(plane(&node), "calico ipip certain tunl0");
    assert_eq!(peers(&node), ["tunl0 192.0.2.2 [\"10.42.2.128/26\"]"]);
    let value = show(node.name(), "node");
    let tunnel = &list(&value["actual"], "tunnels")[0];
    assert_eq!((&tunnel["kind"], &tunnel["underlay"]["name"]), (&json!("ipip"), &json!("u0")));
    let path = &list(&show(node.name(), "mtu"), "paths")[0].clone();
    assert_eq!((&path["overhead"], &path["most"], &path["mtu"]), (&json!(20), &json!(1480), &json!(1480)));
}
