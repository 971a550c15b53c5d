//! The kernel drops packets of the overlay for a reason that no other check is about.

use super::super::{drops, prelude::*};
use crate::model::DropRow;

/// What other checks are about, by these packets or by counters.
const OF_OTHERS: [&str; 9] = [
    "CPU_BACKLOG",
    "IP_RPFILTER",
    "LOCAL_MAC",
    "NO_TX_TARGET",
    "OTHERHOST",
    "PKT_TOO_BIG",
    "TCP_CSUM",
    "VXLAN_NO_REMOTE",
    "VXLAN_VNI_NOT_FOUND",
];

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-packets-dropped",
    family: Family::Dataplane,
    title: "the kernel drops packets of the overlay",
    symptom: "Connections between pods are slow, hang or time out.",
    core: false,
    needs: &[Need::Traffic, Need::Drops],
    explained_by: &[],
    explain: Explain {
        how: "With --with-traffic: unicast packets that the kernel drops on tunnels, on the node's ends of pods' interfaces, and of \
              tunnels' packets on the devices below, by reason; ten and more in the window. Reasons of sockets and of TCP itself, and \
              what policy drops between pods, are not counted.",
        why: "By reason: NEIGH_FAILED, the next hop does not answer. IP_INNOROUTES and IP_OUTNOROUTES, no route. UDP_CSUM and SKB_CSUM, \
              packets arrive damaged, or an offload is broken. QDISC_DROP, more is sent than the device takes. FRAG_REASM_TIMEOUT, \
              fragments get lost on the way. NO_SOCKET, nobody has the tunnel's port.",
        fix: "By reason. NEIGH_FAILED: `ip neigh`; the next hop is off or has another address. IP_INNOROUTES, IP_OUTNOROUTES: `ip route get \
              DESTINATION`; restart the CNI's agent when a node's route is missing. UDP_CSUM, SKB_CSUM: turn tx-checksum-ip-generic off \
              on the sender's tunnel. QDISC_DROP: `tc -s qdisc`; more is sent than the NIC takes. FRAG_REASM_TIMEOUT: see \
              mtu-outer-fragments. NO_SOCKET: the tunnel is down, or has another port. Others are explained in \
              include/net/dropreason-core.h of the kernel's source.",
        not_if: "A program sends to pods or nodes that do not exist any more.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let Some(found) = model.drops.value() else {
        return Outcome::DoesNotApply("no tunnel whose packets are watched");
    };
    let is_meant = |row: &&DropRow| {
        let reason = row.reason.as_str();
        !row.to_group && row.is_more_than_noise() && !OF_OTHERS.contains(&reason) && !row.is_policy()
    };
    let rows: Vec<&DropRow> = found.rows.iter().filter(is_meant).collect();
    let Some(most) = rows.iter().max_by_key(|row| row.packets) else { return Outcome::Judged(Vec::new()) };
    let finding = Finding::new(
        Warn,
        SubjectKind::Interface,
        most.device.name(),
        format!(
            "The kernel drops packets of the overlay: {} in the window, most of them on {} for {}.",
            drops::packets(&rows),
            escape(most.device.name()),
            escape(&most.reason),
        ),
    );
    Outcome::Judged(vec![drops::seen(finding, &rows).fix(
        "See what to do for this reason with `overlay-probe check --explain dataplane-packets-dropped`; see who sends the packet that is shown, \
         and whether its destination exists.",
    )])
}
