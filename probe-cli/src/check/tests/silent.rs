//! What looks like a fault and is none: of each check that could mistake it, its silence.

use std::{sync::Arc, time::Duration};

use super::faults::{
    cni::shim,
    configure, flannel_conf,
    intent::{add_chart, modules},
    network::{CALICO_WG, MARK, calico_wireguard, dummy_below, ruled, two_default_nics, with_qdisc},
    pods::{above, asking, bridged, bridged_pods, inside, pod_told, with_gateway, without_address},
    sourced,
    sriov::without_iommu,
    without_peers,
};
use crate::{
    check::{REGISTRY, run, testdata::Node},
    facts::{
        files::{Firewall, FirewallKind, Passed, Sourced},
        host::Installed,
        netlink::{FwMark, Ipv4Conf, LinkFact, PolicyTableFact, RouteFact, RouteType, RuleFact},
        pods::{Allocation, Sandbox},
    },
    inventory::testdata::*,
    model::{Limit, PlannedBackend},
    observed::Observed,
};

struct Silent {
    check: &'static str,
    what: &'static str,
    base: fn() -> Node,
    change: fn(&mut Node),
}

const fn of(check: &'static str, what: &'static str, base: fn() -> Node, change: fn(&mut Node)) -> Silent {
    Silent { check, what, base, change }
}

const ALL: &[Silent] = &[
    of("dataplane-tunnel-unconfigured", "the only node of a cluster", Node::canal, without_peers),
    of("host-firewall-active", "it is off", Node::canal, |node| firewall(node, Some(false), Vec::new())),
    of("host-firewall-active", "it lets the tunnel's port in", Node::canal, |node| {
        firewall(node, Some(true), vec![Passed::Ports { first: 8000, last: 9000 }]);
    }),
    of("host-firewall-active", "it trusts the pods' network", Node::wireguard, |node| {
        firewall(node, Some(true), vec![Passed::Network(net("10.42.0.0/16"))]);
    }),
    of("host-firewall-active", "it trusts the nodes' network", Node::host_gw, |node| {
        firewall(node, Some(true), vec![Passed::Network(net("192.0.2.0/24"))]);
    }),
    of("host-firewall-active", "it trusts the NIC", Node::canal, |node| {
        firewall(node, Some(true), vec![Passed::Interface("eth+".to_owned())]);
    }),
    of("dataplane-default-routes-differ", "the interface is named", Node::canal, |node| {
        two_default_nics(node);
        node.set("flannel.iface", "eth0");
    }),
    of("dataplane-default-routes-differ", "no manifest could name one", Node::canal, |node| {
        two_default_nics(node);
        node.files().charts = Observed::Absent;
    }),
    of("dataplane-default-routes-differ", "a second default route is not preferred", Node::canal, |node| {
        node.files().charts = Observed::Value(Vec::new());
        node.facts().links.push(ethernet(9, "eth1"));
        let second = RouteFact { metric: 200, ..route("::/0", Some("2001:db8:1::fe"), 9) };
        node.facts().routes.push(second);
    }),
    of("dataplane-default-routes-differ", "IPv6 is not carried", Node::wireguard, two_default_nics),
    of("dataplane-netem", "the bandwidth plugin limits a pod", Node::canal, |node| {
        with_qdisc(node, 20, "tbf");
    }),
    of("dataplane-netem", "the NIC carries nothing of pods", Node::canal, |node| {
        node.facts().links.push(ethernet(9, "eth1"));
        with_qdisc(node, 9, "netem");
    }),
    of("dataplane-underlay-dummy", "there is no other node", Node::canal, |node| {
        dummy_below(node);
        let facts = node.facts();
        facts.routes.retain(|route| route.ifindex != Some(FLANNEL));
        facts.fdb.clear();
        facts.neighbours.clear();
    }),
    of("intent-vxlan-impossible", "the module is loaded when it is needed", Node::wireguard, |node| {
        node.set("flannel.backend", "vxlan");
        modules(node, Installed::Loadable);
    }),
    of("intent-vxlan-impossible", "its device is there all the same", Node::canal, |node| {
        modules(node, Installed::Missing);
    }),
    of("intent-direct-routing-unused", "the other nodes are behind a router", Node::canal, |node| {
        flannel_conf(node, |conf| conf.direct_routing = Some(sourced(true, 7)));
        node.facts().routes.retain(|route| route.destination != net("192.0.2.0/24"));
        node.facts().routes.push(route("192.0.2.0/24", Some("198.51.100.1"), ETH0));
    }),
    of("intent-direct-routing-unused", "it is turned off", Node::canal, |node| {
        flannel_conf(node, |conf| conf.direct_routing = Some(sourced(false, 7)));
    }),
    of("intent-cni-refused", "Multus is first", Node::canal, |node| configure(node, "cni", "multus,canal")),
    of("intent-chart-unmatched", "its chart is there", Node::canal, |node| {
        node.set("calico.vethuMTU", "1430");
        add_chart(node, "rke2-canal");
    }),
    of("intent-chart-unmatched", "its chart may be in the API only", Node::canal, |node| {
        node.set("calico.vethuMTU", "1430");
        add_chart(node, "rke2-canal");
        if let Observed::Value(charts) = &mut node.files().charts {
            charts[0].name.value = "somebodys".to_owned();
        }
    }),
    of("mtu-tunnel-exceeds-configured", "a jumbo network is configured", Node::canal, |node| {
        flannel_conf(node, |conf| conf.mtu = Some(sourced(9000, 7)));
    }),
    of("peer-blackholed", "it is Calico's", Node::canal, |node| {
        let block = RouteFact { protocol: 80, ..blackhole("10.42.9.0/24") };
        node.facts().routes.push(block);
    }),
    of("peer-blackholed", "it is outside of the cluster", Node::canal, |node| {
        node.facts().routes.push(blackhole("198.51.100.0/24"));
        node.facts().routes.push(blackhole("10.42.128.0/17"));
    }),
    of("peer-blackholed", "the tunnel's own route is taken", Node::canal, |node| {
        node.facts().routes.push(RouteFact { kind: RouteType::Unreachable, ..blackhole("10.42.0.0/16") });
    }),
    of("dataplane-bypassed", "it leads to a pod of this node", Node::canal, |node| {
        node.facts().routes.push(route("10.42.2.7/32", None, 20));
    }),
    of("dataplane-bypassed", "Calico lent the address", Node::canal, |node| {
        node.facts()
            .routes
            .push(RouteFact { protocol: 80, ..route("10.42.2.7/32", Some("192.0.2.3"), ETH0) });
    }),
    of("dataplane-bypassed", "the tunnel's own route is taken", Node::canal, |node| {
        node.facts().routes.push(RouteFact { metric: 100, ..route("10.42.2.0/24", Some("192.0.2.2"), ETH0) });
    }),
    of("dataplane-pods-ruled-away", "it is for the node's own address", Node::canal, |node| {
        ruled(node, RuleFact { from: Some(net("192.0.2.1/32")), table: Some(77), ..RuleFact::default() });
    }),
    of("dataplane-pods-ruled-away", "it is for another destination", Node::canal, |node| {
        let dropping = Some(RouteType::Blackhole);
        ruled(node, RuleFact { to: Some(net("198.51.100.0/24")), dropping, ..RuleFact::default() });
    }),
    of("dataplane-pods-ruled-away", "its default route does not count", Node::canal, |node| {
        ruled(node, RuleFact { table: Some(77), suppressed_prefix_len: Some(0), ..RuleFact::default() });
    }),
    of("dataplane-pods-ruled-away", "pod networks go to the main table before", Node::canal, |node| {
        ruled(node, RuleFact { table: Some(77), ..RuleFact::default() });
        let before = RuleFact {
            family: 4,
            priority: 99,
            to: Some(net("10.42.0.0/16")),
            table: Some(254),
            ..RuleFact::default()
        };
        if let Observed::Value(rules) = &mut node.facts().rules {
            rules.push(before);
        }
    }),
    of("host-forwarding-off", "no pod's packet comes in by it", Node::canal, |node| {
        node.facts().links.push(LinkFact { kind: Some("bridge".to_owned()), ..ethernet(9, "docker0") });
        node.ipv4_conf(9, Ipv4Conf::default());
    }),
    of("pod-gateway-unanswered", "no pod's interface has it", Node::canal, |node| {
        asking(node, "", Vec::new());
        node.ipv4_conf(20, Ipv4Conf { forwarding: 1, ..Ipv4Conf::default() });
        node.ipv4_conf(21, Ipv4Conf { forwarding: 1, ..Ipv4Conf::default() });
    }),
    of("pod-gateway-unanswered", "all devices answer", Node::canal, |node| {
        asking(node, "", Vec::new());
        node.ipv4_conf(20, Ipv4Conf { forwarding: 1, ..Ipv4Conf::default() });
        node.ipv4_conf(21, Ipv4Conf { forwarding: 1, proxy_arp: 1, ..Ipv4Conf::default() });
        node.network().sysctls.ipv4_all.proxy_arp = Observed::Value(1);
    }),
    of("peer-old-mac", "it was counted before", Node::canal, |node| {
        node.statistics(FLANNEL).rx_packets = 1_000;
    }),
    of("wireguard-no-peer", "a multicast packet", Node::wireguard, |node| node.statistics(5).tx_errors = 2),
    of("wireguard-handshake-old", "nothing is sent", Node::wireguard, |node| {
        for sample in node.wireguard.values_mut() {
            sample.last_handshake = Some(Duration::from_secs(1_000_000 - 9_000));
        }
    }),
    of("wireguard-handshake-old", "it is fresh", Node::wireguard, |node| node.wireguard_sends = 100_000),
    of("wireguard-rule-missing", "rule and table are there", Node::canal, |node| {
        calico_wireguard(node);
        let mark = Some(FwMark { value: MARK, mask: MARK });
        let rule = RuleFact {
            family: 4,
            priority: 99,
            mark,
            is_inverted: true,
            table: Some(1),
            ..RuleFact::default()
        };
        node.facts().rules = Observed::Value(vec![rule]);
        let routes = Observed::Value(vec![route("10.42.2.0/24", None, CALICO_WG)]);
        node.facts().policy_tables = vec![PolicyTableFact { table: 1, family: 4, routes }];
    }),
    of("intent-cni-differs", "Canal's own Calico encrypts", Node::canal, calico_wireguard),
    of("pod-network-missing", "its second interface is there", Node::canal, |node| above(node, true)),
    of("pod-network-missing", "its device is no interface", Node::canal, |node| {
        asking(node, "dpdk", Vec::new());
        let pods = std::sync::Arc::make_mut(&mut node.snapshot.pods);
        let mut second = pods.attachments[0].clone();
        second.ifname = "net1".to_owned();
        pods.attachments.push(second);
    }),
    of("pod-network-missing", "nobody kept results", Node::canal, |node| {
        asking(node, "storage", Vec::new());
        std::sync::Arc::make_mut(&mut node.snapshot.pods).attachments.clear();
    }),
    of("pod-unrouted", "the pod's interface is gone", Node::canal, |node| {
        asking(node, "", Vec::new());
        node.facts().links.retain(|link| link.ifindex != 20);
        node.facts().routes.retain(|route| route.ifindex != Some(20));
    }),
    of("pod-interface-down", "the bridge is up", Node::canal, bridged_pods),
    of("pod-interface-down", "the bridge that is down is another's", Node::canal, |node| {
        let bridge = LinkFact { kind: Some("bridge".to_owned()), up: false, ..ethernet(9, "docker0") };
        node.facts().links.push(bridge);
    }),
    of("pod-gateway-unreachable", "the bridge has it", Node::rke2_flannel, with_gateway),
    of("pod-default-route-missing", "a VPN has both halves", Node::canal, |node| {
        asking(node, "", Vec::new());
        inside(node, vec![route("0.0.0.0/1", None, 5), route("128.0.0.0/1", None, 5)]);
    }),
    of("pod-address-missing", "a virtual machine has it", Node::canal, |node| {
        let tap = LinkFact { kind: Some("tun".to_owned()), ..ethernet(3, "tap0") };
        asking(node, "", vec![tap]);
        without_address(node);
    }),
    of("dataplane-missing", "Cilium's own network only", Node::cilium, |node| {
        node.facts().links.retain(|link| link.name != "cilium_vxlan");
        node.facts().routes.retain(|route| route.mtu.is_none());
    }),
    of("dataplane-host-device-down", "it is somebody's, of that name", Node::canal, |node| {
        node.facts().links.push(LinkFact { up: false, ..ethernet(9, "cilium_host") });
    }),
    of("vf-allocation-stale", "its namespace is gone, and sriov-cni removes the file", Node::sriov, |node| {
        let mut pods = (*node.snapshot.pods).clone();
        let netns = "/var/run/netns/cni-9".to_owned();
        pods.allocations = vec![Allocation { pci: "0000:01:01.2".to_owned(), netns }];
        pods.sandboxes = Observed::Value(vec![Sandbox { host_network: true, ..Sandbox::default() }]);
        node.snapshot.pods = Arc::new(pods);
    }),
    of("pod-parent-down", "it is up", Node::canal, |node| above(node, true)),
    of("pod-vlan-without-uplink", "the uplink has it", Node::canal, |node| bridged(node, &[1, 100])),
    of("pod-vlan-without-uplink", "there is no uplink", Node::canal, |node| {
        bridged(node, &[1]);
        for link in node.facts().links.iter_mut().filter(|link| link.ifindex == 9) {
            *link = LinkFact { link_netns: Some(8), ..pod_veth(9, "veth9") };
        }
    }),
    of("vf-iommu-missing", "another VF is in a group", Node::sriov, |node| {
        node.pools(&[("dpdk", &[("devices", "1889"), ("drivers", "vfio-pci")])]);
        without_iommu(node);
        if let Observed::Value(pfs) = &mut node.sriov_facts().pfs {
            pfs[0].vfs[0].iommu_group = Some(7);
        }
    }),
    of("cni-first-file-foreign", "Canal's plugin is Calico's", Node::canal, |node| {
        shim(node, Observed::Value(()));
    }),
    of(
        "mtu-black-hole",
        "a node answers nothing",
        || Node::canal().probing(),
        |node| {
            node.probe("192.0.2.2", |path| (path.measured, path.limit) = (None, Limit::Unanswered));
            node.probe("10.42.2.0", |path| (path.measured, path.limit) = (None, Limit::Unanswered));
        },
    ),
    of(
        "mtu-black-hole",
        "a router says so",
        || Node::canal().probing(),
        |node| {
            let limit = Limit::Said { by: ip("192.0.2.254") };
            node.probe("192.0.2.2", |path| (path.measured, path.limit) = (Some(1400), limit));
        },
    ),
    of(
        "mtu-flows-differ",
        "all flows lose the same",
        || Node::canal().probing(),
        |node| {
            node.probe("192.0.2.2", |path| (path.measured, path.limit) = (Some(1400), Limit::Silent));
        },
    ),
    of(
        "mtu-path-measured-smaller",
        "some flows only are cut",
        || Node::canal().probing(),
        |node| {
            let limit = Limit::SomeFlows { limited: 4, dead: 0, most: 1500, said_by: None };
            node.probe("192.0.2.2", |path| (path.measured, path.limit) = (Some(1400), limit));
            node.probe("10.42.2.0", |path| path.cut_at = Some(1400));
        },
    ),
    of(
        "mtu-path-measured-smaller",
        "the time was up",
        || Node::canal().probing(),
        |node| {
            node.probe("192.0.2.2", |path| (path.measured, path.limit) = (Some(1400), Limit::Unknown));
        },
    ),
    of(
        "mtu-path-measured-smaller",
        "that is a black hole",
        || Node::canal().probing(),
        |node| {
            node.probe("192.0.2.2", |path| (path.measured, path.limit) = (Some(1400), Limit::Silent));
            node.probe("10.42.2.0", |path| path.cut_at = Some(1400));
        },
    ),
    of("mtu-path-smaller", "a pod was told what the tunnel carries", Node::canal, |node| {
        pod_told(node, "10.42.2.7", 1450);
    }),
    of("mtu-path-smaller", "a pod was told less of an address outside the cluster", Node::canal, |node| {
        pod_told(node, "198.51.100.7", 1400);
    }),
    of("mtu-planned-exceeded", "nobody plans anything", Node::canal, |node| node.pod_mtu(1450)),
    of(
        "mtu-planned-exceeded",
        "what is set suits",
        || Node::canal().before_wireguard(),
        |node| {
            node.pod_mtu(1450);
            node.set("calico.vethuMTU", "1400");
        },
    ),
    of(
        "wireguard-port-taken",
        "flannel's own device is left",
        || Node::canal().before_wireguard(),
        |node| {
            let facts = node.facts();
            facts.links.push(wireguard(9, "flannel-wg"));
            facts.wireguard.push(told(wireguard_fact(9, 51820, &[])));
        },
    ),
    of("wireguard-port-taken", "WireGuard is there already", Node::wireguard, |node| {
        node.planned = Some(PlannedBackend::Wireguard);
    }),
    of(
        "host-firewall-active",
        "the new port is let in",
        || Node::canal().before_wireguard(),
        |node| {
            firewall(node, Some(true), vec![Passed::Ports { first: 51820, last: 51821 }]);
        },
    ),
    of("cni-multus-daemon-missing", "its socket is there", Node::canal, |node| {
        shim(node, Observed::Value(()));
    }),
];

fn firewall(node: &mut Node, is_on: Option<bool>, passes: Vec<Passed>) {
    let passes = passes.into_iter().map(|value| Sourced { value, ..sourced((), 3).with(Passed::All) });
    let kind = FirewallKind::Firewalld;
    node.files().firewalls = vec![Firewall { kind, is_on, passes: passes.collect() }];
}

#[test]
fn what_looks_like_a_fault_is_none() {
    let mut wrong = Vec::new();
    for Silent { check, what, base, change } in ALL {
        let mut node = base();
        change(&mut node);
        let rows = run(&node.model(), REGISTRY).rows;
        let row = rows.iter().find(|row| row.check.id == *check).unwrap();
        if row.severity().is_some() {
            wrong.push(format!("{check}, {what}: {:?}", row.outcome));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
