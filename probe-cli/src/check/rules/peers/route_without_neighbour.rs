//! The gateway of a pod network has no neighbour entry.

use super::{super::prelude::*, missing, restart, tunnel_name};
use crate::model::Fault;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-route-without-neighbour",
    family: Family::Peers,
    title: "a route to another node's pods has no neighbour entry",
    symptom: "Pods of that network are not reached; connections to them end with \"No route to host\".",
    core: true,
    needs: &[Need::Routes, Need::TunnelTables],
    explained_by: &["dataplane-tunnel-down"],
    explain: Explain {
        how: "Each route by a VXLAN device with a gateway, against the device's neighbour entries.",
        why: "The agent writes three entries for each node: route, neighbour, FDB. A change of the device's MAC address flushes \
              its neighbours, also permanent ones; agents of old versions did not write them again. A route whose node is gone \
              is left when the agent was not running then.",
        fix: "Restart the agent. When the node does not exist any more, delete the route.",
        not_if: "The device has l3miss, and the agent adds entries on demand (flannel before 0.9).",
        seen_in: "flannel#2554",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    missing(model, |fault| {
        let Fault::NoNeighbour { tunnel, pod_cidr, gateway, is_foreign } = fault else { return None };
        let name = tunnel_name(model, *tunnel);
        let finding = |severity, summary| {
            Finding::new(severity, SubjectKind::Peer, &pod_cidr.to_string(), summary)
                .seen(format!("neighbour {gateway}"), "missing", format!("ip neigh show dev {name}"))
                .seen("route", format!("{pod_cidr} via {gateway} dev {name}"), "ip route")
        };
        Some(if *is_foreign {
            finding(
                Warn,
                format!("{pod_cidr} is routed by {name} and is no part of the cluster: the route is stale."),
            )
            .fix("Delete the route: it is of another cluster, or of an earlier pod network.")
            .run(format!("ip route del {pod_cidr} via {gateway} dev {}", quoted_name(model, *tunnel)))
        } else {
            let summary =
                format!("Packets to {pod_cidr} are dropped: {name} has no neighbour entry for {gateway}.");
            restart(model, finding(Fail, summary))
        })
    })
}

fn quoted_name(model: &Model, ifindex: u32) -> String {
    let tunnel = model.inventory.tunnel(ifindex);
    tunnel.map_or_else(|| ifindex.to_string(), |tunnel| quoted(&tunnel.name))
}
