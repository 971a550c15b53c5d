//! Nodes of one network are to be reached without a tunnel, and are reached by it.

use super::{
    super::{agent, prelude::*},
    source,
};
use crate::{
    facts::netlink::RouteType,
    model::{Origin, Tunnel, TunnelKind},
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "intent-direct-routing-unused",
    family: Family::Intent,
    title: "direct routing is configured, and nodes of this network are reached by the tunnel",
    symptom: "Throughput between nodes of one network is that of the tunnel, although direct routing was asked for.",
    core: false,
    needs: &[Need::Files, Need::Routes, Need::TunnelTables],
    explained_by: &[],
    explain: Explain {
        how: "flannel's DirectRouting or Calico's CrossSubnet, and peers of the VXLAN device whose node address is in a network that \
              the device below is in.",
        why: "The agent was started before the setting was made, or the tunnel is above another NIC than the one in that network.",
        fix: "Restart the CNI's agents on all nodes.",
        not_if: "The rollout has not reached this node yet.",
        seen_in: "flannel#1554",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let wanted = model.setup.intent.as_ref().and_then(|intent| intent.direct_routing.as_ref());
    let Some(wanted) = wanted.filter(|wanted| wanted.value) else {
        return Outcome::DoesNotApply("direct routing is not configured");
    };
    let inventory = &model.inventory;
    let tunnels = inventory.tunnels.iter();
    let tunnels =
        tunnels.filter(|tunnel| tunnel.kind == TunnelKind::Vxlan && inventory.is_in_use(tunnel.ifindex));
    let place = wanted.file.clone().map_or(Origin::Default, |file| Origin::File { file, line: wanted.line });
    let findings = tunnels.filter_map(|tunnel| {
        let by_tunnel = neighbours(model, tunnel);
        let first = by_tunnel.first()?;
        let name = escape(&tunnel.name);
        Some(
            Finding::new(
                Warn,
                SubjectKind::Interface,
                &tunnel.name,
                format!(
                    "{name} carries packets to {} of this node's own network, which need no tunnel.",
                    counted(by_tunnel.len(), "node")
                ),
            )
            .on(tunnel.ifindex)
            .seen("direct routing", "wanted", source(&place))
            .seen("such as", first, format!("peers of {name}, with routes by it"))
            .fix(
                "Restart the CNI's agents, this node's and the others': they write routes by the nodes' own addresses (traffic to \
                 other nodes stops for a few seconds).",
            ),
        )
    });
    agent::all_restarted(model, Outcome::Judged(findings.collect()))
}

/// Peers with pods behind the tunnel, in a network of the device below it.
fn neighbours(model: &Model, tunnel: &Tunnel) -> Vec<std::net::IpAddr> {
    let routes = &model.snapshot.netlink.routes;
    let is_connected = |node: &std::net::IpAddr| {
        routes.iter().any(|route| {
            route.kind == RouteType::Unicast
                && route.gateway.is_none()
                && route.destination.prefix_len() > 0
                && route.destination.contains(node)
                && tunnel.underlays().any(|below| Some(below.ifindex) == route.ifindex)
        })
    };
    let peers = model.inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex);
    let with_pods = peers.filter(|peer| !peer.pod_cidrs.is_empty());
    with_pods.filter_map(|peer| peer.node_address).filter(is_connected).collect()
}
