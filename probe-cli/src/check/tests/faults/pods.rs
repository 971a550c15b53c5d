//! Faults of pods' networks that were found later.

use std::{collections::BTreeMap, sync::Arc};

use super::{Fault, canal, registered};
use crate::{
    check::testdata::Node,
    facts::{
        Bounded, OfNamespace,
        netlink::{
            BridgeFact, BridgeVlansFact, Ipv4Conf, LinkData, LinkFact, NamespaceFact, OperState, RouteFact,
            VlanRange,
        },
        network::{InsideFacts, PodNetwork},
        pods::{Attachment, PodFacts, Sandbox},
    },
    inventory::testdata::*,
    observed::Observed,
};

/// Path of the pod's namespace.
const NETNS: &str = "/var/run/netns/a-0";

/// All of them.
pub(super) fn all() -> Vec<Fault> {
    vec![
        canal("pod-network-missing", |node| asking(node, "storage, [x]", Vec::new())),
        canal("pod-unrouted", |node| {
            registered(node, &[("a-0", "cali20", "10.42.0.20"), ("b-0", "cali21", "10.42.0.21")]);
            node.facts().routes.retain(|route| route.destination != net("10.42.0.20/32"));
        }),
        canal("pod-interface-down", |node| set_down(node, 20)),
        canal("pod-interface-down", |node| {
            bridged_pods(node);
            set_down(node, 9);
        }),
        canal("pod-interface-down", |node| {
            asking(node, "", Vec::new());
            namespace(node).links[0].up = false;
        }),
        canal("dataplane-netem", |node| {
            asking(node, "", Vec::new());
            namespace(node).links[0].qdisc = Some("netem".to_owned());
        }),
        canal("pod-address-missing", |node| {
            asking(node, "", Vec::new());
            without_address(node);
        }),
        canal("mtu-path-smaller", |node| pod_told(node, "10.42.2.7", 552)),
        canal("pod-default-route-missing", |node| {
            asking(node, "", Vec::new());
            inside(node, Vec::new());
        }),
        Fault {
            base: Node::canal,
            raises: "pod-gateway-unreachable",
            with: &[],
            change: |node| {
                with_gateway(node);
                node.facts()
                    .links
                    .iter_mut()
                    .filter(|link| link.ifindex == 20)
                    .for_each(|link| link.master = None);
            },
        },
        Fault {
            base: Node::rke2_flannel,
            raises: "pod-gateway-unreachable",
            with: &[],
            change: |node| {
                with_gateway(node);
                node.facts().addresses.retain(|own| own.ifindex != 9);
            },
        },
        canal("pod-gateway-unanswered", |node| {
            asking(node, "", Vec::new());
            node.ipv4_conf(20, Ipv4Conf { forwarding: 1, ..Ipv4Conf::default() });
            node.ipv4_conf(21, Ipv4Conf { forwarding: 1, proxy_arp: 1, ..Ipv4Conf::default() });
        }),
        canal("pod-parent-down", |node| above(node, false)),
        canal("pod-vlan-without-uplink", |node| bridged(node, &[1])),
    ]
}

/// Sets a device down.
fn set_down(node: &mut Node, ifindex: u32) {
    for link in node.facts().links.iter_mut().filter(|link| link.ifindex == ifindex) {
        (link.up, link.oper_state) = (false, Some(OperState::Down));
    }
}

/// The first pod's veth is a port of a bridge.
pub(in crate::check::tests) fn bridged_pods(node: &mut Node) {
    let bridge = LinkFact { kind: Some("bridge".to_owned()), mtu: 1450, ..ethernet(9, "cni0") };
    node.facts().links.push(bridge);
    for link in node.facts().links.iter_mut().filter(|link| link.ifindex == 20) {
        link.master = Some(9);
    }
}

/// The pod's gateway is the bridge of pods.
pub(in crate::check::tests) fn with_gateway(node: &mut Node) {
    asking(node, "", Vec::new());
    if node.facts().links.iter().all(|link| link.ifindex != 9) {
        bridged_pods(node);
        node.facts().addresses.push(address(9, "10.42.0.1/24"));
        node.network().sysctls.bridge_nf_call_iptables = Observed::Value(1);
    }
    let end = node.facts().links.iter().find(|link| link.ifindex == 20).map(|link| link.name.clone());
    let pods = Arc::make_mut(&mut node.snapshot.pods);
    pods.attachments[0].host_ifnames = end.into_iter().collect();
    namespace(node).addresses = vec![address(2, "10.42.0.20/24")];
    inside(node, vec![route("0.0.0.0/0", Some("10.42.0.1"), 2)]);
}

/// What is in the pod's namespace.
fn namespace(node: &mut Node) -> &mut NamespaceFact {
    match Arc::make_mut(&mut node.snapshot.namespaces).first_mut().map(|of| &mut of.told) {
        Some(Observed::Value(namespace)) => namespace,
        other => panic!("{other:?}"),
    }
}

/// The pod has lost its address.
pub(in crate::check::tests) fn without_address(node: &mut Node) {
    namespace(node).addresses.clear();
}

/// The pod was told a path MTU.
pub(in crate::check::tests) fn pod_told(node: &mut Node, destination: &str, mtu: u32) {
    asking(node, "", Vec::new());
    if let Observed::Value(inside) = &mut Arc::make_mut(&mut node.snapshot.inside)[0].told {
        let rows = vec![learned(destination, mtu)];
        inside.pmtu_ipv4 = Observed::Value(Bounded { rows, ..Bounded::default() });
    }
}

/// The pod's IPv4 routes.
pub(in crate::check::tests) fn inside(node: &mut Node, routes: Vec<RouteFact>) {
    let inside = InsideFacts {
        routes_ipv4: Observed::Value(Bounded { rows: routes, ..Bounded::default() }),
        routes_ipv6: Observed::Value(Bounded::default()),
        ..InsideFacts::default()
    };
    node.snapshot.inside =
        Arc::new(vec![PodNetwork { path: NETNS.to_owned(), told: Observed::Value(inside) }]);
}

/// A pod that asks for networks, with eth0 and these links.
pub(in crate::check::tests) fn asking(node: &mut Node, networks: &str, more: Vec<LinkFact>) {
    let sandbox = Sandbox {
        id: "sandbox-1".to_owned(),
        namespace: "shop".to_owned(),
        name: "a-0".to_owned(),
        ready: true,
        addresses: vec![ip("10.42.0.20")],
        netns: Some(NETNS.to_owned()),
        annotations: BTreeMap::from([("k8s.v1.cni.cncf.io/networks".to_owned(), networks.to_owned())]),
        ..Sandbox::default()
    };
    let result = |ifname: &str| Attachment {
        container_id: "sandbox-1".to_owned(),
        namespace: "shop".to_owned(),
        pod: "a-0".to_owned(),
        network: "k8s-pod-network".to_owned(),
        ifname: ifname.to_owned(),
        netns: Some(NETNS.to_owned()),
        ..Attachment::default()
    };
    let pods = PodFacts {
        sandboxes: Observed::Value(vec![sandbox]),
        // containerd has libcni put up the loopback interface, whose result is kept as well.
        attachments: vec![result("eth0"), result("lo")],
        ..(*node.snapshot.pods).clone()
    };
    node.snapshot.pods = Arc::new(pods);
    let eth0 = LinkFact {
        kind: Some("veth".to_owned()),
        link: Some(20),
        link_netns: Some(0),
        ..ethernet(2, "eth0")
    };
    let links = [eth0].into_iter().chain(more).collect();
    let namespace = NamespaceFact {
        path: NETNS.to_owned(),
        node_nsid: Some(0),
        links,
        addresses: vec![address(2, "10.42.0.20/32")],
        ..NamespaceFact::default()
    };
    node.snapshot.namespaces =
        Arc::new(vec![OfNamespace { path: NETNS.to_owned(), told: Observed::Value(namespace) }]);
    inside(node, vec![route("0.0.0.0/0", Some("169.254.1.1"), 2)]);
}

/// A pod with a macvlan interface above a device of the node that the overlay does not use.
pub(in crate::check::tests) fn above(node: &mut Node, is_up: bool) {
    let net1 = LinkFact {
        kind: Some("macvlan".to_owned()),
        link: Some(9),
        link_netns: Some(0),
        ..ethernet(3, "net1")
    };
    asking(node, "storage", vec![net1]);
    let bond = LinkFact { up: is_up, kind: Some("bond".to_owned()), ..ethernet(9, "bond1") };
    node.facts().links.push(bond);
}

/// A pod in VLAN 100 on a bridge whose uplink has these VLANs.
pub(in crate::check::tests) fn bridged(node: &mut Node, uplink: &[u16]) {
    const BRIDGE: u32 = 60;
    let filters = BridgeFact { vlan_filtering: true, default_pvid: Some(1), ..BridgeFact::default() };
    let links = [
        LinkFact {
            kind: Some("bridge".to_owned()),
            data: Some(LinkData::Bridge(filters)),
            ..ethernet(BRIDGE, "br-vlan")
        },
        LinkFact { master: Some(BRIDGE), link_netns: Some(7), ..pod_veth(61, "veth61") },
        LinkFact { master: Some(BRIDGE), ..ethernet(9, "eth1") },
    ];
    node.facts().links.extend(links);
    let vlan = |id: u16, is_pvid| VlanRange { first: id, last: id, is_pvid, is_untagged: is_pvid };
    let of = |ifindex, vlans| BridgeVlansFact { ifindex, bridge: Some(BRIDGE), vlans };
    let rows = vec![
        of(BRIDGE, vec![vlan(1, true)]),
        of(61, vec![vlan(100, true)]),
        of(9, uplink.iter().map(|id| vlan(*id, *id == 1)).collect()),
    ];
    node.network().bridge_vlans = Observed::Value(Bounded { rows, ..Bounded::default() });
}
