//! What is intended and what there is, of nodes made for each question.

use crate::{
    facts::netlink::{Facts, IpTunnelFact, LinkData, LinkFact, RouteFact, VxlanFact},
    intent::Encryption,
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

fn row(intent: &Intent, facts: &Facts, aspect: Aspect) -> Comparison {
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

/// Whose data plane it is, by what each CNI leaves in the kernel.
#[test]
fn who_made_it() {
    let calico = || {
        let mut facts = node();
        let data = Some(LinkData::IpTunnel(IpTunnelFact::default()));
        let kind = Some("ipip".to_owned());
        facts.links.push(LinkFact { kind, data, mtu: 1480, ..ethernet(9, "tunl0") });
        facts.addresses.push(address(9, "10.42.0.67/32"));
        facts.routes.push(RouteFact { protocol: 80, ..route("10.42.2.128/26", Some("192.0.2.2"), 9) });
        facts
    };
    let canal_of = || calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32");
    let unknown = || {
        let mut facts = node();
        let data = VxlanFact { vni: 7, port: 4789, link: Some(ETH0), ..VxlanFact::default() };
        facts.links.push(vxlan(40, "mesh", data));
        facts.fdb.push(fdb(40, mac(0x42), "192.0.2.2"));
        facts
    };
    for (cni, facts, expected) in [
        (Cni::Canal, canal_of(), Some(true)),
        (Cni::Canal, flannel4(node(), 2), Some(true)),
        (Cni::Canal, calico(), Some(false)),
        (Cni::K3sFlannel, flannel4(node(), 2), Some(true)),
        (Cni::K3sFlannel, canal_of(), Some(false)),
        (Cni::Flannel, flannel4(node(), 2), Some(true)),
        (Cni::Calico, calico(), Some(true)),
        (Cni::Calico, canal_of(), Some(false)),
        (Cni::Cilium, cilium_host(node(), 20), Some(true)),
        (Cni::Cilium, flannel4(node(), 2), Some(false)),
        (Cni::Other("kube-ovn".to_owned()), flannel4(node(), 2), None),
        (Cni::Canal, unknown(), None),
        // Nothing is there, which only who wants nothing wants.
        (Cni::Canal, node(), None),
        (Cni::None, node(), Some(true)),
    ] {
        let intent = Intent { cni: Some(said(cni)), ..Intent::default() };
        let row = row(&intent, &facts, Aspect::Cni);
        assert_eq!(row.agrees, expected, "{row:?}");
    }
    // One answer for the two devices of one system.
    let actual = row(&canal(Backend::Vxlan), &flannel6(flannel4(node(), 2), 2), Aspect::Cni).actual;
    assert_eq!(
        actual.iter().map(|claim| &claim.value).collect::<Vec<_>>(),
        [&Answer::System(System::Flannel)]
    );
    let backend = |wanted, facts: &Facts| row(&canal(wanted), facts, Aspect::Backend).agrees;
    assert_eq!(backend(Backend::Ipip, &calico()), Some(true));
    assert_eq!(backend(Backend::Geneve, &calico()), Some(false));
    assert_eq!(backend(Backend::Vxlan, &node()), None);
}

/// A tunnel, and WireGuard beside it that encrypts: the one is what was asked for, and so is the other.
#[test]
fn encryption_beside_a_tunnel() {
    let mut facts = own_block(flannel4(node(), 2));
    facts.links.push(wireguard(9, "wireguard.cali"));
    facts.wireguard.push(told(wireguard_fact(9, 51820, &["10.42.2.0/24"])));
    // Agents have no file that says whether Felix encrypts: it stands in the API server's objects.
    for encryption in [Some(said(Encryption::Wireguard)), None] {
        let intent = Intent { encryption, ..canal(Backend::Vxlan) };
        for aspect in [Aspect::Backend, Aspect::Port] {
            let row = row(&intent, &facts, aspect);
            assert_eq!(row.agrees, Some(true), "{row:?}");
        }
        // It is Canal's own Calico, and no other CNI.
        assert_eq!(row(&intent, &facts, Aspect::Cni).agrees, Some(true));
    }
    let other = Intent {
        port: Some(said(4789)),
        encryption: Some(said(Encryption::Wireguard)),
        ..canal(Backend::Vxlan)
    };
    assert_eq!(row(&other, &facts, Aspect::Port).agrees, Some(false));
    // Each family may have its own.
    let own = Intent { port: Some(said(4789)), port_v6: Some(said(8472)), ..Intent::default() };
    assert_eq!(row(&own, &flannel4(node(), 2), Aspect::Port).agrees, Some(true));
}

#[test]
fn what_nobody_asked_for_and_what_is_not_there_do_not_differ() {
    let facts = own_block(flannel6(flannel4(node(), 2), 2));
    let inventory = of_kernel(&facts);
    let rows = side_by_side(&Intent::default(), &inventory, &mtu_paths(&inventory));
    assert!(rows.len() > 6, "{rows:?}");
    for row in rows {
        assert_eq!((row.agrees, row.basis, row.said_by), (None, None, None), "{:?}", row.aspect);
        assert!(!row.actual.is_empty());
    }
    let intent = canal(Backend::Vxlan);
    for aspect in [Aspect::TunnelMtu, Aspect::Vni, Aspect::Interface, Aspect::ClusterCidrs, Aspect::Port] {
        let row = row(&intent, &node(), aspect);
        assert_eq!((row.agrees, row.actual), (None, vec![]), "{aspect:?}");
        assert!(!row.intended.is_empty());
    }
    // More was asked for than there is: an address of a family without a tunnel.
    let more = Intent { node_ips: vec![said(ip("192.0.2.1")), said(ip("2001:db8::1"))], ..intent };
    assert_eq!(row(&more, &flannel4(node(), 2), Aspect::NodeAddresses).agrees, Some(true));
    let v6 = Intent { pod_cidrs: vec![said(net("fd42::/64"))], ..Intent::default() };
    let mut facts = flannel6(node(), 2);
    facts.addresses.push(address(FLANNEL6, "fd42::/128"));
    facts.routes.push(blackhole("fd42::/64"));
    assert_eq!(row(&v6, &facts, Aspect::PodCidrs).agrees, Some(true));
    // Over IPv4 the kernel lets a device have what it is given, whatever is below.
    let mut small = flannel4(node(), 2);
    small.links[1].mtu = 1400;
    assert_eq!(row(&canal(Backend::Vxlan), &small, Aspect::TunnelMtu).agrees, Some(true));
}

/// `none` is a wish like others: flannel's data plane is against it, that of somebody else's CNI is not.
#[test]
fn a_wish_for_nothing() {
    let off = Intent { cni: Some(said(Cni::None)), backend: Some(said(Backend::None)), ..Intent::default() };
    let of = |facts: &Facts, intent: &Intent| {
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
