//! Data planes as their systems make them, and what they are taken for. Nodes without peers are in `tests/alone.rs`.

mod alone;

use std::fmt::Write as _;

use super::*;
use crate::{
    facts::netlink::{
        Facts, FwMark, GeneveFact, IpTunnelFact, LinkData, LinkFact, PolicyTableFact, RouteFact, RuleFact,
        VxlanFact, WireguardFact,
    },
    inventory::{Mac, testdata::*},
    observed::Observed,
};

/// A line for each plane and one for each of its devices.
fn planes(facts: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    for plane in of_kernel(facts).data_planes {
        let certainty =
            plane.certainty.map_or("unknown".to_owned(), |sure| format!("{sure:?}").to_lowercase());
        lines.push(format!("{}: {}, {certainty}", plane.system, plane.encapsulation));
        assert!(!plane.evidence.is_empty(), "{plane:?}");
        for device in plane.devices {
            let peers = device.peers.map_or("?".to_owned(), |peers| peers.to_string());
            let mut line =
                format!("  {} {:?} {peers} peers {} routes", device.name, device.families, device.routes);
            match device.stale {
                Some(Stale::Idle { carried_by }) => {
                    write!(line, ", stale beside {carried_by}").unwrap();
                }
                Some(Stale::MoreSpecific { than, routes, with_peer }) => {
                    write!(line, ", {routes} more specific than {than}, {with_peer} with a peer").unwrap();
                }
                Some(Stale::Unused) => line.push_str(", stale without an address"),
                None if device.unconfigured => line.push_str(", not configured"),
                None if device.idle => line.push_str(", idle"),
                None => {}
            }
            if let Some(bypass) = device.bypassed {
                write!(line, ", {} bypassed by {}", bypass.routes, bypass.by).unwrap();
            }
            lines.push(line);
        }
    }
    lines
}

/// flannel's WireGuard device with its one route.
fn flannel_wireguard(mut facts: Facts, name: &str, peers: &[&str]) -> Facts {
    facts.links.push(wireguard(9, name));
    facts.addresses.push(address(9, "10.42.0.0/32"));
    facts.routes.push(route("10.42.0.0/16", None, 9));
    facts.wireguard.push(told(wireguard_fact(9, 51820, peers)));
    facts
}

/// VNI 4096 and port 4789, which both rke2-flannel and Calico have.
fn vni_4096(name: &str) -> Facts {
    let mut facts = node();
    let data = VxlanFact {
        vni: 4096,
        port: 4789,
        link: Some(ETH0),
        local: Some(ip("192.0.2.1")),
        ..VxlanFact::default()
    };
    facts.links.push(vxlan(FLANNEL, name, data));
    facts
}

fn calico_vxlan() -> Facts {
    let mut facts = vni_4096("vxlan.calico");
    facts.addresses.push(address(FLANNEL, "10.42.0.65/32"));
    facts.routes.push(RouteFact { protocol: 80, ..blackhole("10.42.0.64/26") });
    let block = route("10.42.2.128/26", Some("10.42.2.129"), FLANNEL);
    facts.routes.push(RouteFact { protocol: 80, ..block });
    facts.neighbours.push(neighbour(FLANNEL, "10.42.2.129", mac(2)));
    facts.fdb.push(fdb(FLANNEL, mac(2), "192.0.2.2"));
    facts
}

fn calico_wireguard(routes: &[&str], priority: u32) -> Facts {
    let mut facts = node();
    facts.links.push(wireguard(9, "wireguard.cali"));
    facts.addresses.push(address(9, "10.42.0.66/32"));
    let mut device = wireguard_fact(9, 51820, &["10.42.2.128/26"]);
    device.fwmark = 0x10_0000;
    facts.wireguard.push(told(device));
    let mark = Some(FwMark { value: 0x10_0000, mask: 0x10_0000 });
    facts.rules.push(RuleFact {
        family: 4,
        priority,
        mark,
        is_inverted: true,
        table: Some(1),
        ..RuleFact::default()
    });
    let routes = routes.iter().map(|network| route(network, None, 9)).collect();
    facts.policy_tables.push(PolicyTableFact { table: 1, family: 4, routes });
    facts
}

fn external(name: &str, port: u16) -> Facts {
    let mut facts = node();
    let data = VxlanFact { port, collect_metadata: true, ..VxlanFact::default() };
    facts.links.push(vxlan(9, name, data));
    facts
}

fn ipip(routes: bool) -> Facts {
    let mut facts = node();
    let data = Some(LinkData::IpTunnel(IpTunnelFact::default()));
    let kind = Some("ipip".to_owned());
    let link = ethernet(9, "tunl0");
    facts.links.push(LinkFact { kind, data, mtu: 1480, hardware_type: libc::ARPHRD_TUNNEL, ..link });
    if routes {
        facts.addresses.push(address(9, "10.42.0.67/32"));
        facts.routes.push(RouteFact { protocol: 12, ..route("10.42.2.128/26", Some("192.0.2.2"), 9) });
    }
    facts
}

#[test]
fn flannel_and_who_it_belongs_to() {
    let canal = calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32");
    assert_eq!(planes(&canal), ["Canal: VXLAN, certain", "  flannel.1 [4] 2 peers 2 routes"]);

    let dual = calico_pod(flannel6(own_block(flannel4(node(), 2)), 2), 20, "10.42.0.5/32");
    assert_eq!(
        planes(&dual),
        ["Canal: VXLAN, certain", "  flannel.1 [4] 2 peers 2 routes", "  flannel-v6.1 [6] 2 peers 2 routes"]
    );

    let k3s = bridged_pod(flannel4(node(), 1), 20, "10.42.0.1/24");
    assert_eq!(planes(&k3s), ["flannel: VXLAN, certain", "  flannel.1 [4] 1 peers 1 routes"]);

    let mut no_pods = flannel4(node(), 1);
    assert_eq!(planes(&no_pods), ["flannel: VXLAN, certain", "  flannel.1 [4] 1 peers 1 routes"]);
    // By whatever name, and with another VNI.
    no_pods.links[2].name = "uplink".to_owned();
    no_pods.links[2].vxlan.as_mut().unwrap().vni = 77;
    assert_eq!(planes(&no_pods), ["flannel: VXLAN, certain", "  uplink [4] 1 peers 1 routes"]);

    let alone = calico_pod(own_block(flannel4(node(), 0)), 20, "10.42.0.5/32");
    assert_eq!(planes(&alone), ["Canal: VXLAN, certain", "  flannel.1 [] 0 peers 0 routes, idle"]);
}

#[test]
fn one_vni_and_port_of_two_systems() {
    let mut flannel = bridged_pod(vni_4096("flannel.4096"), 20, "10.42.0.1/24");
    flannel.addresses.push(address(FLANNEL, "10.42.0.0/32"));
    flannel.routes.push(route("10.42.2.0/24", Some("10.42.2.0"), FLANNEL));
    flannel.neighbours.push(neighbour(FLANNEL, "10.42.2.0", mac(2)));
    flannel.fdb.push(fdb(FLANNEL, mac(2), "192.0.2.2"));
    let expected = ["rke2-flannel: VXLAN, certain", "  flannel.4096 [4] 1 peers 1 routes"];
    assert_eq!(planes(&flannel), expected);

    assert_eq!(planes(&calico_vxlan()), ["Calico: VXLAN, certain", "  vxlan.calico [4] 1 peers 1 routes"]);

    // Only the names are left to tell: likely at most.
    assert_eq!(
        planes(&vni_4096("flannel.4096")),
        ["rke2-flannel: VXLAN, likely", "  flannel.4096 [] 0 peers 0 routes, stale without an address"]
    );
    assert_eq!(
        planes(&vni_4096("vxlan.calico")),
        ["Calico: VXLAN, likely", "  vxlan.calico [] 0 peers 0 routes, stale without an address"]
    );
    assert_eq!(
        planes(&vni_4096("vx4096")),
        ["overlay of unknown origin: VXLAN, unknown", "  vx4096 [] 0 peers 0 routes, idle"]
    );
    // A name that fits nothing else does not count.
    let mut odd = vni_4096("flannel.1");
    odd.links[2].vxlan.as_mut().unwrap().vni = 5;
    assert_eq!(
        planes(&odd),
        ["overlay of unknown origin: VXLAN, unknown", "  flannel.1 [] 0 peers 0 routes, idle"]
    );
}

#[test]
fn calico_without_vxlan() {
    assert_eq!(
        planes(&calico_wireguard(&["10.42.2.128/26"], 99)),
        ["Calico: WireGuard, certain", "  wireguard.cali [4] 1 peers 1 routes"]
    );
    assert_eq!(
        planes(&calico_wireguard(&[], 99)),
        ["Calico: WireGuard, likely", "  wireguard.cali [4] 1 peers 0 routes"]
    );
    assert_eq!(planes(&ipip(true)), ["Calico: IP in IP, certain", "  tunl0 [4] 1 peers 1 routes"]);
    let routed = of_kernel(&ipip(true)).routed_peers;
    let pod_cidrs = vec![net("10.42.2.128/26")];
    assert_eq!(routed, [RoutedPeer { ifindex: 9, node_address: ip("192.0.2.2"), pod_cidrs }]);
    assert_eq!(planes(&ipip(false)), Vec::<String>::new(), "the kernel makes it in every namespace");

    // BGP without encapsulation.
    let mut bgp = calico_pod(node(), 20, "10.42.0.65/32");
    bgp.routes.push(RouteFact { protocol: 12, ..blackhole("10.42.0.64/26") });
    bgp.routes.push(RouteFact { protocol: 12, ..route("10.42.2.128/26", Some("192.0.2.2"), ETH0) });
    assert_eq!(planes(&bgp), ["Calico: no encapsulation, certain", "  eth0 [4] 1 peers 1 routes"]);
}

#[test]
fn calico_ebpf_and_cilium_collect_metadata() {
    let mut calico = external("vxlan.calico", 4789);
    calico.routes.push(RouteFact { protocol: 80, ..route("10.42.2.128/26", Some("10.42.2.129"), 9) });
    assert_eq!(planes(&calico), ["Calico eBPF: VXLAN, certain", "  vxlan.calico [4] ? peers 1 routes"]);

    let cilium = cilium_host(external("cilium_vxlan", 8472), 20);
    assert_eq!(planes(&cilium), ["Cilium: VXLAN, certain", "  cilium_vxlan [] ? peers 0 routes"]);
    assert_eq!(
        planes(&external("cilium_vxlan", 8472)),
        ["Cilium: VXLAN, likely", "  cilium_vxlan [] ? peers 0 routes"]
    );
    assert_eq!(
        planes(&external("vx0", 8472)),
        ["overlay of unknown origin: VXLAN, unknown", "  vx0 [] ? peers 0 routes"]
    );

    let geneve = |name| {
        let data = GeneveFact { port: 6081, collect_metadata: true, ..GeneveFact::default() };
        let kind = Some("geneve".to_owned());
        let mut facts = node();
        facts.links.push(LinkFact { kind, data: Some(LinkData::Geneve(data)), ..ethernet(9, name) });
        facts
    };
    assert_eq!(
        planes(&cilium_host(geneve("cilium_geneve"), 20)),
        ["Cilium: Geneve, certain", "  cilium_geneve [] ? peers 0 routes"]
    );
    assert_eq!(
        planes(&geneve("genev_sys_6081")),
        ["overlay of unknown origin: Geneve, unknown", "  genev_sys_6081 [] ? peers 0 routes"]
    );

    let mut encrypted = cilium_host(external("cilium_vxlan", 8472), 20);
    encrypted.links.push(wireguard(30, "cilium_wg0"));
    encrypted.wireguard.push(told(wireguard_fact(30, 51871, &["10.0.1.0/24"])));
    assert_eq!(
        planes(&encrypted),
        [
            "Cilium: VXLAN, certain",
            "  cilium_vxlan [] ? peers 0 routes",
            "Cilium: WireGuard, certain",
            "  cilium_wg0 [4] 1 peers 0 routes",
        ]
    );
    assert_eq!(
        planes(&cilium_host(node(), 20)),
        ["Cilium: no encapsulation, likely", "  cilium_host [] ? peers 0 routes"]
    );
}

#[test]
fn wireguard_by_hand_is_of_unknown_origin() {
    let mut vpn = own_block(calico_pod(node(), 20, "10.42.0.5/32"));
    vpn.links.push(wireguard(9, "wg0"));
    vpn.addresses.push(address(9, "10.200.0.1/24"));
    vpn.wireguard.push(told(wireguard_fact(9, 51820, &["10.200.0.2/32"])));
    let unknown = ["overlay of unknown origin: WireGuard, unknown", "  wg0 [4] 1 peers 0 routes"];
    assert_eq!(planes(&vpn), unknown);
    // wg-quick with all traffic: a rule about its mark, too, but not at Calico's place.
    let mut quick = calico_wireguard(&["10.200.0.0/24"], 32_764);
    quick.links[2].name = "wg0".to_owned();
    assert_eq!(
        planes(&quick),
        ["overlay of unknown origin: WireGuard, unknown", "  wg0 [4] 1 peers 1 routes"]
    );
}

#[test]
fn flannel_over_wireguard_and_directly() {
    let pods = || calico_pod(own_block(node()), 20, "10.42.0.5/32");
    let wireguard = flannel_wireguard(pods(), "flannel-wg", &["10.42.2.0/24", "10.42.3.0/24"]);
    assert_eq!(planes(&wireguard), ["Canal: WireGuard, certain", "  flannel-wg [4] 2 peers 1 routes"]);
    let port = |facts: &Facts| {
        let inventory = of_kernel(facts);
        (inventory.tunnels[0].told.value().is_some(), inventory.data_planes[0].evidence[0].clone())
    };
    let mut down = wireguard.clone();
    down.wireguard =
        vec![told(WireguardFact { listen_port: 0, ..wireguard.wireguard[0].told.value().unwrap().clone() })];
    assert_eq!(
        port(&down),
        (true, "flannel-wg is a WireGuard device without a port, because it is down".to_owned())
    );
    let mut unread = wireguard;
    unread.wireguard[0].told = Observed::Denied { need: "CAP_NET_ADMIN".to_owned() };
    assert_eq!(planes(&unread), ["Canal: WireGuard, certain", "  flannel-wg [4] ? peers 1 routes"]);
    assert_eq!(port(&unread), (false, "flannel-wg is a WireGuard device, port unknown".to_owned()));

    let old = bridged_pod(node(), 20, "10.42.0.1/24");
    let old = flannel_wireguard(old, "flannel.1", &["10.42.2.0/24"]);
    assert_eq!(planes(&old), ["flannel: WireGuard, certain", "  flannel.1 [4] 1 peers 1 routes"]);
    let evidence = &of_kernel(&old).data_planes[0].evidence;
    assert!(evidence.iter().any(|words| words.contains("k3s had before 1.26")), "{evidence:?}");

    let mut host_gw = pods();
    for n in [2, 3] {
        host_gw.routes.push(route(&format!("10.42.{n}.0/24"), Some(&format!("192.0.2.{n}")), ETH0));
    }
    // Somebody's office, by the default gateway.
    host_gw.routes.push(route("172.20.0.0/16", Some("192.0.2.254"), ETH0));
    assert_eq!(planes(&host_gw), ["Canal: no encapsulation, likely", "  eth0 [4] 2 peers 2 routes"]);
    let peer = |n: u8| RoutedPeer {
        ifindex: ETH0,
        node_address: ip(&format!("192.0.2.{n}")),
        pod_cidrs: vec![net(&format!("10.42.{n}.0/24"))],
    };
    assert_eq!(of_kernel(&host_gw).routed_peers, [peer(2), peer(3)]);
}

#[test]
fn a_container_bridge_is_no_data_plane() {
    let mut docker = bridged_pod(node(), 20, "172.17.0.1/16");
    docker.links[2].name = "docker0".to_owned();
    let inventory = of_kernel(&docker);
    assert_eq!((inventory.data_planes, inventory.node.pod_cidrs), (Vec::new(), Vec::new()));
}

#[test]
fn what_leads_nowhere_beside_another_is_stale() {
    // Switched to WireGuard, and all of VXLAN's entries are gone.
    let mut facts = calico_pod(own_block(flannel4(node(), 0)), 20, "10.42.0.5/32");
    facts = flannel_wireguard(facts, "flannel-wg", &["10.42.2.0/24"]);
    assert_eq!(
        planes(&facts),
        [
            "Canal: WireGuard, certain",
            "  flannel-wg [4] 1 peers 1 routes",
            "Canal: VXLAN, certain",
            "  flannel.1 [] 0 peers 0 routes, stale beside flannel-wg",
        ]
    );
    // And back again: the WireGuard device has its route still.
    let mut facts = calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32");
    facts = flannel_wireguard(facts, "flannel-wg", &[]);
    assert_eq!(
        planes(&facts),
        [
            "Canal: VXLAN, certain",
            "  flannel.1 [4] 2 peers 2 routes",
            "Canal: WireGuard, certain",
            "  flannel-wg [4] 0 peers 1 routes, stale beside flannel.1",
        ]
    );
    // Calico after flannel, on the same node.
    let mut facts = calico_vxlan();
    let data = VxlanFact { vni: 1, port: 8472, ..VxlanFact::default() };
    facts.links.push(vxlan(30, "flannel.1", data));
    assert_eq!(
        planes(&facts),
        [
            "Calico: VXLAN, certain",
            "  vxlan.calico [4] 1 peers 1 routes",
            "flannel: VXLAN, likely",
            "  flannel.1 [] 0 peers 0 routes, stale beside vxlan.calico",
        ]
    );
    // With direct routing all nodes may be neighbours, and the tunnel waits for others.
    let mut facts = calico_pod(own_block(flannel4(node(), 0)), 20, "10.42.0.5/32");
    facts.routes.push(route("10.42.2.0/24", Some("192.0.2.2"), ETH0));
    assert_eq!(
        planes(&facts),
        [
            "Canal: VXLAN, certain",
            "  flannel.1 [] 0 peers 0 routes, idle",
            "Canal: no encapsulation, likely",
            "  eth0 [4] 1 peers 1 routes",
        ]
    );
    // Of somebody's own tunnel nobody knows where it leads.
    let mut facts = calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32");
    let data = VxlanFact { port: 4789, collect_metadata: true, ..VxlanFact::default() };
    facts.links.push(vxlan(30, "vxlan_sys_4789", data));
    let data = VxlanFact { vni: 9, port: 4790, group: Some(ip("239.1.1.1")), ..VxlanFact::default() };
    facts.links.push(vxlan(31, "vm0", data));
    facts.fdb.push(fdb(31, Mac::default(), "239.1.1.1"));
    let shown = planes(&facts).join("\n");
    assert!(shown.contains("vm0") && !shown.contains("stale"), "{shown}");
    // Another family is another matter.
    let mut facts = flannel6(calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32"), 0);
    facts.addresses.push(address(FLANNEL6, "fd42::/128"));
    assert_eq!(
        planes(&facts),
        [
            "Canal: VXLAN, certain",
            "  flannel.1 [4] 2 peers 2 routes",
            "  flannel-v6.1 [] 0 peers 0 routes, idle"
        ]
    );
}

#[test]
fn a_device_without_an_address_is_not_configured_where_pods_need_it() {
    let alone = calico_pod(own_block(flannel4(node(), 0)), 20, "10.42.0.5/32");
    let without = |facts: &Facts| {
        let mut facts = facts.clone();
        facts.addresses.retain(|own| own.ifindex != FLANNEL);
        planes(&facts)
    };
    let not_configured = "  flannel.1 [] 0 peers 0 routes, not configured";
    assert_eq!(without(&alone), ["Canal: VXLAN, likely", not_configured]);
    let shown = without(&flannel6(alone.clone(), 2));
    assert!(shown.contains(&not_configured.to_owned()), "the other family's tunnel has peers: {shown:?}");

    let stale = "  flannel.1 [] 0 peers 0 routes, stale without an address";
    let mut ipv6_only = node();
    ipv6_only.links.push(vxlan(
        FLANNEL,
        "flannel.1",
        VxlanFact { vni: 1, port: 8472, local: Some(ip("192.0.2.1")), ..VxlanFact::default() },
    ));
    ipv6_only.routes.push(blackhole("fd42::/64"));
    let mut direct = alone.clone();
    direct.routes.push(route("10.42.2.0/24", Some("192.0.2.2"), ETH0));
    let switched = flannel_wireguard(alone, "flannel-wg", &[]);
    for (why, facts) in [
        ("no pod needs IPv4", ipv6_only),
        ("the NIC leads to the other nodes", direct),
        ("another device is configured", switched),
    ] {
        let shown = without(&facts);
        assert!(shown.contains(&stale.to_owned()), "{why}: {shown:?}");
    }
}

#[test]
fn a_backend_that_was_switched_halfway_shows_both_facts() {
    let mut facts = calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32");
    facts = flannel_wireguard(facts, "flannel-wg", &["10.42.2.0/24", "10.42.4.0/24"]);
    assert_eq!(
        planes(&facts),
        [
            "Canal: WireGuard, certain",
            "  flannel-wg [4] 2 peers 1 routes, 2 bypassed by flannel.1",
            "Canal: VXLAN, certain",
            "  flannel.1 [4] 2 peers 2 routes, 2 more specific than flannel-wg, 1 with a peer",
        ]
    );
}

#[test]
fn own_pod_networks_and_how_they_are_known() {
    use crate::inventory::PodCidrSource::{BlackholeRoute, Bridge, HostRoute, TunnelAddress};
    let of = |facts: &Facts| {
        let own = of_kernel(facts).node.pod_cidrs;
        own.into_iter().map(|own| (own.cidr.to_string(), own.source)).collect::<Vec<_>>()
    };
    let one = |cidr: &str, source| vec![(cidr.to_owned(), source)];
    assert_eq!(of(&own_block(flannel4(node(), 2))), one("10.42.0.0/24", BlackholeRoute));
    assert_eq!(of(&flannel4(node(), 2)), one("10.42.0.0/24", TunnelAddress), "as long as the others'");
    assert_eq!(of(&flannel4(node(), 0)), [], "how long is not known");
    assert_eq!(of(&bridged_pod(flannel4(node(), 2), 20, "10.42.0.1/24")), one("10.42.0.0/24", Bridge));
    assert_eq!(of(&calico_vxlan()), one("10.42.0.64/26", BlackholeRoute));
    assert_eq!(of(&cilium_host(node(), 20)), one("10.0.0.0/24", HostRoute));
    // An administrator's blackhole around everything is not the node's network.
    let mut facts = own_block(flannel4(node(), 2));
    facts.routes.push(blackhole("10.0.0.0/8"));
    facts.routes.push(blackhole("198.51.100.0/24"));
    assert_eq!(of(&facts), one("10.42.0.0/24", BlackholeRoute));
}

#[test]
fn node_addresses_and_default_routes() {
    let node = of_kernel(&calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32")).node;
    let addresses: Vec<_> =
        node.addresses.iter().map(|own| format!("{} {}", own.interface, own.address)).collect();
    assert_eq!(addresses, ["eth0 192.0.2.1/24", "eth0 2001:db8::1/64"]);
    let routes: Vec<_> =
        node.default_routes.iter().map(|r| (r.family, r.gateway, r.interface.as_deref())).collect();
    assert_eq!(
        routes,
        [(4, Some(ip("192.0.2.254")), Some("eth0")), (6, Some(ip("2001:db8::fe")), Some("eth0"))]
    );
}

/// What is the node's to the outside, and what is inside of it.
#[test]
fn addresses_of_bridges_pairs_and_dummies() {
    let kind =
        |ifindex, name, kind: &str| LinkFact { kind: Some(kind.to_owned()), ..ethernet(ifindex, name) };
    let mut facts = cilium_host(node(), 20);
    facts.links.extend([
        kind(30, "docker0", "bridge"),
        LinkFact { master: Some(30), ..pod_veth(31, "veth0") },
        kind(32, "fan-250", "bridge"),
        LinkFact { master: Some(32), ..vxlan(33, "ftun0", VxlanFact::default()) },
        kind(34, "virbr0", "bridge"),
        // A bridge that a NIC is in, by way of a VLAN on a bond.
        kind(40, "br0", "bridge"),
        LinkFact { master: Some(40), link: Some(42), ..kind(41, "bond0.7", "vlan") },
        kind(42, "bond0", "bond"),
        kind(43, "kube-ipvs0", "dummy"),
        // A dummy that outer packets come from.
        kind(44, "node0", "dummy"),
        // A node in a container: its NIC is a veth.
        LinkFact { link: Some(9), link_netns: Some(3), ..kind(45, "uplink", "veth") },
        vxlan(50, "flannel.1", VxlanFact { local: Some(ip("198.51.100.9")), ..VxlanFact::default() }),
        vxlan(51, "flannel.2", VxlanFact { local: Some(ip("198.51.100.10")), ..VxlanFact::default() }),
    ]);
    for (ifindex, text) in [
        (30, "172.17.0.1/16"),
        (32, "250.2.0.1/8"),
        (34, "192.168.122.1/24"),
        (40, "203.0.113.5/24"),
        (43, "10.43.0.1/32"),
        (44, "198.51.100.9/32"),
        (45, "203.0.113.130/25"),
        (50, "10.42.0.0/32"),
        (1, "198.51.100.10/32"),
        (1, "198.51.100.11/32"),
    ] {
        facts.addresses.push(address(ifindex, text));
    }
    let shown: Vec<String> = of_kernel(&facts)
        .node
        .addresses
        .iter()
        .map(|own| format!("{} {}", own.interface, own.address))
        .collect();
    assert_eq!(
        shown,
        [
            "eth0 192.0.2.1/24",
            "eth0 2001:db8::1/64",
            "br0 203.0.113.5/24",
            "node0 198.51.100.9/32",
            "uplink 203.0.113.130/25",
            "lo 198.51.100.10/32",
        ]
    );
    // Whatever carries the default route is the node's.
    facts.routes.push(RouteFact { metric: 5, ..route("0.0.0.0/0", Some("192.168.122.254"), 34) });
    assert!(of_kernel(&facts).node.addresses.iter().any(|own| own.interface == "virbr0"));
}
