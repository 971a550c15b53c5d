//! Calico by its operator: the encapsulation of its pools, WireGuard beside it, and how it finds the node's address.

use crate::{
    facts::files::{HostFiles, Sourced},
    intent::{
        Backend, Encryption, Intended, Intent, InterfaceChoice,
        agree::{default, follows, parsed, said},
        charts,
    },
};

const CHART: &str = "rke2-calico";

/// Pools that are looked at.
const POOLS: usize = 8;

pub(super) fn join(files: &HostFiles, intent: &mut Intent, notes: &mut Vec<String>) {
    let is_server = charts::of_rke2(files);
    let pools = (0..POOLS).filter_map(|pool| {
        charts::value(files, CHART, &format!("installation.calicoNetwork.ipPools.{pool}.encapsulation"))
    });
    let first = pools.map(|name| (name, name.value.ends_with("CrossSubnet"))).next();
    let found = first.map(|(name, _)| said(name.with(backend(&name.value))));
    intent.direct_routing = first.filter(|(_, is_direct)| *is_direct).map(|(name, _)| follows(name, true));
    // The chart's default; agents have no chart to look at.
    intent.backend = found.or_else(|| is_server.then(|| default(Backend::Vxlan)));
    if intent.backend.as_ref().is_some_and(|backend| backend.value == Backend::Vxlan) {
        let vni = charts::number(files, CHART, "felixConfiguration.vxlanVNI");
        intent.vni = vni.and_then(|vni| parsed("VNI", vni, notes)).map(said).or(Some(default(4096)));
        let port = charts::number(files, CHART, "felixConfiguration.vxlanPort");
        intent.port = port.and_then(|port| parsed("port", port, notes)).map(said).or(Some(default(4789)));
    }
    let keys = ["felixConfiguration.wireguardEnabled", "felixConfiguration.wireguardEnabledV6"];
    let wireguard = keys.into_iter().filter_map(|key| charts::value(files, CHART, key));
    intent.encryption =
        wireguard.filter(|on| on.value == "true").map(|on| follows(on, Encryption::Wireguard)).next();
    intent.interface = interface(files);
}

/// Names of `encapsulation` in an `Installation` (operator.tigera.io/v1).
fn backend(name: &str) -> Backend {
    match name {
        "VXLAN" | "VXLANCrossSubnet" => Backend::Vxlan,
        "IPIP" | "IPIPCrossSubnet" => Backend::Ipip,
        "None" => Backend::NoEncapsulation,
        other => Backend::Other(other.to_owned()),
    }
}

fn interface(files: &HostFiles) -> Option<Intended<InterfaceChoice>> {
    ["V4", "V6"].into_iter().find_map(|family| {
        let key = |rule: &str| format!("installation.calicoNetwork.nodeAddressAutodetection{family}.{rule}");
        let rule = |rule: &str| charts::value(files, CHART, &key(rule));
        let other = |name: &str, found: &Sourced<String>| {
            said(found.with(InterfaceChoice::Rule(format!("{name} {}", found.value))))
        };
        let pattern = rule("interface");
        let pattern = pattern.map(|found| said(found.with(InterfaceChoice::Pattern(found.value.clone()))));
        pattern.or_else(|| {
            let mut rules = ["skipInterface", "canReach", "cidrs", "kubernetes", "firstFound"].into_iter();
            rules.find_map(|name| rule(name).map(|found| other(name, found)))
        })
    })
}
