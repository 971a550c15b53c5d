//! Fingerprints of WireGuard devices.

use ipnet::IpNet;

use super::{
    Certainty::{Certain, Likely},
    System,
    signs::{Candidate, NodeSigns, Verdict, in_block},
};
use crate::{facts::netlink::RuleFact, inventory::Tunnel, text::counted};

/// UDP port of Cilium's device.
const CILIUM_PORT: u16 = 51871;
/// UDP ports of flannel's devices, IPv4 and IPv6.
const FLANNEL_PORTS: [u16; 2] = [51820, 51821];
/// Priority of the rule that Calico leads packets to WireGuard by (`WireguardRoutingRulePriority`).
const CALICO_PRIORITY: u32 = 99;

pub(super) fn judge(signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Candidate {
    verdict(signs, tunnel).of(signs, tunnel)
}

fn verdict(signs: &NodeSigns<'_>, tunnel: &Tunnel) -> Verdict {
    let name = &tunnel.name;
    let port = match tunnel.port {
        Some(port) => format!(", port {port}"),
        None if tunnel.told.value().is_some() => " without a port, because it is down".to_owned(),
        None => ", port unknown".to_owned(),
    };
    let mut evidence = vec![format!("{name} is a WireGuard device{port}")];

    if let Some(rule) = calico_rule(signs, tunnel) {
        let table = rule.table.unwrap_or_default();
        evidence.push(format!(
            "rule {CALICO_PRIORITY} leads all packets without its mark to table {table}, as Calico's does"
        ));
        let routes = signs.policy_routes(tunnel.ifindex).count();
        if routes > 0 {
            evidence.push(format!("table {table} has {} by {name}", counted(routes, "route")));
            return Verdict::new(System::Calico, Certain, evidence);
        }
        evidence.push(format!("table {table} has no route by {name}"));
        return Verdict::new(System::Calico, Likely, evidence);
    }
    if tunnel.port == Some(CILIUM_PORT) {
        if let Some(words) = signs.cilium() {
            evidence.push(words);
            return Verdict::new(System::Cilium, Certain, evidence);
        }
        return Verdict::new(System::Cilium, Likely, evidence);
    }

    if let Some(block) = signs.calico_block(tunnel) {
        evidence.push(in_block(block));
        return Verdict::new(System::Calico, Certain, evidence);
    }
    // flannel has one route for the whole cluster, which the node's own network and all peers' are in. That of a VPN may be as
    // wide, but then it is what a peer is allowed, or the peers have networks elsewhere as well.
    let allowed = || {
        let peers = signs.inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex);
        peers.flat_map(|peer| &peer.pod_cidrs)
    };
    let is_of_cluster = |route: IpNet| {
        let mut of_family = allowed().filter(|net| net.addr().is_ipv4() == route.addr().is_ipv4());
        of_family.all(|net| contains_more(route, *net))
    };
    let wide = signs.routes(tunnel.ifindex).find(|route| {
        route.gateway.is_none()
            && signs.inventory.node.pod_cidrs.iter().any(|own| contains_more(route.destination, own.cidr))
            && is_of_cluster(route.destination)
    });
    let base = signs.based_on(tunnel);
    if let Some(base) = base {
        evidence.push(format!("{name} has the first address of the node's pod network {base}"));
    }
    if let Some(route) = wide {
        let route = route.destination;
        evidence.push(format!("route {route} by {name} covers the node's own pod network and others"));
    }
    let is_port = tunnel.port.is_some_and(|port| FLANNEL_PORTS.contains(&port));
    let is_named = name.starts_with("flannel");
    if name == "flannel.1" {
        evidence.push("flannel.1 of this kind is the backend that k3s had before 1.26".to_owned());
    } else if is_named {
        evidence.push("its name is flannel's".to_owned());
    }
    let structure = base.is_some() || wide.is_some();
    if structure || (is_named && (is_port || tunnel.port.is_none())) {
        let (system, words) = signs.flannel();
        evidence.push(words);
        let sure = structure && (wide.is_some() || is_port || is_named);
        return Verdict::new(system, if sure { Certain } else { Likely }, evidence);
    }
    if matches!(name.as_str(), "wireguard.cali" | "wg-v6.cali") {
        evidence.push(format!("its name is Calico's; no rule {CALICO_PRIORITY} leads packets to it"));
        return Verdict::new(System::Calico, Likely, evidence);
    }
    Verdict::unknown(evidence)
}

/// The rule by which Calico leads packets to this device: for all that do not have the mark of its own outer packets. The
/// mark is not known where the device could not be read.
fn calico_rule<'a>(signs: &NodeSigns<'a>, tunnel: &Tunnel) -> Option<&'a RuleFact> {
    let device = signs.index.wireguard(tunnel.ifindex);
    let by_route = || signs.policy_routes(tunnel.ifindex).next().is_some();
    signs
        .index
        .facts
        .rules
        .rows()
        .iter()
        .filter(|rule| rule.priority == CALICO_PRIORITY && rule.is_inverted)
        .find(|rule| match (device, rule.mark) {
            (Some(device), Some(mark)) => device.fwmark == mark.value,
            (None, Some(_)) => by_route(),
            (_, None) => false,
        })
}

fn contains_more(wide: IpNet, own: IpNet) -> bool {
    wide.contains(&own) && wide.prefix_len() < own.prefix_len()
}
