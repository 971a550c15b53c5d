//! Faults that only probes show, and those of a change that is planned.

use std::sync::Arc;

use super::{Fault, sourced};
use crate::{
    check::testdata::Node,
    facts::{
        files::{Firewall, FirewallKind, Passed, Sourced},
        host::HostFacts,
    },
    inventory::testdata::*,
    model::Limit,
    observed::Observed,
};

const fn probed(raises: &'static str, change: fn(&mut Node)) -> Fault {
    Fault { raises, with: &[], base: || Node::canal().probing(), change }
}

const fn planned(raises: &'static str, change: fn(&mut Node)) -> Fault {
    Fault { raises, with: &[], base: || Node::canal().before_wireguard(), change }
}

/// All of them.
pub(super) fn all() -> Vec<Fault> {
    vec![
        probed("mtu-black-hole", |node| {
            node.probe("192.0.2.2", |path| (path.measured, path.limit) = (Some(1400), Limit::Silent));
            // VXLAN over IPv4 gets there in pieces.
            node.probe("10.42.2.0", |path| path.cut_at = Some(1400));
        }),
        probed("mtu-black-hole", |node| {
            node.probe("10.42.3.0", |path| (path.measured, path.limit) = (Some(1350), Limit::SilentBack));
        }),
        probed("mtu-path-measured-smaller", |node| {
            let limit = Limit::Said { by: ip("192.0.2.254") };
            node.probe("192.0.2.2", |path| (path.measured, path.limit) = (Some(1400), limit));
            node.probe("10.42.2.0", |path| path.cut_at = Some(1400));
        }),
        probed("mtu-path-measured-smaller", |node| node.probe("10.42.2.0", |path| path.cut_at = Some(1492))),
        probed("mtu-path-measured-smaller", |node| {
            node.probe("192.0.2.3", |path| (path.measured, path.limit) = (Some(1400), Limit::Here));
        }),
        probed("mtu-flows-differ", |node| {
            let limit = Limit::SomeFlows { limited: 4, dead: 0, most: 1500, said_by: None };
            node.probe("192.0.2.2", |path| (path.measured, path.limit) = (Some(1400), limit));
            // Those that are cut get there.
            node.probe("10.42.2.0", |path| path.cut_at = Some(1400));
        }),
        probed("mtu-flows-differ", |node| {
            let limit =
                Limit::SomeFlows { limited: 3, dead: 1, most: 1450, said_by: Some(ip("192.0.2.254")) };
            node.probe("10.42.2.0", |path| (path.measured, path.limit) = (Some(1350), limit));
        }),
        planned("mtu-planned-exceeded", |node| node.set("calico.vethuMTU", "1430")),
        planned("wireguard-port-taken", |node| {
            let facts = node.facts();
            facts.links.push(wireguard(9, "wg0"));
            facts.wireguard.push(told(wireguard_fact(9, 51820, &[])));
        }),
        planned("intent-wireguard-impossible", |node| {
            let host =
                HostFacts { wireguard_module: Observed::Value(false), ..(*node.snapshot.host).clone() };
            node.snapshot.host = Arc::new(host);
        }),
        planned("host-firewall-active", |node| {
            let passed = Sourced {
                value: Passed::Ports { first: 8472, last: 8472 },
                ..sourced((), 3).with(Passed::All)
            };
            let kind = FirewallKind::Firewalld;
            node.files().firewalls = vec![Firewall { kind, is_on: Some(true), passes: vec![passed] }];
        }),
    ]
}
