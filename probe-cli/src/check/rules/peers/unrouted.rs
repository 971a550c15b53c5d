//! No route leads to other nodes' addresses on the network below.

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
        why: "The default route is missing, or nodes are in networks without a route between them.",
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
    if !without.is_empty() && super::has_policy_routes(model) {
        return Outcome::NotJudged(
            "policy rules send packets to route tables that were not read: see `ip rule`".to_owned(),
        );
    }
    Outcome::Judged(
        without
            .into_iter()
            .map(|route| {
                let name = super::tunnel_name(model, route.tunnel);
                Finding::new(
                    Fail,
                    SubjectKind::Interface,
                    &name,
                    format!("No route leads to {} of {name}.", counted(route.peers, "peer")),
                )
                .seen("peers without a route", route.peers, "ip route get")
                .fix("Add a route to those nodes, or a default route, in the NIC's configuration.")
                .run("ip route")
            })
            .collect(),
    )
}
