//! No route leads to other nodes' addresses on the network below.

use std::net::IpAddr;

use super::super::prelude::*;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-unrouted",
    family: Family::Peers,
    title: "no route leads to another node on the network below",
    symptom: "Pods of some other nodes are not reached; the tunnel counts carrier errors.",
    core: true,
    needs: &[Need::Routes, Need::TunnelTables, Need::WireguardPeers],
    explained_by: &["dataplane-underlay-down"],
    explain: Explain {
        how: "For each peer's node address, the route that outer packets take.",
        why: "The default route is missing, nodes are in networks without a route between them, or a blackhole route covers one.",
        fix: "Add the route, in the configuration of the NIC so that it lasts.",
        not_if: "",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let routes = &model.inventory.outer_routes;
    if routes.is_empty() {
        return Outcome::DoesNotApply("no peer's address is known");
    }
    let of_cni = routes.iter().filter(|route| model.inventory.is_of_cni(route.tunnel));
    let without: Vec<_> = of_cni.filter(|route| route.destination.is_none()).collect();
    if let Some(outcome) = super::beside_policy_routes(model).filter(|_| !without.is_empty()) {
        return outcome;
    }
    Outcome::Judged(without.into_iter().map(|route| finding(model, route.tunnel, route.peers)).collect())
}

fn finding(model: &Model, tunnel: u32, peers: usize) -> Finding {
    let name = super::tunnel_name(model, tunnel);
    let finding = Finding::new(
        Fail,
        SubjectKind::Interface,
        &name,
        format!("No route leads to {} of {name}.", counted(peers, "peer")),
    )
    .on(tunnel);
    let mut nodes = model.inventory.peers.iter().filter(|peer| peer.tunnel == tunnel);
    let dropped = nodes.find_map(|peer| Some((peer.node_address?, dropper(model, peer.node_address?)?)));
    match dropped {
        Some((node, by)) => finding
            .seen(format!("route to {node}"), &by, "ip route")
            .seen("peers without a route", peers, "ip route get")
            .fix("Delete the route that drops these packets, and find who wrote it.")
            .run(format!("ip route del {by}")),
        None => finding
            .seen("peers without a route", peers, "ip route get")
            .fix("Add a route to those nodes, or a default route, in the NIC's configuration.")
            .run("ip route"),
    }
}

/// The route that drops what goes to a node, as ip-route(8) writes it: the most specific one that it is in.
fn dropper(model: &Model, node: IpAddr) -> Option<String> {
    let routes = model.snapshot.netlink.routes.iter().filter(|route| route.destination.contains(&node));
    let best = routes.max_by_key(|route| route.rank())?;
    Some(format!("{} {}", best.kind.dropping()?, best.destination))
}
