//! Nodes that know no other node, and devices that lead nowhere: the only node of a cluster, what is stale, and what the
//! kernel's tables do not tell of.

use std::sync::Arc;

use super::*;
use crate::facts::netlink::AddressFact;

/// Calico's device with the first address of the node's block, as the first node of a cluster has it.
fn fresh_calico() -> Facts {
    let mut facts = vni_4096("vxlan.calico");
    facts.addresses.push(address(FLANNEL, "10.42.0.64/32"));
    facts.routes.push(RouteFact { protocol: 80, ..blackhole("10.42.0.64/26") });
    facts
}

fn tun(ifindex: u32, name: &str) -> LinkFact {
    let kind = Some("tun".to_owned());
    LinkFact { kind, mtu: 1472, hardware_type: libc::ARPHRD_NONE, ..ethernet(ifindex, name) }
}

/// flannel's UDP backend, with a pod on its bridge.
fn udp(bridge: &str) -> Facts {
    let mut facts = bridged_pod(node(), 20, bridge);
    facts.links.push(tun(9, "flannel0"));
    facts.addresses.push(address(9, "10.42.0.0/16"));
    facts.routes.push(RouteFact { protocol: 2, ..route("10.42.0.0/16", None, 9) });
    facts
}

#[test]
fn the_first_node_of_a_calico_cluster() {
    let idle = ["Calico: VXLAN, certain", "  vxlan.calico [] 0 peers 0 routes, idle"];
    assert_eq!(planes(&fresh_calico()), idle);
    assert_eq!(planes(&calico_pod(fresh_calico(), 20, "10.42.0.66/32")), idle);
    // By whatever name.
    let mut renamed = fresh_calico();
    "vx0".clone_into(&mut renamed.links[2].name);
    assert_eq!(planes(&renamed), ["Calico: VXLAN, certain", "  vx0 [] 0 peers 0 routes, idle"]);

    let mut bpf = external("vxlan.calico", 4789);
    bpf.addresses.push(address(9, "10.42.0.64/32"));
    bpf.routes.push(RouteFact { protocol: 80, ..blackhole("10.42.0.64/26") });
    assert_eq!(planes(&bpf), ["Calico eBPF: VXLAN, certain", "  vxlan.calico [] ? peers 0 routes"]);

    // WireGuard, before its rule is there.
    let mut encrypted = node();
    encrypted.links.push(wireguard(9, "wireguard.cali"));
    encrypted.addresses.push(address(9, "10.42.0.64/32"));
    encrypted.routes.push(RouteFact { protocol: 80, ..blackhole("10.42.0.64/26") });
    encrypted.wireguard.push(told(wireguard_fact(9, 51820, &[])));
    assert_eq!(
        planes(&encrypted),
        ["Calico: WireGuard, certain", "  wireguard.cali [] 0 peers 0 routes, idle"]
    );
}

#[test]
fn calico_whose_routes_have_another_protocol() {
    let mut facts = vni_4096("vxlan.calico");
    facts.addresses.push(address(FLANNEL, "10.42.0.64/32"));
    facts.routes.push(blackhole("10.42.0.64/26"));
    facts.routes.push(route("10.42.2.128/26", Some("10.42.2.128"), FLANNEL));
    facts.neighbours.push(neighbour(FLANNEL, "10.42.2.128", mac(2)));
    facts.fdb.push(fdb(FLANNEL, mac(2), "192.0.2.2"));
    let mut facts = calico_pod(facts, 20, "10.42.0.66/32");
    assert_eq!(planes(&facts), ["Calico: VXLAN, likely", "  vxlan.calico [4] 1 peers 1 routes"]);
    // Canal with the numbers that Windows nodes need.
    "flannel.4096".clone_into(&mut facts.links[2].name);
    assert_eq!(planes(&facts), ["Canal: VXLAN, likely", "  flannel.4096 [4] 1 peers 1 routes"]);

    let mut bgp = node();
    bgp.routes.push(RouteFact { protocol: 80, ..blackhole("10.42.0.64/26") });
    bgp.routes.push(RouteFact { protocol: 186, ..route("10.42.2.128/26", Some("192.0.2.2"), ETH0) });
    assert_eq!(planes(&bgp), ["Calico: no encapsulation, likely", "  eth0 [4] 1 peers 1 routes"]);
}

#[test]
fn what_flannel_left_beside_calico_is_not_canals() {
    let mut facts = calico_pod(calico_vxlan(), 20, "10.42.0.66/32");
    let data = VxlanFact { vni: 1, port: 8472, ..VxlanFact::default() };
    facts.links.push(vxlan(30, "flannel.1", data));
    facts.addresses.push(address(30, "10.42.0.0/32"));
    assert_eq!(
        planes(&facts),
        [
            "Calico: VXLAN, certain",
            "  vxlan.calico [4] 1 peers 1 routes",
            "flannel: VXLAN, likely",
            "  flannel.1 [] 0 peers 0 routes, stale beside vxlan.calico",
        ]
    );
}

#[test]
fn an_only_node_that_wraps_nothing() {
    let mut calico = calico_pod(node(), 20, "10.42.0.65/32");
    calico.routes.push(RouteFact { protocol: 12, ..blackhole("10.42.0.64/26") });
    assert_eq!(planes(&calico), ["Calico: no encapsulation, likely"]);
    assert_eq!(
        planes(&calico_pod(own_block(node()), 20, "10.42.0.5/32")),
        ["Canal: no encapsulation, likely"]
    );
    // Pods alone tell nothing of the network, and a blackhole nothing of pods.
    assert_eq!(planes(&calico_pod(node(), 20, "10.42.0.5/32")), Vec::<String>::new());
    assert_eq!(planes(&own_block(node())), Vec::<String>::new());
    // Whoever has a tunnel is known by it.
    let tunnel = calico_pod(own_block(flannel4(node(), 0)), 20, "10.42.0.5/32");
    assert_eq!(planes(&tunnel), ["Canal: VXLAN, certain", "  flannel.1 [] 0 peers 0 routes, idle"]);
    let inventory = of_kernel(&calico);
    assert!(!inventory.data_planes[0].is_stale(), "{:?}", inventory.data_planes);
}

/// A bridge alone may be anybody's: it is flannel's by the address that flannel wrote down, or by the CNI cache.
#[test]
fn an_only_node_with_flannels_bridge() {
    use crate::facts::{
        Snapshot,
        files::{HostFiles, Sourced, SubnetEnv},
        pods::{Attachment, PodFacts},
    };
    let mut facts = bridged_pod(node(), 20, "10.42.0.1/24");
    facts.addresses.push(AddressFact { global: false, ..address(20, "fe80::1/64") });
    let with = |env: Option<&str>, plugin: &str| {
        let file = "/run/flannel/subnet.env".to_owned();
        let subnet = env.map(|text| Sourced { value: net(text), file, line: Some(2) });
        let env = SubnetEnv { subnet, ..SubnetEnv::default() };
        let files = HostFiles { subnet_env: Observed::Value(env), ..HostFiles::default() };
        let attachment = Attachment {
            plugin: Some(plugin.to_owned()),
            host_ifnames: vec!["cni0".to_owned(), "veth9".to_owned()],
            ..Attachment::default()
        };
        let pods = PodFacts { attachments: vec![attachment], ..PodFacts::default() };
        let snapshot = snapshot(&facts, &pods, &[]);
        let inventory =
            crate::inventory::inventory(&Snapshot { files: Arc::new(Observed::Value(files)), ..snapshot });
        let own: Vec<String> = inventory.node.pod_cidrs.iter().map(|own| own.cidr.to_string()).collect();
        let planes: Vec<_> =
            inventory.data_planes.iter().map(|plane| (plane.system, plane.encapsulation)).collect();
        (own, planes, inventory.pod_links.len())
    };
    let known = (vec!["10.42.0.0/24".to_owned()], vec![(System::Flannel, Encapsulation::None)], 1);
    assert_eq!(with(Some("10.42.0.1/24"), "bridge"), known);
    assert_eq!(with(None, "flannel"), known);
    let unknown = (Vec::new(), Vec::new(), 0);
    assert_eq!(with(Some("10.42.9.1/24"), "bridge"), unknown);
    assert_eq!(with(None, "bridge"), unknown);
}

#[test]
fn one_family_without_peers_is_told_from_what_is_stale() {
    let mut facts = calico_vxlan();
    let data = VxlanFact { vni: 4096, port: 4789, local: Some(ip("2001:db8::1")), ..VxlanFact::default() };
    facts.links.push(vxlan(30, "vxlan-v6.calico", data));
    facts.addresses.push(address(30, "fd42:1::40/128"));
    facts.routes.push(RouteFact { protocol: 80, ..blackhole("fd42:1::40/122") });
    assert_eq!(
        planes(&facts),
        [
            "Calico: VXLAN, certain",
            "  vxlan.calico [4] 1 peers 1 routes",
            "  vxlan-v6.calico [] 0 peers 0 routes, idle",
        ]
    );
}

#[test]
fn entries_of_nodes_that_are_reached_directly() {
    // flannel switched to host-gw: its routes are the NIC's now, and the other entries stay.
    let mut switched = calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32");
    switched.routes.retain(|route| route.ifindex != Some(FLANNEL));
    for n in [2, 3] {
        switched.routes.push(route(&format!("10.42.{n}.0/24"), Some(&format!("192.0.2.{n}")), ETH0));
    }
    let shown = planes(&switched);
    assert_eq!(
        shown,
        [
            "Canal: no encapsulation, likely",
            "  eth0 [4] 2 peers 2 routes",
            "Canal: VXLAN, certain",
            "  flannel.1 [] 2 peers 0 routes, stale beside eth0",
        ]
    );
    let inventory = of_kernel(&switched);
    assert_eq!((&inventory.holes, &inventory.notes), (&Vec::new(), &Vec::new()));

    // Calico across subnets has entries of all nodes, and routes by the tunnel to those elsewhere.
    let mut cross = calico_vxlan();
    cross.neighbours.push(neighbour(FLANNEL, "10.42.3.193", mac(3)));
    cross.fdb.push(fdb(FLANNEL, mac(3), "192.0.2.3"));
    cross.routes.push(RouteFact { protocol: 80, ..route("10.42.3.192/26", Some("192.0.2.3"), ETH0) });
    let inventory = of_kernel(&cross);
    assert_eq!((&inventory.holes, &inventory.notes), (&Vec::new(), &Vec::new()), "that is how it should be");
    assert!(!planes(&cross).join("\n").contains("stale"), "{:?}", planes(&cross));
}

#[test]
fn the_udp_backend_and_other_tun_devices() {
    let flannel = ["flannel: UDP in user space, certain", "  flannel0 [4] ? peers 1 routes"];
    let facts = udp("10.42.0.1/24");
    assert_eq!(planes(&facts), flannel);
    let inventory = of_kernel(&facts);
    let own: Vec<String> = inventory.node.pod_cidrs.iter().map(|own| own.cidr.to_string()).collect();
    assert_eq!(own, ["10.42.0.0/24"]);
    let addresses: Vec<&str> = inventory.node.addresses.iter().map(|own| own.interface.as_str()).collect();
    assert_eq!(addresses, ["eth0", "eth0"], "neither the tunnel's nor the bridge's");
    let [tunnel] = inventory.other_tunnels.as_slice() else { panic!("{:?}", inventory.other_tunnels) };
    assert_eq!(
        (tunnel.kind, tunnel.underlay.as_ref().map(|below| below.ifindex)),
        (TunnelKind::Udp, Some(ETH0))
    );

    // By another name; before there is a bridge, by its name.
    let mut renamed = udp("10.42.0.1/24");
    renamed
        .links
        .iter_mut()
        .filter(|link| link.ifindex == 9)
        .for_each(|link| "mesh0".clone_into(&mut link.name));
    assert_eq!(planes(&renamed), ["flannel: UDP in user space, certain", "  mesh0 [4] ? peers 1 routes"]);
    let mut early = node();
    early.links.push(tun(9, "flannel0"));
    early.addresses.push(address(9, "10.42.0.0/16"));
    assert_eq!(planes(&early), ["flannel: UDP in user space, likely", "  flannel0 [] ? peers 0 routes"]);
    // The second node's tunnel does not begin the cluster's network.
    let mut second = bridged_pod(node(), 20, "10.42.7.1/24");
    second.links.push(tun(9, "flannel0"));
    second.addresses.push(address(9, "10.42.7.0/16"));
    second.routes.push(RouteFact { protocol: 2, ..route("10.42.0.0/16", None, 9) });
    assert_eq!(planes(&second), flannel);

    // host-gw by way of a VPN is host-gw.
    let mut over_vpn = bridged_pod(node(), 20, "10.42.0.1/24");
    over_vpn.links.push(tun(9, "tun0"));
    over_vpn.addresses.push(address(9, "10.8.0.1/24"));
    over_vpn.routes.push(route("10.42.3.0/24", Some("10.8.0.3"), 9));
    assert_eq!(planes(&over_vpn), ["flannel: no encapsulation, likely", "  tun0 [4] 1 peers 1 routes"]);
    let evidence = &of_kernel(&over_vpn).data_planes[0].evidence;
    assert!(evidence.iter().any(|words| words.starts_with("tun0 is a tun device")), "{evidence:?}");

    // A VPN's tun, and a virtual machine's tap.
    let mut vpn = bridged_pod(node(), 20, "10.42.0.1/24");
    vpn.links.push(tun(9, "tun0"));
    vpn.addresses.push(address(9, "10.8.0.1/24"));
    vpn.links.push(LinkFact { hardware_type: 1, ..tun(10, "flannel1") });
    assert_eq!(planes(&vpn), Vec::<String>::new());
}

#[test]
fn entries_that_are_made_on_demand_are_not_missing() {
    let mut facts = bridged_pod(node(), 20, "10.42.3.1/24");
    let data =
        VxlanFact { vni: 1, port: 8472, l2miss: Some(true), l3miss: Some(true), ..VxlanFact::default() };
    facts.links.push(vxlan(FLANNEL, "flannel.1", data));
    facts.addresses.push(address(FLANNEL, "10.42.3.0/16"));
    facts.routes.push(RouteFact { protocol: 2, ..route("10.42.0.0/16", None, FLANNEL) });
    assert_eq!(planes(&facts), ["flannel: VXLAN, certain", "  flannel.1 [4] ? peers 1 routes"]);
    // One that was used.
    facts.neighbours.push(neighbour(FLANNEL, "10.42.9.7", mac(2)));
    facts.fdb.push(fdb(FLANNEL, mac(2), "192.0.2.2"));
    assert_eq!(planes(&facts), ["flannel: VXLAN, certain", "  flannel.1 [4] 1 peers 1 routes"]);
    let inventory = of_kernel(&facts);
    assert_eq!((inventory.holes, inventory.notes), (Vec::new(), Vec::new()));
}

#[test]
fn a_device_without_an_address_is_nobodys() {
    // What a removed flannel left, with nothing beside it; the kernel's own address does not count.
    let mut facts = node();
    let data = VxlanFact { vni: 1, port: 8472, ..VxlanFact::default() };
    facts.links.push(vxlan(FLANNEL, "flannel.1", data));
    facts.addresses.push(AddressFact { global: false, ..address(FLANNEL, "fe80::1/64") });
    let stale = ["flannel: VXLAN, likely", "  flannel.1 [] 0 peers 0 routes, stale without an address"];
    assert_eq!(planes(&facts), stale);
    assert!(of_kernel(&facts).data_planes[0].is_stale());
    // With one it may be the only node's. What could not be read is not absent.
    let mut known = facts.clone();
    known.addresses.push(address(FLANNEL, "10.42.0.0/32"));
    assert_eq!(planes(&known), ["flannel: VXLAN, likely", "  flannel.1 [] 0 peers 0 routes, idle"]);
    facts.addresses = Observed::Failed { error: "torn".to_owned() };
    assert_eq!(planes(&facts), ["flannel: VXLAN, likely", "  flannel.1 [] 0 peers 0 routes, idle"]);
}
