//! A neighbour's VTEP MAC address has no FDB entry.

use super::{
    super::{prelude::*, window::over},
    missing, restart, tunnel_name,
};
use crate::model::Fault;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-neighbour-without-fdb",
    family: Family::Peers,
    title: "another node's VTEP has no FDB entry",
    symptom: "Pods of one other node are not reached; nothing answers.",
    core: true,
    needs: &[Need::TunnelTables],
    explained_by: &["dataplane-tunnel-down"],
    explain: Explain {
        how: "The MAC address of each neighbour entry of a VXLAN device, against the device's FDB.",
        why: "The device does not know which node has the MAC address and drops the packet (tx_dropped grows). The agent did not \
              write the entry, or somebody deleted it.",
        fix: "Restart the agent.",
        not_if: "The device floods (an FDB entry of 00:00:00:00:00:00) or learns.",
        seen_in: "flannel#1155",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    missing(model, |fault| {
        let Fault::NoFdb { tunnel, neighbour, mac } = fault else { return None };
        let name = tunnel_name(model, *tunnel);
        let pods = model
            .snapshot
            .netlink
            .routes
            .iter()
            .find(|route| route.ifindex == Some(*tunnel) && route.gateway == Some(*neighbour));
        let what = pods.map_or_else(|| neighbour.to_string(), |route| route.destination.to_string());
        let mut finding = Finding::new(
            Fail,
            SubjectKind::Peer,
            &what,
            format!("Packets to {what} are dropped: {name} has no FDB entry for {mac}."),
        )
        .seen(format!("FDB entry {mac}"), "missing", format!("bridge fdb show dev {name}"))
        .seen(format!("neighbour {neighbour}"), mac, format!("ip neigh show dev {name}"));
        if let Some(window) = model.window.as_ref().and_then(|window| window.links.get(tunnel)) {
            finding = finding.seen(
                "packets dropped",
                window.tx_dropped,
                format!("tx_dropped of {name} {}", over(model)),
            );
        }
        Some(restart(model, finding))
    })
}
