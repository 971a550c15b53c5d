//! What is intended and what there is, of nodes made for each question.

use crate::{
    inventory::testdata::*,
    model::{compare::*, mtu_paths},
};

fn said<T>(value: T) -> Intended<T> {
    let file = Some("/etc/rancher/rke2/config.yaml".to_owned());
    Intended { value, basis: Basis::Configured, file, line: Some(3) }
}

fn canal(backend: Backend) -> Intent {
    Intent {
        cni: Some(said(Cni::Canal)),
        backend: Some(said(backend)),
        ipv4: Some(said(true)),
        cluster_cidrs: vec![said(net("10.42.0.0/16"))],
        node_ips: vec![said(ip("192.0.2.1"))],
        interface: Some(said(InterfaceChoice::Name("eth0".to_owned()))),
        tunnel_mtu: Some(said(1450)),
        pod_mtu: Some(said(1450)),
        vni: Some(said(1)),
        port: Some(said(8472)),
        ..Intent::default()
    }
}

fn row(intent: &Intent, facts: &crate::facts::netlink::Facts, aspect: Aspect) -> Comparison {
    let inventory = of_kernel(facts);
    let rows = side_by_side(intent, &inventory, &mtu_paths(&inventory));
    rows.into_iter().find(|row| row.aspect == aspect).unwrap_or_else(|| empty(aspect))
}

#[test]
fn a_node_that_is_as_it_should_be() {
    let facts = calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32");
    let intent = canal(Backend::Vxlan);
    let inventory = of_kernel(&facts);
    for row in side_by_side(&intent, &inventory, &mtu_paths(&inventory)) {
        if row.aspect == Aspect::PodMtu {
            // The pod's veth of the test data has the MTU of the NIC.
            assert_eq!(row.agrees, Some(false));
            assert_eq!(row.actual[0].value, Answer::Number(1500));
        } else if !row.intended.is_empty() {
            assert_eq!(row.agrees, Some(true), "{row:?}");
            let file = "/etc/rancher/rke2/config.yaml".to_owned();
            let by_file = Some(Origin::File { file, line: Some(3) });
            assert_eq!((row.basis, row.said_by), (Some(Basis::Configured), by_file));
            for Claim { origin, .. } in &row.actual {
                assert!(matches!(origin, Origin::Netlink { key, .. } if !key.is_empty()), "{origin:?}");
            }
        }
    }
}

/// flannel asks for 1450 for both families, and files may name the pod network of one.
#[test]
fn a_dual_stack_flannel_that_is_well_does_not_differ() {
    let intent = Intent {
        ipv6: Some(said(true)),
        pod_cidrs: vec![said(net("10.42.0.0/24"))],
        ..canal(Backend::Vxlan)
    };
    let mut facts = own_block(flannel6(flannel4(node(), 2), 2));
    facts.addresses.push(address(FLANNEL6, "fd42::/128"));
    facts.routes.push(blackhole("fd42::/64"));
    assert_eq!(row(&intent, &facts, Aspect::TunnelMtu).agrees, Some(true));
    let cidrs = row(&intent, &facts, Aspect::PodCidrs);
    assert_eq!((cidrs.agrees, cidrs.actual.len()), (Some(true), 2), "{cidrs:?}");
    for (name, mtu, agrees) in [
        ("flannel.1", 1430, false),
        ("flannel.1", 1450, true),
        ("flannel-v6.1", 1400, false),
        ("flannel-v6.1", 1450, false),
        ("flannel-v6.1", 1430, true),
    ] {
        facts.links.iter_mut().find(|link| link.name == name).unwrap().mtu = mtu;
        assert_eq!(row(&intent, &facts, Aspect::TunnelMtu).agrees, Some(agrees), "{name} {mtu}");
    }
    let other = Intent { pod_cidrs: vec![said(net("10.42.9.0/24"))], ..intent };
    assert_eq!(row(&other, &facts, Aspect::PodCidrs).agrees, Some(false));
}

/// Where flannel and Calico wrap nothing between nodes of one network, routes beside the tunnel are what is wanted.
#[test]
fn routes_beside_a_tunnel() {
    let direct = || {
        let mut facts = own_block(node());
        facts.routes.push(route("10.42.7.0/24", Some("192.0.2.7"), ETH0));
        facts
    };
    let both = || {
        let mut facts = own_block(flannel4(node(), 2));
        facts.routes.push(route("10.42.7.0/24", Some("192.0.2.7"), ETH0));
        facts
    };
    for (facts, is_direct, expected) in [
        (both(), true, Some(true)),
        (both(), false, Some(false)),
        (direct(), true, Some(true)),
        (direct(), false, Some(false)),
    ] {
        let intent = Intent { direct_routing: Some(said(is_direct)), ..canal(Backend::Vxlan) };
        let row = row(&intent, &facts, Aspect::Backend);
        assert_eq!(row.agrees, expected, "{row:?}");
    }
    for wanted in [Backend::HostGw, Backend::NoEncapsulation, Backend::NativeRouting] {
        assert_eq!(row(&canal(wanted), &direct(), Aspect::Backend).agrees, Some(true));
    }
}

#[test]
fn differences_and_what_cannot_be_compared() {
    let facts = flannel4(node(), 2);
    let agrees = |intent: &Intent, aspect| row(intent, &facts, aspect).agrees;
    assert_eq!(agrees(&canal(Backend::Wireguard), Aspect::Backend), Some(false));
    assert_eq!(agrees(&canal(Backend::Other("alloc".to_owned())), Aspect::Backend), None);
    assert_eq!(agrees(&canal(Backend::Udp), Aspect::Backend), Some(false));
    let intent = Intent {
        cni: Some(said(Cni::Cilium)),
        cluster_cidrs: vec![said(net("10.99.0.0/16"))],
        node_ips: vec![said(ip("198.51.100.1"))],
        interface: Some(said(InterfaceChoice::Name("eth1".to_owned()))),
        ipv6: Some(said(true)),
        vni: Some(said(4096)),
        ..canal(Backend::Vxlan)
    };
    for aspect in [
        Aspect::Cni,
        Aspect::ClusterCidrs,
        Aspect::NodeAddresses,
        Aspect::Interface,
        Aspect::Families,
        Aspect::Vni,
    ] {
        assert_eq!(agrees(&intent, aspect), Some(false), "{aspect:?}");
    }
    let by_address = InterfaceChoice::Name("192.0.2.1".to_owned());
    assert_eq!(
        agrees(&Intent { interface: Some(said(by_address)), ..Intent::default() }, Aspect::Interface),
        Some(true)
    );
    let by_rule = InterfaceChoice::Pattern("eth.*".to_owned());
    assert_eq!(
        agrees(&Intent { interface: Some(said(by_rule)), ..Intent::default() }, Aspect::Interface),
        None
    );
    let nothing = row(&Intent::default(), &facts, Aspect::Backend);
    let found =
        Claim { value: Answer::Encapsulation(Encapsulation::Vxlan), origin: link("flannel.1".to_owned()) };
    assert_eq!((nothing.agrees, nothing.actual), (None, vec![found]));
    assert_eq!(side_by_side(&Intent::default(), &Inventory::default(), &[]), []);
}

/// `none` is a wish like others: flannel's data plane is against it, that of somebody else's CNI is not.
#[test]
fn a_wish_for_nothing() {
    let off = Intent { cni: Some(said(Cni::None)), backend: Some(said(Backend::None)), ..Intent::default() };
    let of = |facts: &crate::facts::netlink::Facts, intent: &Intent| {
        (row(intent, facts, Aspect::Cni).agrees, row(intent, facts, Aspect::Backend).agrees)
    };
    assert_eq!(of(&node(), &off), (Some(true), Some(true)));
    assert_eq!(of(&flannel4(node(), 2), &off), (Some(false), Some(false)));
    let mut alone = flannel4(node(), 0);
    assert_eq!(of(&alone, &off), (Some(false), Some(false)), "the device is there");
    // What is stale is not there.
    alone.addresses = node().addresses;
    assert_eq!(of(&alone, &off), (Some(true), Some(true)));
    assert_eq!(of(&cilium_host(node(), 20), &off), (None, Some(true)));
    let mut unknown = node();
    unknown.links.push(wireguard(9, "wg0"));
    assert_eq!(of(&unknown, &off), (None, None));
    // RKE2's `cni: none` says nothing of flannel that somebody installed.
    let bring_your_own = Intent { cni: Some(said(Cni::None)), ..Intent::default() };
    assert_eq!(row(&bring_your_own, &flannel4(node(), 2), Aspect::Cni).agrees, None);
}

/// flannel takes the first IPv6 address of the NIC, whatever `node-ip` says.
#[test]
fn a_tunnel_that_comes_from_another_address() {
    let intent =
        Intent { node_ips: vec![said(ip("192.0.2.1")), said(ip("2001:db8::218"))], ..canal(Backend::Vxlan) };
    let mut facts = own_block(flannel6(flannel4(node(), 1), 1));
    assert_eq!(row(&intent, &facts, Aspect::NodeAddresses).agrees, Some(false));
    let v6 = facts.links.iter_mut().find(|link| link.name == "flannel-v6.1").unwrap();
    v6.vxlan.as_mut().unwrap().local = Some(ip("2001:db8::218"));
    assert_eq!(row(&intent, &facts, Aspect::NodeAddresses).agrees, Some(true));
}
