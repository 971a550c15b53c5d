//! The formulas of each data plane as a table, and who is compared with what.

use crate::{
    facts::netlink::{Facts, IpTunnelFact, LinkData, LinkFact, RouteFact, VxlanFact},
    inventory::testdata::*,
    model::mtu::*,
};

/// What the ways come to: device, overhead, most, verdict, what it carries, pods by MTU with their verdicts.
fn ways(facts: &Facts) -> Vec<String> {
    let fit = |fit: Option<Fit>| fit.map_or("-".to_owned(), |fit| format!("{fit:?}"));
    mtu_paths(&of_kernel(facts))
        .iter()
        .map(|path| {
            let most = path.max_inner.map_or("-".to_owned(), |most| most.to_string());
            let pods: Vec<_> =
                path.pods.iter().map(|pod| format!("{}x{} {}", pod.count, pod.mtu, fit(pod.fit))).collect();
            let (device, overhead, carries) = (&path.device, path.overhead, path.usable);
            format!("{device} {overhead} {most} {} {carries} [{}]", fit(path.fit), pods.join(", "))
        })
        .collect()
}

fn with_mtu(mut facts: Facts, name: &str, mtu: u32) -> Facts {
    facts.links.iter_mut().filter(|link| link.name == name).for_each(|link| link.mtu = mtu);
    facts
}

/// A pod of both families with this MTU.
fn pod(facts: Facts, ifindex: u32, mtu: u32) -> Facts {
    let mut facts = calico_pod(facts, ifindex, &format!("10.42.0.{ifindex}/32"));
    facts.routes.push(route(&format!("fd42::{ifindex}/128"), None, ifindex));
    with_mtu(facts, &format!("cali{ifindex}"), mtu)
}

fn wireguard_node(name: &str, mtu: u32, v6: bool) -> Facts {
    let mut facts = node();
    facts.links.push(LinkFact { mtu, ..wireguard(9, name) });
    let (network, wide) =
        if v6 { ("fd42:0:0:2::/64", "fd42::/48") } else { ("10.42.2.0/24", "10.42.0.0/16") };
    let mut device = wireguard_fact(9, 51820, &[network]);
    if v6 {
        device.peers[0].endpoint = Some("[2001:db8::2]:51821".parse().unwrap());
    }
    facts.routes.push(route(wide, None, 9));
    facts.wireguard.push(told(device));
    facts
}

#[test]
fn what_each_data_plane_leaves_for_pods() {
    let canal = |nic, tunnel, pods| {
        let facts = with_mtu(with_mtu(flannel4(node(), 1), "eth0", nic), "flannel.1", tunnel);
        pod(facts, 20, pods)
    };
    let mut ipip = node();
    ipip.links.push(LinkFact {
        kind: Some("ipip".to_owned()),
        data: Some(LinkData::IpTunnel(IpTunnelFact::default())),
        mtu: 1480,
        ..ethernet(9, "tunl0")
    });
    ipip.routes.push(RouteFact { protocol: 80, ..route("10.42.2.0/26", Some("192.0.2.2"), 9) });
    let mut host_gw = pod(node(), 20, 1450);
    host_gw.routes.push(blackhole("10.42.0.0/24"));
    host_gw.routes.push(route("10.42.2.0/24", Some("192.0.2.2"), ETH0));
    for (what, facts, expected) in [
        ("Canal", canal(1500, 1450, 1450), "flannel.1 50 1450 Fits 1450 [1x1450 Fits]"),
        (
            "Canal's constant on GCP",
            canal(1460, 1410, 1450),
            "flannel.1 50 1410 Fits 1410 [1x1450 TooBig(40)]",
        ),
        ("jumbo frames wasted", canal(9000, 8950, 1450), "flannel.1 50 8950 Fits 8950 [1x1450 Unused(7500)]"),
        ("pods too big", canal(9000, 8950, 9000), "flannel.1 50 8950 Fits 8950 [1x9000 TooBig(50)]"),
        (
            "a NIC lowered later",
            canal(1400, 1450, 1450),
            "flannel.1 50 1350 TooBig(100) 1350 [1x1450 TooBig(100)]",
        ),
        (
            "Canal, IPv6",
            pod(flannel6(node(), 1), 20, 1450),
            "flannel-v6.1 70 1430 Fits 1430 [1x1450 TooBig(20)]",
        ),
        (
            "flannel over WireGuard, IPv4",
            pod(wireguard_node("flannel-wg", 1420, false), 20, 1450),
            "flannel-wg 60 1440 Unused(20) 1420 [1x1450 TooBig(30)]",
        ),
        (
            "flannel over WireGuard, IPv6",
            pod(wireguard_node("flannel-wg-v6", 1420, true), 20, 1420),
            "flannel-wg-v6 80 1420 Fits 1420 [1x1420 Fits]",
        ),
        (
            "Calico over WireGuard",
            pod(wireguard_node("wireguard.cali", 1440, false), 20, 1440),
            "wireguard.cali 60 1440 Fits 1440 [1x1440 Fits]",
        ),
        (
            "WireGuard as large as the NIC",
            pod(wireguard_node("flannel-wg", 1500, false), 20, 1450),
            "flannel-wg 60 1440 TooBig(60) 1440 [1x1450 TooBig(10)]",
        ),
        (
            "WireGuard pads what does not fill the device",
            with_mtu(pod(wireguard_node("flannel-wg", 1500, false), 20, 1424), "eth0", 1492),
            "flannel-wg 60 1432 TooBig(68) 1424 [1x1424 Fits]",
        ),
        ("Calico's IP in IP", ipip, "tunl0 20 1480 Fits 1480 []"),
        ("host-gw", host_gw, "eth0 0 1500 Fits 1500 [1x1450 Unused(50)]"),
    ] {
        assert_eq!(ways(&facts), [expected], "{what}");
    }
}

#[test]
fn cilium_holds_pods_by_the_route() {
    let mut facts = cilium_host(pod(node(), 20, 1500), 30);
    let data = VxlanFact { port: 8472, collect_metadata: true, ..VxlanFact::default() };
    facts.links.push(LinkFact { mtu: 1500, ..vxlan(9, "cilium_vxlan", data) });
    assert_eq!(ways(&facts), ["cilium_vxlan 50 1450 Fits 1450 [1x1500 -]"]);
    // Only IPv6 on the node: the outer packets are of it.
    facts.addresses.retain(|fact| fact.ifindex != ETH0 || fact.address.addr().is_ipv6());
    assert_eq!(ways(&facts), ["cilium_vxlan 70 1430 TooBig(20) 1430 [1x1500 -]"]);
    // Before Cilium has routes to other nodes, which have the MTU, what its pods may send is not known.
    facts.routes.retain(|route| route.ifindex != Some(31));
    facts.addresses.push(address(ETH0, "192.0.2.1/24"));
    assert_eq!(ways(&facts), ["cilium_vxlan 50 1450 - 1450 [1x1500 -]"]);
}

#[test]
fn what_a_device_of_many_destinations_gets_is_not_known_where_it_is_larger_than_what_fits() {
    for (mtu, expected) in [(1500, "vx 50 1450 - 1450 []"), (1400, "vx 50 1450 Unused(50) 1400 []")] {
        let mut facts = node();
        let data = VxlanFact { port: 8472, collect_metadata: true, ..VxlanFact::default() };
        facts.links.push(LinkFact { mtu, ..vxlan(9, "vx", data) });
        assert_eq!(ways(&facts), [expected]);
    }
}

#[test]
fn routes_may_be_narrower_than_devices() {
    let mut facts = pod(flannel4(node(), 2), 20, 1450);
    facts.routes.push(RouteFact { mtu: Some(1400), ..route("192.0.2.3/32", Some("192.0.2.254"), ETH0) });
    assert_eq!(ways(&facts), ["flannel.1 50 1350 TooBig(100) 1350 [1x1450 TooBig(100)]"]);
    let mut facts = pod(flannel4(node(), 2), 20, 1450);
    facts.routes.iter_mut().filter(|r| r.ifindex == Some(FLANNEL)).for_each(|route| route.mtu = Some(1400));
    assert_eq!(ways(&facts), ["flannel.1 50 1450 Unused(50) 1400 [1x1450 TooBig(50)]"]);
}

#[test]
fn pods_count_by_family_and_by_size() {
    let mut facts = flannel6(flannel4(node(), 1), 1);
    for (ifindex, mtu) in [(20, 1450), (21, 1450), (22, 1400)] {
        facts = with_mtu(
            calico_pod(facts, ifindex, &format!("10.42.0.{ifindex}/32")),
            &format!("cali{ifindex}"),
            mtu,
        );
    }
    facts = pod(facts, 23, 1430);
    assert_eq!(
        ways(&facts),
        [
            "flannel.1 50 1450 Fits 1450 [1x1400 Unused(50), 1x1430 Unused(20), 2x1450 Fits]",
            "flannel-v6.1 70 1430 Fits 1430 [1x1430 Fits]",
        ]
    );
    // On a bridge nobody tells of which family a pod is.
    let facts = bridged_pod(flannel6(flannel4(node(), 1), 1), 20, "10.42.0.1/24");
    assert_eq!(
        ways(&facts),
        ["flannel.1 50 1450 Fits 1450 [1x1450 Fits]", "flannel-v6.1 70 1430 Fits 1430 [1x1450 TooBig(20)]",]
    );
}

#[test]
fn what_is_stale_is_compared_with_nobody() {
    let mut facts = wireguard_node("flannel-wg", 1420, false);
    facts.routes.push(blackhole("10.42.0.0/24"));
    facts = pod(flannel4(facts, 0), 20, 1420);
    let paths = mtu_paths(&of_kernel(&facts));
    let stale: Vec<_> = paths.iter().map(|path| (path.device.as_str(), path.stale)).collect();
    assert_eq!(stale, [("flannel.1", true), ("flannel-wg", false)]);
    assert_eq!(
        ways(&facts),
        ["flannel.1 50 1450 Fits 1450 [1x1420 -]", "flannel-wg 60 1440 Unused(20) 1420 [1x1420 Fits]"]
    );
}

#[test]
fn an_unknown_underlay_is_no_verdict() {
    let mut facts = pod(flannel4(node(), 1), 20, 1450);
    facts.links.iter_mut().filter(|l| l.name == "flannel.1").for_each(|link| link.link_netns = Some(1));
    assert_eq!(ways(&facts), ["flannel.1 50 - - 1450 [1x1450 Fits]"]);
}
