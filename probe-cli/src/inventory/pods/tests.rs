//! Pods as tables: what each source says, and what comes of it.

use std::sync::Arc;

use super::*;
use crate::inventory::{
    inventory,
    testdata::{joined, snapshot},
};
use crate::{
    facts::{
        netlink::{AddressFact, Facts, LinkData, LinkFact, RouteFact, RouteType, VlanFact},
        pods::{Attachment, AttachmentIpam, RegisteredPod, Sandbox},
    },
    inventory::{Inventory, PodInterface, calico_veth_name},
    observed::Observed,
};

const NSID: i32 = 4;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn link(ifindex: u32, name: &str, kind: &str) -> LinkFact {
    LinkFact {
        ifindex,
        name: name.to_owned(),
        kind: Some(kind.to_owned()),
        hardware_type: 1,
        mtu: 1450,
        up: true,
        ..LinkFact::default()
    }
}

/// A veth whose other end is `peer` in the namespace with number `nsid`.
fn veth(ifindex: u32, name: &str, nsid: i32, peer: u32) -> LinkFact {
    LinkFact { link: Some(peer), link_netns: Some(nsid), ..link(ifindex, name, "veth") }
}

fn route(address: &str, ifindex: u32) -> RouteFact {
    RouteFact {
        destination: ip(address).into(),
        gateway: None,
        ifindex: Some(ifindex),
        kind: RouteType::Unicast,
        metric: 0,
        mtu: None,
        source: None,
        protocol: 3,
    }
}

fn sandbox(id: &str, name: &str, address: &str) -> Sandbox {
    Sandbox {
        id: id.to_owned(),
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{id}"),
        ready: true,
        created_at: 1,
        addresses: vec![ip(address)],
        netns: Some(format!("/var/run/netns/cni-{id}")),
        ..Sandbox::default()
    }
}

fn attachment(id: &str, name: &str, ifname: &str, network: &str) -> Attachment {
    Attachment {
        container_id: id.to_owned(),
        namespace: "shop".to_owned(),
        pod: name.to_owned(),
        network: network.to_owned(),
        ifname: ifname.to_owned(),
        netns: Some(format!("/var/run/netns/cni-{id}")),
        ..Attachment::default()
    }
}

/// A pod's namespace with an `eth0` of index 2.
fn namespace(id: &str, nsid: Option<i32>) -> NamespaceFact {
    NamespaceFact {
        path: format!("/run/netns/cni-{id}"),
        nsid,
        node_nsid: Some(0),
        links: vec![
            LinkFact { hardware_type: libc::ARPHRD_LOOPBACK, ..link(1, "lo", "") },
            LinkFact { link: Some(10), link_netns: Some(0), ..link(2, "eth0", "veth") },
        ],
        addresses: Vec::new(),
    }
}

fn node(links: Vec<LinkFact>, routes: Vec<RouteFact>) -> Facts {
    Facts { links, routes: routes.into(), ..Facts::default() }
}

fn runtime(sandboxes: Vec<Sandbox>) -> PodFacts {
    PodFacts { sandboxes: Observed::Value(sandboxes), ..PodFacts::default() }
}

fn only(inventory: &Inventory) -> &Pod {
    let [pod] = inventory.pods.as_slice() else { panic!("{:?}", inventory.pods) };
    pod
}

#[test]
fn each_rule_finds_the_veth_and_the_strongest_is_believed() {
    let calico = calico_veth_name("shop", "cart-0");
    let with_result = Attachment {
        host_ifnames: vec!["cni0".to_owned(), "veth1".to_owned()],
        ..attachment("a", "cart-0", "eth0", "k8s-pod-network")
    };
    let cached =
        PodFacts { attachments: vec![with_result], ..runtime(vec![sandbox("a", "cart-0", "10.42.0.5")]) };
    let plain = runtime(vec![sandbox("a", "cart-0", "10.42.0.5")]);
    for (what, veths, routes, facts, nsid, expected) in [
        (
            "Calico",
            vec![veth(10, &calico, 9, 9), veth(11, "veth1", 9, 9)],
            vec![],
            &cached,
            None,
            Evidence::CalicoName,
        ),
        (
            "libcni",
            vec![link(9, "cni0", "bridge"), veth(10, "veth1", 9, 9)],
            vec![],
            &cached,
            None,
            Evidence::LibcniResult,
        ),
        (
            "peer",
            vec![veth(10, "x", NSID, 2), veth(11, "y", NSID, 3), veth(12, "z", 5, 2)],
            vec![],
            &plain,
            Some(NSID),
            Evidence::PeerIndex,
        ),
        ("route", vec![veth(10, "x", 9, 9)], vec![route("10.42.0.5", 10)], &plain, None, Evidence::Route),
    ] {
        let inventory = joined(&node(veths, routes), facts, &[namespace("a", nsid)]);
        let pod = inventory.pods.iter().find(|pod| pod.name.is_some()).unwrap();
        assert_eq!((pod.host_ifindex, pod.host_evidence), (Some(10), Some(expected)), "{what}");
        assert_eq!(pod.label(), "shop/cart-0");
        assert_eq!(pod.uid.as_deref(), Some("uid-a"));
    }
}

#[test]
fn a_weaker_rule_that_finds_another_veth_is_kept() {
    let calico = calico_veth_name("shop", "cart-0");
    let facts = node(vec![veth(10, &calico, NSID, 2), veth(11, "other", 7, 2)], vec![route("10.42.0.5", 11)]);
    let inventory = joined(&facts, &runtime(vec![sandbox("a", "cart-0", "10.42.0.5")]), &[]);
    let pod = inventory.pods.iter().find(|pod| pod.name.is_some()).unwrap();
    assert_eq!(pod.host_ifname.as_deref(), Some(calico.as_str()));
    let [other] = pod.disagreements.as_slice() else { panic!("{:?}", pod.disagreements) };
    assert_eq!(
        (other.about, other.evidence, other.says.as_str()),
        (Disputed::HostInterface, Evidence::Route, "other")
    );
    assert!(
        inventory.notes.iter().any(|note| note.contains("a route has host interface other")),
        "{:?}",
        inventory.notes
    );
}

#[test]
fn addresses_that_differ_are_all_known_and_told() {
    let cached = Attachment { addresses: vec![ip("10.42.0.9")], ..attachment("a", "cart-0", "eth0", "net") };
    let facts = PodFacts { attachments: vec![cached], ..runtime(vec![sandbox("a", "cart-0", "10.42.0.5")]) };
    let mut inside = namespace("a", Some(NSID));
    // A family that the runtime does not name is no contradiction.
    inside.addresses.push(AddressFact { ifindex: 2, address: "fd42::5/64".parse().unwrap(), global: true });
    inside.addresses.push(AddressFact { ifindex: 2, address: "fe80::5/64".parse().unwrap(), global: false });
    let inventory = joined(&node(vec![veth(10, "x", NSID, 2)], vec![]), &facts, &[inside]);
    let pod = only(&inventory);
    assert_eq!(pod.addresses, [ip("10.42.0.5"), ip("10.42.0.9"), ip("fd42::5")]);
    let [other] = pod.disagreements.as_slice() else { panic!("{:?}", pod.disagreements) };
    assert_eq!((other.evidence, other.says.as_str()), (Evidence::LibcniResult, "10.42.0.9"));
}

#[test]
fn two_pods_with_one_address() {
    let facts = runtime(vec![sandbox("a", "one", "10.42.0.5"), sandbox("b", "two", "10.42.0.5")]);
    let links = vec![veth(10, "x", NSID, 2), veth(11, "y", NSID + 1, 2)];
    let inside = [namespace("a", Some(NSID)), namespace("b", Some(NSID + 1))];
    let inventory = joined(&node(links, vec![]), &facts, &inside);
    assert_eq!(inventory.pods.len(), 2);
    let [note] = inventory.notes.as_slice() else { panic!("{:?}", inventory.notes) };
    assert!(note.starts_with("pods shop/one and shop/two both have the address 10.42.0.5"), "{note}");
}

#[test]
fn pods_on_the_nodes_network_have_no_addresses_of_their_own() {
    let host = Sandbox { host_network: true, ..sandbox("a", "proxy", "192.0.2.1") };
    let facts = node(vec![veth(10, "x", NSID, 2)], vec![route("192.0.2.1", 10)]);
    let inventory = joined(&facts, &runtime(vec![host]), &[]);
    let pod = inventory.pods.iter().find(|pod| pod.name.is_some()).unwrap();
    assert!(pod.host_network && pod.addresses.is_empty() && pod.host_ifindex.is_none(), "{pod:?}");
    assert!(inventory.pods.iter().any(|pod| pod.label() == "(x)"), "whose veth that is nobody knows");
}

#[test]
fn of_several_sandboxes_the_newest_that_is_ready() {
    let old = Sandbox { created_at: 1, ..sandbox("a", "db-0", "10.42.0.5") };
    let new = Sandbox { created_at: 2, ..sandbox("b", "db-0", "10.42.0.6") };
    let newest = Sandbox { created_at: 3, ready: false, ..sandbox("c", "db-0", "10.42.0.7") };
    let inventory = joined(&node(vec![], vec![]), &runtime(vec![new, newest, old]), &[]);
    assert_eq!(only(&inventory).uid.as_deref(), Some("uid-b"));
}

#[test]
fn without_a_runtime_the_cache_names_pods_that_are_there() {
    let facts = PodFacts {
        attachments: vec![
            attachment("old", "db-0", "eth0", "net"),
            attachment("new", "db-0", "eth0", "net"),
            attachment("gone", "cart-0", "eth0", "net"),
            Attachment { netns: None, ..attachment("bare", "cart-1", "eth0", "net") },
        ],
        ..PodFacts::default()
    };
    let inventory = joined(&node(vec![], vec![]), &facts, &[namespace("new", None)]);
    let pod = only(&inventory);
    assert_eq!((pod.label().as_str(), pod.source), ("shop/db-0", PodSource::Libcni));
    assert_eq!(pod.netns.as_deref(), Some("/var/run/netns/cni-new"));
    let [note] = inventory.notes.as_slice() else { panic!("{:?}", inventory.notes) };
    assert!(note.contains("names 2 sandbox(es) whose pods are gone"), "{note}");
}

#[test]
fn what_the_runtime_does_not_know_is_not_in_the_cache_either() {
    let attachments = vec![attachment("gone", "cart-0", "eth0", "net")];
    let facts = PodFacts { attachments, ..runtime(vec![]) };
    assert_eq!(joined(&node(vec![], vec![]), &facts, &[namespace("gone", None)]).pods, []);
}

#[test]
fn a_lab_pod_that_the_runtime_knows_is_there_once() {
    let registered = RegisteredPod {
        namespace: "shop".to_owned(),
        name: "cart-0".to_owned(),
        host_ifname: "x".to_owned(),
        ..RegisteredPod::default()
    };
    let facts =
        PodFacts { registered: vec![registered], ..runtime(vec![sandbox("a", "cart-0", "10.42.0.5")]) };
    assert_eq!(only(&joined(&node(vec![], vec![]), &facts, &[])).source, PodSource::Cri);
}

#[test]
fn secondary_interfaces_with_their_network_and_what_is_behind_them() {
    let mut inside = namespace("a", Some(NSID));
    inside.links.extend([
        // A macvlan on the node's eth1, a veth into the node's bridge, a vlan on the pod's own net1, a VF.
        LinkFact { link: Some(3), link_netns: Some(0), ..link(5, "net1", "macvlan") },
        LinkFact { link: Some(12), link_netns: Some(0), ..link(6, "net2", "veth") },
        LinkFact { link: Some(5), ..link(7, "net1.7", "vlan") },
        LinkFact { kind: None, parent_device: Some("0000:01:10.0".to_owned()), ..link(8, "net3", "") },
        // The kernel's own.
        LinkFact { up: false, ..link(9, "tunl0", "ipip") },
        // Behind it is another pod's.
        LinkFact { link: Some(3), link_netns: Some(8), ..link(10, "odd", "macvlan") },
    ]);
    inside.addresses.push(AddressFact { ifindex: 5, address: "192.0.2.9/24".parse().unwrap(), global: true });
    let bridged = LinkFact { master: Some(13), ..veth(12, "veth12", NSID, 6) };
    let links = vec![
        link(3, "eth1", ""),
        LinkFact { master: Some(13), ..veth(10, "x", NSID, 2) },
        bridged,
        link(13, "br7", "bridge"),
    ];
    let multus = Attachment {
        plugin: Some("multus".to_owned()),
        ..attachment("a", "cart-0", "net1", "multus-cni-network")
    };
    let ipam = AttachmentIpam { kind: "whereabouts".to_owned(), ..AttachmentIpam::default() };
    let storage = Attachment { ipam: Some(ipam.clone()), ..attachment("a", "cart-0", "net1", "storage") };
    let attachments = vec![multus, storage, attachment("a", "cart-0", "eth0", "pods")];
    let mut known = sandbox("a", "cart-0", "10.42.0.5");
    known.annotations.insert("k8s.v1.cni.cncf.io/networks".to_owned(), "storage, lan".to_owned());
    let facts = PodFacts { attachments, ..runtime(vec![known]) };
    let inventory = joined(&node(links, vec![]), &facts, &[inside]);
    let pod = only(&inventory);
    assert_eq!(pod.requested_networks.as_deref(), Some("storage, lan"));
    let rows: Vec<_> = pod
        .interfaces
        .iter()
        .map(|i| {
            (i.name.as_str(), i.parent.as_deref(), i.hardware.as_deref(), i.network.as_deref(), i.is_default)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("eth0", Some("br7"), None, Some("pods"), true),
            ("net1", Some("eth1"), None, Some("storage"), false),
            ("net2", Some("br7"), None, None, false),
            ("net1.7", Some("net1"), None, None, false),
            ("net3", None, Some("0000:01:10.0"), None, false),
            ("odd", None, None, None, false),
        ]
    );
    assert_eq!(pod.interfaces[1].ipam, Some(ipam));
    assert_eq!(pod.interfaces[2].ipam, None);
    assert_eq!(pod.secondary().map(|i: &PodInterface| i.addresses.len()).sum::<usize>(), 1);
    assert_eq!(pod.addresses, [ip("10.42.0.5")], "a secondary address is not on the cluster network");
}

/// An ipvlan on a VLAN of the node, both of which not every kernel has.
#[test]
fn an_ipvlan_on_a_vlan() {
    let mut inside = namespace("a", Some(NSID));
    inside.links.push(LinkFact { link: Some(20), link_netns: Some(0), ..link(5, "net1", "ipvlan") });
    inside.addresses.push(AddressFact {
        ifindex: 5,
        address: "10.140.23.50/24".parse().unwrap(),
        global: true,
    });
    let vlan = Some(LinkData::Vlan(VlanFact { id: 2040, is_qinq: false }));
    let links = vec![
        LinkFact { kind: None, ..link(3, "eth0", "") },
        LinkFact { link: Some(3), data: vlan, ..link(20, "vlan2040", "vlan") },
        LinkFact { master: Some(13), ..veth(10, "x", NSID, 2) },
        link(13, "cni0", "bridge"),
    ];
    let attachments = vec![
        attachment("a", "cart-0", "eth0", "cbr0"),
        Attachment { plugin: Some("ipvlan".to_owned()), ..attachment("a", "cart-0", "net1", "lan") },
    ];
    let facts = PodFacts { attachments, ..runtime(vec![sandbox("a", "cart-0", "10.42.0.7")]) };
    let inventory = joined(&node(links, vec![]), &facts, &[inside]);
    let pod = only(&inventory);
    assert_eq!((pod.host_ifname.as_deref(), pod.addresses.as_slice()), (Some("x"), &[ip("10.42.0.7")][..]));
    let [net1] = pod.secondary().collect::<Vec<_>>()[..] else { panic!("{pod:?}") };
    assert_eq!(
        (net1.kind.as_deref(), net1.parent.as_deref(), net1.network.as_deref()),
        (Some("ipvlan"), Some("vlan2040"), Some("lan"))
    );
    assert_eq!(net1.addresses[0].to_string(), "10.140.23.50/24");
}

#[test]
fn paths_of_one_namespace_are_one() {
    assert_eq!(canonical("/var/run/netns/x"), "/run/netns/x");
    assert_eq!(canonical("/run/netns/x"), "/run/netns/x");
    assert_eq!(canonical("/var/lib/x"), "/var/lib/x");
    assert_eq!(canonical("ovp-node1-pod1"), "ovp-node1-pod1");
}

/// Somebody cannot look into a namespace: the pod is there all the same, and what is lost with it is told.
#[test]
fn a_namespace_that_cannot_be_looked_into() {
    let attachments = vec![
        attachment("a", "cart-0", "eth0", "pods"),
        attachment("a", "cart-0", "net2", "lan"),
        attachment("a", "cart-0", "net1", "storage"),
    ];
    let path = attachments[0].netns.clone().unwrap();
    let facts = PodFacts { attachments, ..PodFacts::default() };
    let links = Facts { links: vec![link(9, "cni0", "bridge")], ..Facts::default() };
    let with = |told: Observed<NamespaceFact>| {
        let mut snapshot = snapshot(&links, &facts, &[]);
        snapshot.namespaces = Arc::new(vec![OfNamespace { path: path.clone(), told }]);
        inventory(&snapshot)
    };
    let denied = with(Observed::Failed { error: "cannot open it: Permission denied".to_owned() });
    assert_eq!(only(&denied).label(), "shop/cart-0");
    assert_eq!(denied.notes, [format!("network namespace {path}: cannot open it: Permission denied")]);

    // It is elsewhere than the node's files say, as in a container that does not see it.
    let veth = LinkFact { link_netns: Some(4), link: Some(2), ..link(10, "veth1", "veth") };
    let host = |ifnames: &[&str]| Attachment {
        host_ifnames: ifnames.iter().map(|name| (*name).to_owned()).collect(),
        ..attachment("a", "cart-0", "eth0", "pods")
    };
    let facts = |secondary: bool| {
        let net1 = secondary.then(|| attachment("a", "cart-0", "net1", "storage"));
        PodFacts { attachments: [host(&["veth1"])].into_iter().chain(net1).collect(), ..PodFacts::default() }
    };
    let links = Facts { links: vec![veth], ..Facts::default() };
    let lost = joined(&links, &facts(true), &[]);
    assert_eq!(only(&lost).host_ifname.as_deref(), Some("veth1"));
    assert_eq!(
        lost.notes,
        [format!(
            "pod shop/cart-0: its network namespace {path} does not exist; only the CNI cache lists net1 (storage)"
        )]
    );
    let [note] = joined(&links, &facts(false), &[]).notes.try_into().unwrap();
    assert_eq!(
        note,
        format!("network namespaces of 1 pod do not exist ({path}); their interfaces are unknown")
    );
}

/// What is routed to a NIC that is a veth is a router, another node, or what DHCP gave: no pod. A pod that a source names
/// keeps its interface, whatever leaves by it.
#[test]
fn a_nic_that_is_a_veth_is_no_pod() {
    let next_hop = |destination: &str, gateway: &str, ifindex| RouteFact {
        destination: destination.parse().unwrap(),
        gateway: Some(ip(gateway)),
        ..route("0.0.0.0", ifindex)
    };
    let links = || vec![veth(10, "eth0", 9, 9), veth(11, "eth1", 9, 10), veth(12, "x", NSID, 2)];
    let nics = || {
        vec![
            // A router that only a route reaches, and a default route by it.
            route("172.31.1.1", 10),
            next_hop("0.0.0.0/0", "172.31.1.1", 10),
            // A second NIC without a default route: its router, another node, a name server from DHCP.
            route("10.0.0.1", 11),
            next_hop("10.0.0.0/16", "10.0.0.1", 11),
            RouteFact { protocol: 16, ..route("10.0.0.53", 11) },
            route("169.254.169.254", 11),
        ]
    };
    assert_eq!(joined(&node(links(), nics()), &PodFacts::default(), &[]).pods, []);
    let with_pod = [nics(), vec![route("10.42.0.5", 12)]].concat();
    let inventory = joined(&node(links(), with_pod), &PodFacts::default(), &[]);
    assert_eq!(inventory.pods.iter().map(|pod| pod.label()).collect::<Vec<_>>(), ["(x)"]);
    // A pod that other pods' packets to a VPN go by.
    let through = vec![route("10.42.0.5", 12), next_hop("10.99.0.0/16", "10.42.0.5", 12)];
    let facts = runtime(vec![sandbox("a", "vpn-0", "10.42.0.5")]);
    let inventory = joined(&node(links(), through), &facts, &[namespace("a", Some(NSID))]);
    assert_eq!((only(&inventory).host_ifindex, inventory.notes.len()), (Some(12), 0));
}
