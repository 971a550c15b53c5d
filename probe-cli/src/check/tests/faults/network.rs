//! Faults of devices, routes, sizes and counters that were found later.

use super::{Fault, canal, flannel_conf, sourced, wg};
use crate::{
    check::testdata::Node,
    facts::{
        files::{Firewall, FirewallKind},
        netlink::{Ipv4Conf, LinkFact, PolicyTableFact, RouteFact, RouteType, RuleFact, WireguardFact},
    },
    inventory::testdata::*,
    observed::Observed,
};

/// Index of Calico's WireGuard device.
pub(in crate::check::tests) const CALICO_WG: u32 = 30;
/// The mark of its packets.
pub(in crate::check::tests) const MARK: u32 = 0x0010_0000;

/// All of them.
pub(super) fn all() -> Vec<Fault> {
    vec![
        Fault {
            raises: "dataplane-missing",
            with: &[],
            base: Node::cilium,
            change: |node| node.facts().links.retain(|link| link.name != "cilium_vxlan"),
        },
        canal("dataplane-underlay-dummy", dummy_below),
        canal("dataplane-netem", |node| with_qdisc(node, FLANNEL, "netem")),
        canal("dataplane-netem", |node| with_qdisc(node, 20, "netem")),
        canal("dataplane-default-routes-differ", two_default_nics),
        canal("mtu-tunnel-exceeds-configured", |node| {
            flannel_conf(node, |conf| conf.mtu = Some(sourced(1450, 7)));
        }),
        canal("peer-blackholed", |node| node.facts().routes.push(blackhole("10.42.9.0/24"))),
        // The agent cannot write its route beside it.
        canal("peer-blackholed", |node| {
            node.facts().routes.retain(|route| route.destination != net("10.42.2.0/24"));
            node.facts().routes.push(blackhole("10.42.2.0/24"));
        }),
        wg("peer-blackholed", |node| node.facts().routes.push(blackhole("10.42.2.0/24"))),
        canal("peer-blackholed", |node| {
            let half = RouteFact { kind: RouteType::Unreachable, ..blackhole("10.42.2.0/25") };
            node.facts().routes.push(half);
        }),
        canal("dataplane-bypassed", |node| {
            node.facts().routes.push(route("10.42.2.0/25", Some("192.0.2.2"), ETH0));
        }),
        wg("dataplane-bypassed", |node| {
            node.facts().routes.push(route("10.42.2.7/32", Some("192.0.2.2"), ETH0));
        }),
        canal("dataplane-pods-ruled-away", |node| {
            let dropping = Some(RouteType::Prohibit);
            ruled(node, RuleFact { from: Some(net("10.42.0.0/24")), dropping, ..RuleFact::default() });
        }),
        canal("dataplane-pods-ruled-away", |node| {
            ruled(node, RuleFact { from: Some(net("10.42.0.0/16")), table: Some(77), ..RuleFact::default() });
        }),
        canal("host-forwarding-off", |node| node.ipv4_conf(FLANNEL, Ipv4Conf::default())),
        canal("peer-old-mac", |node| node.statistics(FLANNEL).rx_otherhost_dropped = Some(60)),
        wg("wireguard-no-peer", |node| node.statistics(5).tx_errors = 60),
        wg("wireguard-source-refused", |node| node.statistics(5).rx_frame_errors = 3),
        wg("wireguard-source-refused", |node| node.statistics(5).rx_frame_errors = 60),
        // Something is sent, and no session can be made.
        wg("wireguard-handshake-old", |node| {
            node.wireguard_sends = 148;
            for sample in node.wireguard.values_mut().take(1) {
                sample.last_handshake = Some(std::time::Duration::from_secs(1_000_000 - 900));
            }
        }),
        canal("wireguard-rule-missing", calico_wireguard).with(&["dataplane-stale-device"]),
        canal("host-firewall-active", |node| {
            let kind = FirewallKind::Ufw;
            node.files().firewalls = vec![Firewall { kind, is_on: Some(true), passes: Vec::new() }];
        }),
        canal("host-firewall-active", |node| {
            let kind = FirewallKind::Firewalld;
            node.files().firewalls = vec![Firewall { kind, is_on: Some(true), passes: Vec::new() }];
        }),
    ]
}

/// Gives a device another qdisc.
pub(in crate::check::tests) fn with_qdisc(node: &mut Node, ifindex: u32, qdisc: &str) {
    for link in node.facts().links.iter_mut().filter(|link| link.ifindex == ifindex) {
        link.qdisc = Some(qdisc.to_owned());
    }
}

/// A device that leads nowhere below flannel.1.
pub(in crate::check::tests) fn dummy_below(node: &mut Node) {
    let facts = node.facts();
    facts.links.push(LinkFact { kind: Some("dummy".to_owned()), ..ethernet(9, "dummy0") });
    for link in facts.links.iter_mut().filter(|link| link.ifindex == FLANNEL) {
        link.vxlan.as_mut().unwrap().link = Some(9);
    }
}

/// IPv6 has its default route by another NIC, on a server whose manifests name none.
pub(in crate::check::tests) fn two_default_nics(node: &mut Node) {
    node.files().charts = Observed::Value(Vec::new());
    node.facts().links.push(ethernet(9, "eth1"));
    node.facts().routes.retain(|route| route.destination != net("::/0"));
    node.facts().routes.push(route("::/0", Some("2001:db8:1::fe"), 9));
}

/// Calico's device with two peers, and nothing that leads to it.
pub(in crate::check::tests) fn calico_wireguard(node: &mut Node) {
    node.pod_mtu(1420);
    let facts = node.facts();
    facts.links.push(wireguard(CALICO_WG, "wireguard.cali"));
    let device = wireguard_fact(CALICO_WG, 51820, &["10.42.2.0/24", "10.42.3.0/24"]);
    facts.wireguard.push(told(WireguardFact { fwmark: MARK, ..device }));
}

/// Gives the node a policy rule of IPv4 before the main table, and table 77 a default route.
pub(in crate::check::tests) fn ruled(node: &mut Node, mut rule: RuleFact) {
    (rule.family, rule.priority) = (4, 100);
    let main = RuleFact { family: 4, priority: 32_766, table: Some(254), ..RuleFact::default() };
    node.facts().rules = Observed::Value(vec![rule, main]);
    let routes = Observed::Value(vec![route("0.0.0.0/0", Some("192.0.2.254"), ETH0)]);
    node.facts().policy_tables = vec![PolicyTableFact { table: 77, family: 4, routes }];
}
