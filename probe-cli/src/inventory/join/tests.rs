//! The join as tables: data planes as CNIs and hands make them, with their holes.

use std::{net::IpAddr, sync::Arc};

use super::*;
use crate::{
    facts::{
        netlink::{LinkFact, RouteFact, VxlanFact},
        pci::PciFunctionFact,
        pods::RegisteredPod,
        sriov::{PfFact, SriovFacts, VfFact},
    },
    inventory::{Hole, Mac, Peer, PeerKey, PodSource, Tunnel, testdata::*},
    observed::Observed,
};

fn peer(tunnel: u32, last: u8, node: &str, cidrs: &[&str]) -> Arc<Peer> {
    Arc::new(Peer {
        tunnel,
        key: PeerKey::Mac(mac(last)),
        node_address: Some(ip(node)),
        pod_cidrs: cidrs.iter().map(|cidr| net(cidr)).collect(),
        last_tx_age_s: Some(1),
        wireguard: None,
    })
}

fn only_tunnel(inventory: &Inventory) -> &Tunnel {
    let [tunnel] = inventory.tunnels.as_slice() else { panic!("{:?}", inventory.tunnels) };
    tunnel
}

#[test]
fn flannel_v4() {
    let inventory = of_kernel(&flannel4(node(), 2));
    let tunnel = only_tunnel(&inventory);
    assert_eq!((tunnel.vni, tunnel.port, tunnel.outer_family), (Some(1), Some(8472), Some(4)));
    assert_eq!(tunnel.flood, 0);
    assert_eq!(tunnel.underlay.as_ref().map(|underlay| underlay.ifindex), Some(ETH0));
    assert_eq!(tunnel.addresses, [net("10.42.0.0/32")]);
    assert_eq!(
        inventory.peers,
        [peer(FLANNEL, 2, "192.0.2.2", &["10.42.2.0/24"]), peer(FLANNEL, 3, "192.0.2.3", &["10.42.3.0/24"]),]
    );
    assert_eq!((inventory.pods.len(), inventory.notes), (0, Vec::<String>::new()));
}

#[test]
fn flannel_v6() {
    let inventory = of_kernel(&flannel6(node(), 1));
    let tunnel = only_tunnel(&inventory);
    assert_eq!(tunnel.outer_family, Some(6));
    assert_eq!(tunnel.local, Some(ip("2001:db8::1")));
    assert_eq!(inventory.peers, [peer(FLANNEL6, 0x62, "2001:db8::2", &["fd42:0:0:2::/64"])]);
    assert_eq!(inventory.notes, Vec::<String>::new());
}

#[test]
fn dual_stack_has_a_tunnel_per_family_and_order_does_not_matter() {
    let mut facts = flannel6(flannel4(node(), 3), 3);
    let whole = of_kernel(&facts);
    assert_eq!(
        whole.tunnels.iter().map(|tunnel| tunnel.outer_family).collect::<Vec<_>>(),
        [Some(4), Some(6)]
    );
    assert_eq!(whole.peers.len(), 6);
    assert_eq!(whole.notes, Vec::<String>::new());
    facts.links.reverse();
    facts.routes.reverse();
    facts.neighbours.reverse();
    facts.fdb.reverse();
    assert_eq!(of_kernel(&facts), whole);
}

#[test]
fn several_networks_of_one_peer_are_sorted() {
    let mut facts = flannel4(node(), 1);
    facts.routes.push(route("10.42.1.64/26", Some("10.42.2.0"), FLANNEL));
    facts.routes.push(RouteFact { metric: 5, ..route("10.42.1.64/26", Some("10.42.2.0"), FLANNEL) });
    facts.routes.push(route("10.42.2.0/26", None, FLANNEL));
    let inventory = of_kernel(&facts);
    assert_eq!(inventory.peers, [peer(FLANNEL, 2, "192.0.2.2", &["10.42.1.64/26", "10.42.2.0/24"])]);
}

/// A device made by hand with `remote`: the kernel lists the remote as its all-zero entry.
fn point_to_point(remote: &str, learned: bool) -> Facts {
    let mut facts = node();
    let group = Some(ip(remote));
    let data = VxlanFact { vni: 77, port: 4789, group, learning: true, ..VxlanFact::default() };
    facts.links.push(vxlan(9, "p2p", data));
    facts.fdb.push(fdb(9, Mac::default(), remote));
    if learned {
        facts.fdb.push(fdb(9, mac(9), remote));
    }
    facts
}

#[test]
fn a_hand_made_tunnel_has_the_peers_it_learned() {
    for (remote, family, local) in [("192.0.2.9", 4, "192.0.2.1"), ("2001:db8::9", 6, "2001:db8::1")] {
        let inventory = of_kernel(&point_to_point(remote, true));
        let tunnel = only_tunnel(&inventory);
        assert_eq!((tunnel.outer_family, tunnel.flood), (Some(family), 1), "{remote}");
        assert_eq!(tunnel.local, Some(ip(local)), "the underlay's only address");
        assert_eq!(tunnel.underlay.as_ref().map(|underlay| underlay.ifindex), Some(ETH0), "by route");
        assert_eq!(inventory.peers, [peer(9, 9, remote, &[])]);
        assert_eq!(inventory.notes, Vec::<String>::new());
        assert_eq!(inventory.holes, [], "it can ask around");
    }
}

#[test]
fn a_tunnel_that_names_no_address_uses_ipv6_only_where_there_is_nothing_else() {
    for (addresses, family) in [
        (&["2001:db8::1/64", "2001:db8::2/64"][..], 6),
        (&["2001:db8::1/64", "192.0.2.1/24"], 4),
        (&["192.0.2.1/24", "2001:db8::1/64"], 4),
        (&[], 4),
    ] {
        let below = addresses.iter().map(|text| address(ETH0, text)).collect::<Vec<_>>().into();
        let mut facts = Facts { addresses: below, ..node() };
        let data = VxlanFact { vni: 7, port: 4789, link: Some(ETH0), ..VxlanFact::default() };
        facts.links.push(vxlan(9, "vxlan7", data));
        assert_eq!(only_tunnel(&of_kernel(&facts)).outer_family, Some(family), "{addresses:?}");
    }
}

#[test]
fn behind_the_only_remote_every_neighbour_is_a_peer() {
    let mut facts = point_to_point("192.0.2.9", false);
    facts.neighbours.push(neighbour(9, "172.16.0.2", mac(9)));
    facts.routes.push(route("10.99.0.0/16", Some("172.16.0.2"), 9));
    facts.routes.push(route("10.98.0.0/16", Some("172.16.0.3"), 9));
    let joined = of_kernel(&facts);
    let known = peer(9, 9, "192.0.2.9", &["10.99.0.0/16"]);
    let neighbour = Arc::new(Peer { last_tx_age_s: None, ..Peer::clone(&known) });
    assert_eq!(joined.peers, [neighbour], "nothing of its own is in the FDB");
    assert_eq!(joined.notes, Vec::<String>::new(), "it can ask for 172.16.0.3");

    facts.fdb.push(fdb(9, Mac::default(), "192.0.2.10"));
    let inventory = of_kernel(&facts);
    assert_eq!(only_tunnel(&inventory).flood, 2);
    assert_eq!(inventory.peers, [], "with two remotes nobody knows which");
}

#[test]
fn a_collect_metadata_device_has_no_vni_and_no_family() {
    let mut facts = node();
    let data = VxlanFact { port: 8472, collect_metadata: true, ..VxlanFact::default() };
    facts.links.push(vxlan(9, "cilium_vxlan", data));
    facts.routes.push(route("10.0.1.0/24", Some("10.0.0.1"), 9));
    let inventory = of_kernel(&facts);
    let tunnel = only_tunnel(&inventory);
    assert!(tunnel.external);
    assert_eq!((tunnel.vni, tunnel.outer_family, tunnel.local), (None, None, None));
    assert_eq!(tunnel.underlay.as_ref().map(|underlay| underlay.name.as_str()), Some("eth0"));
    assert_eq!((inventory.peers.len(), inventory.notes.len()), (0, 0));
}

#[test]
fn tunnels_are_known_by_kind_and_never_by_name() {
    let mut facts = flannel4(node(), 0);
    facts.links.push(LinkFact { kind: Some("dummy".to_owned()), ..ethernet(8, "flannel-wg") });
    facts.links.push(LinkFact { kind: Some("bridge".to_owned()), ..ethernet(9, "vxlan.calico") });
    facts.links[2].name = "uplink".to_owned();
    assert_eq!(only_tunnel(&of_kernel(&facts)).name, "uplink");
}

#[test]
fn the_underlay_follows_from_what_is_configured() {
    let lo = LinkFact { hardware_type: 772, ..ethernet(1, "lo") };
    let nic = |ifindex, name: &str| ethernet(ifindex, name);
    let facts = |data: VxlanFact, more: fn(&mut Facts)| {
        let mut facts = Facts {
            links: vec![lo.clone(), nic(2, "eth0"), nic(3, "eth1"), vxlan(9, "vx", data)],
            addresses: vec![
                address(1, "198.51.100.1/32"),
                address(2, "192.0.2.1/24"),
                address(3, "203.0.113.1/24"),
            ]
            .into(),
            routes: vec![
                route("0.0.0.0/0", Some("192.0.2.254"), 2),
                route("203.0.113.0/24", None, 3),
                // Never by the tunnel itself.
                route("203.0.113.7/32", None, 9),
            ]
            .into(),
            ..Facts::default()
        };
        more(&mut facts);
        facts
    };
    let of = |data: VxlanFact, more: fn(&mut Facts)| {
        let inventory = of_kernel(&facts(data, more));
        let tunnel = only_tunnel(&inventory).clone();
        (tunnel.underlay.map(|underlay| underlay.name), inventory.notes)
    };
    let none = VxlanFact::default();
    let local = |address: &str| VxlanFact { local: Some(ip(address)), ..VxlanFact::default() };
    let by_peer: fn(&mut Facts) = |facts| facts.fdb.push(fdb(9, mac(2), "203.0.113.7"));
    let nothing: fn(&mut Facts) = |_| {};

    let link = VxlanFact { link: Some(3), ..local("192.0.2.1") };
    assert_eq!(of(link, by_peer).0.as_deref(), Some("eth1"), "the configured device");
    assert_eq!(
        of(local("203.0.113.1"), nothing).0.as_deref(),
        Some("eth1"),
        "the owner of the local address"
    );
    assert_eq!(of(local("198.51.100.1"), by_peer).0.as_deref(), Some("eth1"), "an address on lo: by route");
    assert_eq!(of(none.clone(), by_peer).0.as_deref(), Some("eth1"), "the route to a peer");
    assert_eq!(of(none.clone(), nothing).0.as_deref(), Some("eth0"), "the default route");
    assert_eq!(of(none.clone(), |facts| facts.routes.clear()).0, None);

    let (underlay, notes) = of(VxlanFact { link: Some(77), ..VxlanFact::default() }, nothing);
    assert_eq!(
        (underlay, notes.as_slice()),
        (None, ["vx: its underlay device (interface index 77) is not there".to_owned()].as_slice())
    );
    let (underlay, notes) = of(none, |facts| facts.links[3].link_netns = Some(4));
    assert_eq!(underlay, None);
    assert!(notes[0].contains("another network namespace"), "{notes:?}");
}

#[test]
fn an_underlay_without_link_headers_is_l3() {
    let mut facts = flannel4(node(), 0);
    facts.links[1].hardware_type = libc::ARPHRD_NONE;
    let joined = of_kernel(&facts);
    let tunnel = only_tunnel(&joined);
    assert_eq!((tunnel.l3, tunnel.underlay.as_ref().map(|underlay| underlay.l3)), (false, Some(true)));
}

#[test]
fn holes_become_notes() {
    let mut facts = flannel4(node(), 3);
    facts.neighbours.retain(|neighbour| neighbour.address != ip("10.42.2.0"));
    facts.fdb.retain(|entry| entry.mac != mac(3));
    facts.neighbours[1].failed = true;
    let inventory = of_kernel(&facts);
    assert_eq!(
        inventory.peers,
        [peer(FLANNEL, 2, "192.0.2.2", &[]), peer(FLANNEL, 4, "192.0.2.4", &[])],
        "what is in the FDB stays a peer; without an entry there is no node to send to"
    );
    let tunnel = FLANNEL;
    let without_neighbour =
        |cidr, gateway| Hole::RouteWithoutNeighbour { tunnel, pod_cidr: net(cidr), gateway: ip(gateway) };
    let without_route =
        |last, node| Hole::FdbWithoutRoute { tunnel, mac: mac(last), node_address: Some(ip(node)) };
    assert_eq!(
        inventory.holes,
        [
            without_neighbour("10.42.2.0/24", "10.42.2.0"),
            without_neighbour("10.42.4.0/24", "10.42.4.0"),
            Hole::NeighbourWithoutFdb { tunnel, neighbour: ip("10.42.3.0"), mac: mac(3) },
            without_route(2, "192.0.2.2"),
            without_route(4, "192.0.2.4"),
        ]
    );
    let starts: Vec<_> = inventory.notes.iter().map(|note| note.split(';').next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "flannel.1: route 10.42.2.0/24 via 10.42.2.0 has no neighbour entry for its gateway, so packets to it \
             are dropped",
            "flannel.1: route 10.42.4.0/24 via 10.42.4.0 has no neighbour entry for its gateway, so packets to it \
             are dropped",
            "flannel.1: neighbour 10.42.3.0 (0a:00:00:00:00:03) has no FDB entry, so packets to it are dropped",
            "flannel.1: no route resolves to node 192.0.2.2 (VTEP 0a:00:00:00:00:02), so that its pods get no packets \
             from here",
            "flannel.1: no route resolves to node 192.0.2.4 (VTEP 0a:00:00:00:00:04), so that its pods get no packets \
             from here",
        ]
    );
}

#[test]
fn many_holes_are_counted() {
    let mut facts = flannel4(node(), 100);
    facts.neighbours.clear();
    let inventory = of_kernel(&facts);
    assert_eq!(inventory.notes.len(), 18);
    assert_eq!(inventory.notes[8], "and 92 more routes whose gateway has no neighbour entry");
    assert_eq!(inventory.notes[17], "and 92 more remote nodes without a route to their pods");
}

#[test]
fn one_vtep_mac_on_two_nodes_gives_a_note() {
    let mut facts = flannel4(node(), 2);
    facts.fdb.push(fdb(FLANNEL, mac(2), "192.0.2.77"));
    let joined = of_kernel(&facts);
    assert_eq!(joined.peers[0], peer(FLANNEL, 2, "192.0.2.2", &["10.42.2.0/24"]));
    let [note] = joined.notes.as_slice() else { panic!("{:?}", joined.notes) };
    let start = "flannel.1: VTEP MAC 0a:00:00:00:00:02 has several destinations (192.0.2.2, 192.0.2.77); ";
    assert!(note.starts_with(start), "{note}");

    // Seen from a third node the kernel keeps one FDB entry, the last that was written.
    let mut facts = flannel4(node(), 2);
    facts.neighbours[1].mac = Some(mac(2));
    facts.fdb.pop();
    let joined = of_kernel(&facts);
    assert_eq!(joined.peers, [peer(FLANNEL, 2, "192.0.2.2", &["10.42.2.0/24", "10.42.3.0/24"])]);
    let [note] = joined.notes.as_slice() else { panic!("{:?}", joined.notes) };
    assert!(note.contains("is the gateway of several peers (10.42.2.0, 10.42.3.0)"), "{note}");
}

#[test]
fn problems_of_the_source_come_first() {
    let facts = Facts { notes: vec!["links kept changing".to_owned()], ..Facts::default() };
    assert_eq!(of_kernel(&facts).notes, ["links kept changing"]);
}

fn named(name: &str, address: &str, host_ifname: &str) -> RegisteredPod {
    RegisteredPod {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        addresses: vec![ip(address)],
        host_ifname: host_ifname.to_owned(),
        netns: String::new(),
    }
}

fn registered(pods: Vec<RegisteredPod>) -> PodFacts {
    PodFacts { registered: pods, ..PodFacts::default() }
}

fn pods_node() -> Facts {
    let mut facts = flannel4(node(), 1);
    for n in 0_u8..3 {
        let ifindex = 20 + u32::from(n);
        facts.links.push(pod_veth(ifindex, &format!("cali{n}")));
        facts.routes.push(route(&format!("10.42.0.{}/32", 5 + n), None, ifindex));
    }
    facts.routes.push(route("fd42::5/128", None, 20));
    facts
}

#[test]
fn pods_with_and_without_names() {
    let pods = [
        named("by-name", "10.42.0.5", "cali0"),
        named("by-route", "10.42.0.6", "other"),
        named("gone", "10.42.0.99", "cali99"),
        named("second", "10.42.0.55", "cali0"),
    ];
    let inventory = joined(&pods_node(), &registered(pods.to_vec()), &[]);
    let rows: Vec<_> = inventory
        .pods
        .iter()
        .map(|pod| {
            let addresses: Vec<_> = pod.addresses.iter().map(IpAddr::to_string).collect();
            (pod.label(), addresses.join(" "), pod.host_ifindex, pod.source)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("(cali2)".to_owned(), "10.42.0.7".to_owned(), Some(22), PodSource::Route),
            ("default/by-name".to_owned(), "10.42.0.5 fd42::5".to_owned(), Some(20), PodSource::Lab),
            ("default/by-route".to_owned(), "10.42.0.6".to_owned(), Some(21), PodSource::Lab),
        ]
    );
    assert_eq!(
        inventory.notes,
        [
            "pod default/gone: its interface cali99 does not exist, and no route leads to it",
            "pod default/second is left out: its interface cali0 is already that of pod default/by-name",
        ]
    );
}

#[test]
fn only_veths_into_other_namespaces_with_single_addresses_are_pods() {
    let mut facts = node();
    // The other end is in this namespace.
    facts.links.push(LinkFact { link_netns: None, ..pod_veth(20, "veth0") });
    facts.routes.push(route("10.0.0.1/32", None, 20));
    // A network, and a single address behind a gateway.
    facts.links.push(pod_veth(21, "veth1"));
    facts.routes.push(route("10.0.1.0/24", None, 21));
    facts.routes.push(route("10.0.2.1/32", Some("10.0.1.1"), 21));
    // The host's own address, which the kernel routes to itself.
    facts.links.push(pod_veth(22, "veth2"));
    facts.addresses.push(address(22, "fd00::22/128"));
    facts.routes.push(route("fd00::22/128", None, 22));
    // No veth at all.
    facts.routes.push(route("192.0.2.77/32", None, ETH0));
    assert_eq!(of_kernel(&facts).pods, []);
}

#[test]
fn hostile_names_are_bounded_and_escaped_in_notes() {
    let mut facts = flannel4(node(), 1);
    facts.links[2].name = "fl\x1b[2J\u{202e}".to_owned();
    facts.neighbours.clear();
    let long = "x".repeat(100_000);
    let pods = registered(vec![named(&format!("\n{long}"), "10.9.9.9", "\x07")]);
    let inventory = joined(&facts, &pods, &[]);
    assert_eq!(only_tunnel(&inventory).name, "fl\x1b[2J\u{202e}", "data stays as it is");
    assert_eq!(inventory.notes.len(), 3);
    for note in &inventory.notes {
        assert!(note.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{note:?}");
        assert!(note.len() < 1000, "{} bytes", note.len());
    }
}

#[test]
fn the_captured_node_joins() {
    let inventory = of_kernel(&crate::netlink::testdata::facts());
    let tunnels: Vec<_> = inventory
        .tunnels
        .iter()
        .map(|t| {
            let below = t.underlay.as_ref().map_or("-", |underlay| underlay.name.as_str());
            (t.name.as_str(), t.vni, t.outer_family, below, t.flood)
        })
        .collect();
    assert_eq!(
        tunnels,
        [
            ("flannel.1", Some(1), Some(4), "eth0", 0),
            ("flannel-v6.1", Some(1), Some(6), "eth0", 0),
            ("p2p", Some(77), Some(4), "eth0", 2),
            ("p2p6", Some(78), Some(6), "eth0", 1),
            ("grp", Some(79), Some(4), "eth0", 1),
            ("grp6", Some(80), Some(6), "eth0", 1),
            ("ext0", None, None, "eth0", 0),
        ]
    );
    let age = Some(521);
    let flannel = |tunnel, last, node, cidr| {
        Arc::new(Peer { last_tx_age_s: age, ..Peer::clone(&peer(tunnel, last, node, &[cidr])) })
    };
    let p2p = Peer {
        tunnel: 5,
        key: PeerKey::Mac(Mac([2, 0, 0, 0, 0x77, 9])),
        node_address: Some(ip("192.0.2.9")),
        pod_cidrs: Vec::new(),
        last_tx_age_s: age,
        wireguard: None,
    };
    let v6 = PeerKey::Mac(Mac([0x0a, 0, 0, 0, 6, 2]));
    assert_eq!(
        inventory.peers,
        [
            flannel(3, 2, "192.0.2.2", "10.42.2.0/24"),
            flannel(3, 3, "192.0.2.3", "10.42.3.0/24"),
            Arc::new(Peer { key: v6, ..Peer::clone(&flannel(4, 0, "2001:db8::2", "fd42:0:0:2::/64")) }),
            Arc::new(p2p),
        ]
    );
    let [pod] = inventory.pods.as_slice() else { panic!("{:?}", inventory.pods) };
    assert_eq!(pod.label(), "(cali0a1b2c3d4e5)");
    assert_eq!(pod.addresses, [ip("10.42.0.5"), ip("fd42::5")]);
    assert_eq!(inventory.notes, Vec::<String>::new());
}

/// What helps depends on whether the route is of this cluster.
#[test]
fn routes_of_another_cluster_are_to_be_deleted() {
    use crate::{
        facts::{
            Snapshot,
            files::{FlannelConf, HostFiles, Sourced},
        },
        inventory::inventory as joined_with,
        observed::Observed,
    };
    let mut facts = flannel4(node(), 1);
    facts.routes.push(route("10.42.9.0/24", Some("10.42.9.0"), FLANNEL));
    facts.routes.push(route("172.20.3.0/24", Some("172.20.3.0"), FLANNEL));
    facts.routes.push(RouteFact { protocol: 80, ..route("172.20.4.0/24", Some("172.20.4.0"), FLANNEL) });
    let with = |network: Option<&str>| {
        let file =
            "/var/lib/kubelet/pods/a/volumes/kubernetes.io~configmap/flannel-cfg/net-conf.json".to_owned();
        let network = network.map(|text| Sourced { value: net(text), file: file.clone(), line: Some(2) });
        let conf = FlannelConf { file, network, ..FlannelConf::default() };
        let files = HostFiles { flannel: Observed::Value(conf), ..HostFiles::default() };
        let snapshot = snapshot(&facts, &PodFacts::default(), &[]);
        joined_with(&Snapshot { files: Arc::new(Observed::Value(files)), ..snapshot }).notes
    };
    let notes = with(Some("10.42.0.0/16"));
    let about = |network: &str| notes.iter().find(|note| note.contains(network)).unwrap();
    assert_eq!(
        about("172.20.3.0"),
        "flannel.1: route 172.20.3.0/24 via 172.20.3.0 is not of this cluster, whose pods are in 10.42.0.0/16 \
         (net-conf.json:2), and has no neighbour entry for its gateway: it is stale; delete it with \
         `ip route del 172.20.3.0/24 dev flannel.1`"
    );
    // Of this cluster, or of a pool of Calico's, which no file names.
    for network in ["10.42.9.0/24", "172.20.4.0/24"] {
        assert!(about(network).contains("restart the CNI's agent"), "{}", about(network));
        assert!(about(network).contains(&format!("`ip route del {network} dev flannel.1`")));
    }
    // Where no file names the cluster's network, nothing is known to be outside of it.
    assert!(with(None).iter().all(|note| note.contains("restart the CNI's agent")), "{:?}", with(None));
}

/// The network was given to another node meanwhile, and its address stayed here.
#[test]
fn a_gateway_that_is_an_own_address() {
    let mut facts = flannel4(node(), 1);
    facts.addresses.push(address(FLANNEL, "10.42.7.0/32"));
    facts.neighbours.push(neighbour(FLANNEL, "10.42.7.0", mac(7)));
    facts.fdb.push(fdb(FLANNEL, mac(7), "192.0.2.7"));
    let inventory = of_kernel(&facts);
    let hole = Hole::FdbWithoutRoute { tunnel: FLANNEL, mac: mac(7), node_address: Some(ip("192.0.2.7")) };
    assert_eq!(inventory.holes, [hole]);
    let [note] = inventory.notes.as_slice() else { panic!("{:?}", inventory.notes) };
    assert!(note.starts_with("flannel.1: no route leads to the pods of node 192.0.2.7"), "{note}");
    assert!(note.contains("its gateway 10.42.7.0 is an address of this node, too"), "{note}");
}

/// A cloud's NICs: one with a single address and a gateway on the link, and a private one whose other nodes are behind a router.
#[test]
fn a_tunnel_on_a_private_nic_behind_a_router() {
    const PRIVATE: u32 = 7;
    let mut facts = calico_pod(own_block(flannel4(node(), 0)), 20, "10.42.0.5/32");
    facts.links.push(LinkFact { mtu: 1450, ..ethernet(PRIVATE, "enp7s0") });
    let tunnel = facts.links[2].vxlan.as_mut().unwrap();
    (tunnel.link, tunnel.local) = (Some(PRIVATE), Some(ip("10.0.0.2")));
    facts.addresses = vec![
        address(ETH0, "198.51.100.8/32"),
        address(PRIVATE, "10.0.0.2/32"),
        address(FLANNEL, "10.42.0.0/32"),
    ]
    .into();
    facts.routes.retain(|route| route.ifindex != Some(ETH0));
    for (destination, gateway, ifindex) in [
        ("172.31.1.1/32", None, ETH0),
        ("0.0.0.0/0", Some("172.31.1.1"), ETH0),
        ("10.0.0.1/32", None, PRIVATE),
        ("10.0.0.0/16", Some("10.0.0.1"), PRIVATE),
        ("10.42.1.0/24", Some("10.42.1.0"), FLANNEL),
    ] {
        facts.routes.push(route(destination, gateway, ifindex));
    }
    facts.neighbours.push(neighbour(FLANNEL, "10.42.1.0", mac(3)));
    facts.fdb.push(fdb(FLANNEL, mac(3), "10.0.0.3"));
    let inventory = of_kernel(&facts);
    assert_eq!(only_tunnel(&inventory).underlay.as_ref().map(|below| below.name.as_str()), Some("enp7s0"));
    let addresses: Vec<&str> = inventory.node.addresses.iter().map(|own| own.interface.as_str()).collect();
    assert_eq!(addresses, ["eth0", "enp7s0"]);
    assert_eq!((&inventory.holes, &inventory.notes), (&Vec::new(), &Vec::new()));
    let [route] = inventory.outer_routes.as_slice() else { panic!("{:?}", inventory.outer_routes) };
    assert_eq!((route.gateway, route.interface.as_deref()), (Some(ip("10.0.0.1")), Some("enp7s0")));
}

/// Two NICs with virtual functions of their own drivers, as sysfs has them.
#[test]
fn virtual_functions_are_named_by_their_devices() {
    let vf = |index: u32, pci: String, driver: &str| VfFact {
        index,
        pci,
        driver: Some(driver.to_owned()),
        ..VfFact::default()
    };
    let pf = |pci: &str, driver: &str, total_vfs, vfs: Vec<VfFact>| PfFact {
        pci: pci.to_owned(),
        driver: Some(driver.to_owned()),
        total_vfs,
        num_vfs: u32::try_from(vfs.len()).ok(),
        vfs,
    };
    let first = (0..4).map(|n| vf(n, format!("0000:3b:01.{n}"), "iavf")).collect();
    let second = (0..2).map(|n| vf(n, format!("0000:5e:00.{}", n + 2), "mlx5_core")).collect();
    let pfs = vec![pf("0000:3b:00.0", "ice", 128, first), pf("0000:5e:00.0", "mlx5_core", 16, second)];
    let function = |address: &str, vendor: &str, device: &str| PciFunctionFact {
        address: address.to_owned(),
        vendor: vendor.to_owned(),
        device: device.to_owned(),
        ..PciFunctionFact::default()
    };
    let functions = vec![
        function("0000:3b:00.0", "8086", "1592"),
        function("0000:3b:01.0", "8086", "1889"),
        function("0000:3b:01.1", "8086", "1889"),
        function("0000:5e:00.2", "15b3", "101e"),
    ];
    let sriov = SriovFacts { pfs: Observed::Value(pfs), ..SriovFacts::default() };
    let inventory = inventory(&Snapshot {
        sriov: Arc::new(sriov),
        pci: Arc::new(Observed::Value(functions)),
        ..Snapshot::default()
    });
    let counts: Vec<_> = inventory.pfs.rows().iter().map(|pf| (pf.num_vfs, pf.total_vfs)).collect();
    assert_eq!(counts, [(Some(4), 128), (Some(2), 16)]);
    let devices: Vec<_> = inventory.vfs.iter().map(|vf| vf.device.as_deref()).collect();
    let (intel, mellanox) = (Some("8086:1889"), Some("15b3:101e"));
    assert_eq!(devices, [intel, intel, None, None, mellanox, None], "what was not read is not known");
    let drivers: Vec<_> = inventory.vfs.iter().map(|vf| vf.driver.as_deref().unwrap()).collect();
    assert_eq!(drivers, ["iavf", "iavf", "iavf", "iavf", "mlx5_core", "mlx5_core"]);
}
