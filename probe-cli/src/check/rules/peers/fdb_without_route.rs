//! A remote VTEP is known, and no pod network is routed to it.

use super::{super::prelude::*, missing, restart, tunnel_name};
use crate::model::{Fault, PeerKey};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-fdb-without-route",
    family: Family::Peers,
    title: "no route leads to another node's pods",
    symptom: "Pods of one other node are not reached; packets to them may leave by the default route, in clear.",
    core: true,
    needs: &[Need::Routes, Need::TunnelTables],
    explained_by: &[
        "dataplane-tunnel-down",
        "peer-route-without-neighbour",
        "peer-neighbour-without-fdb",
        // The kernel takes no route by a gateway that is its own address.
        "peer-own-address",
        "peer-blackholed",
    ],
    explain: Explain {
        how: "Each FDB entry of a VXLAN device with a destination, against routes by the device.",
        why: "A network manager deleted the route, or the device was down for a moment: the kernel removes its routes then, and \
              the FDB stays.",
        fix: "Restart the agent, and find who deletes routes (NetworkManager, systemd-networkd).",
        not_if: "The entry is of a node that left the cluster: then it does no harm.",
        seen_in: "rke2#3811, flannel#958",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    missing(model, |fault| {
        let Fault::NoRoute { tunnel, key: PeerKey::Mac(mac), node_address, .. } = fault else { return None };
        let name = tunnel_name(model, *tunnel);
        let node = node_address.map_or_else(|| mac.to_string(), |address| address.to_string());
        Some(restart(
            model,
            Finding::new(
                Fail,
                SubjectKind::Peer,
                &node,
                format!("No route leads to the pods of {node} by {name}."),
            )
            .seen("routes by its gateway", 0, "ip route")
            .seen(format!("FDB entry {mac}"), node, format!("bridge fdb show dev {name}")),
        ))
    })
}
