//! A tunnel's packets cross the network as fragments.

use super::{super::prelude::*, counted_per_second, lowered_or, oversize};
use crate::model::{OuterFlow, PeerRow, TunnelRow};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "mtu-outer-fragments",
    family: Family::Mtu,
    title: "a tunnel's packets are sent or received as fragments",
    symptom: "Throughput between nodes is low, and large transfers hang where a network drops fragments.",
    core: false,
    needs: &[Need::Routes, Need::Traffic],
    explained_by: &["mtu-tunnel-exceeds-underlay", "mtu-packets-too-big", "mtu-path-smaller"],
    explain: Explain {
        how: "With --with-traffic: outer packets of the tunnel that are fragments, on the device below it, by direction and peer.",
        why: "The sender's tunnel has an MTU that is larger than its NIC's or the path's less the headers, and the kernel does not \
              forbid fragments. Those that are received were made by the node that sent them, or by a router on the way.",
        fix: "Make the sending node's tunnel fit its NIC and the path: lower its MTU, or raise the one below.",
        not_if: "",
        seen_in: "flannel#1011, azure-docs#69477",
    },
    run,
};

/// Peers that are named.
const NAMED: usize = 3;

fn run(model: &Model) -> Outcome {
    if !model.tunnels.iter().any(|row| row.outer.is_some()) {
        return Outcome::DoesNotApply("no tunnel whose outer packets are counted");
    }
    let mut findings = Vec::new();
    for row in &model.tunnels {
        let Some(outer) = &row.outer else { continue };
        if outer.tx.total.fragments > 0 {
            findings.push(sent(model, row, &outer.tx));
        }
        if outer.rx.total.fragments > 0 {
            findings.push(received(model, row, &outer.rx));
        }
    }
    Outcome::Judged(findings)
}

fn sent(model: &Model, row: &TunnelRow, flow: &OuterFlow) -> Finding {
    let name = escape(&row.tunnel.name);
    let finding = Finding::new(
        Warn,
        SubjectKind::Interface,
        &row.tunnel.name,
        format!("Packets of {name} leave this node as fragments."),
    )
    .on(row.tunnel.ifindex);
    let finding = with_peers(evidence(finding, "sent", flow), model, row, |peer| &peer.tx);
    let finding = oversize::fragments(finding, model);
    let otherwise = format!(
        "Lower the tunnel's MTU until nothing is fragmented (`overlay-probe show mtu` has what fits), then recreate the pods; or \
         raise the MTU below {name}."
    );
    lowered_or(model, finding, row.tunnel.ifindex, otherwise)
}

fn received(model: &Model, row: &TunnelRow, flow: &OuterFlow) -> Finding {
    let name = escape(&row.tunnel.name);
    let finding = Finding::new(
        Warn,
        SubjectKind::Interface,
        &row.tunnel.name,
        format!("Packets for {name} arrive as fragments."),
    )
    .on(row.tunnel.ifindex);
    let finding = with_peers(evidence(finding, "received", flow), model, row, |peer| &peer.rx);
    oversize::fragments(finding, model).fix_elsewhere(
        "lower the tunnel's MTU on the nodes that send them, or raise the MTU on the way from there; `overlay-probe check` there says \
         which.",
    )
}

fn evidence(finding: Finding, direction: &str, flow: &OuterFlow) -> Finding {
    finding.seen(
        format!("fragments {direction}"),
        format!(
            "{} of {} packets",
            counted_per_second(flow.total.fragments, flow.rate.map(|rate| rate.fragments_per_s)),
            flow.total.packets
        ),
        "outer packets below the tunnel (eBPF)",
    )
}

/// With the peers that have most of them.
fn with_peers(
    finding: Finding,
    model: &Model,
    row: &TunnelRow,
    of: fn(&crate::model::PerDirection<OuterFlow>) -> &OuterFlow,
) -> Finding {
    let fragments = |peer: &PeerRow| peer.outer.as_ref().map_or(0, |outer| of(outer).total.fragments);
    let mut peers: Vec<(&PeerRow, u64)> = model
        .peers
        .iter()
        .filter(|peer| peer.tunnel == row.tunnel.ifindex)
        .map(|peer| (peer, fragments(peer)))
        .filter(|(_, count)| *count > 0)
        .collect();
    peers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    peers
        .into_iter()
        .take(NAMED)
        .filter_map(|(peer, count)| Some((peer.label()?, count)))
        .fold(finding, |finding, (peer, count)| {
            finding.seen(format!("peer {}", escape(&peer)), count, "fragments (eBPF)")
        })
}
