//! Packets to other nodes are dropped since the tunnel does not know where they go.

use super::{
    super::{drops, prelude::*},
    restart,
};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-packets-without-fdb",
    family: Family::Peers,
    title: "packets are dropped for want of an FDB entry",
    symptom: "Pods of one other node are not reached; nothing answers.",
    core: false,
    needs: &[Need::Traffic, Need::Drops],
    explained_by: &["peer-neighbour-without-fdb", "peer-route-without-neighbour", "peer-family-missing"],
    explain: Explain {
        how: "With --with-traffic: unicast packets that a VXLAN device drops for NO_TX_TARGET (VXLAN_NO_REMOTE before). Kernels that \
              have neither do not say that they drop such packets.",
        why: "The device has no FDB entry for the VTEP MAC address that the packet is to: the agent did not write it, or somebody \
              deleted it.",
        fix: "Restart the CNI's agent, which writes the entries.",
        not_if: "Multicast packets are dropped for the same reason and are not counted: IPv6 sends some by itself.",
        seen_in: "flannel#1155, flannel#1009",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let is_meant = |row: &crate::model::DropRow| drops::is_on_tunnel(row) && !row.to_group;
    drops::judged(model, &["NO_TX_TARGET", "VXLAN_NO_REMOTE"], is_meant, |row| {
        let device = escape(row.device.name());
        let to =
            row.last.destination.map_or_else(|| "another node".to_owned(), |address| address.to_string());
        let mac = row.last.mac.map_or_else(|| "its MAC address".to_owned(), |mac| mac.to_string());
        let finding = Finding::new(
            Fail,
            SubjectKind::Interface,
            row.device.name(),
            format!("Packets to {to} are dropped: {device} has no FDB entry for {mac}."),
        );
        restart(model, drops::seen(finding, &[row]).on(row.ifindex))
    })
}
