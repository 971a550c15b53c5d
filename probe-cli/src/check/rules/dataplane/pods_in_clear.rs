//! Packets of pods are on the device below a tunnel, in no tunnel.

use super::super::prelude::*;
use crate::model::{Fault, PeerKey, PeerRow, PerDirection, TunnelKind};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "dataplane-pods-in-clear",
    family: Family::Dataplane,
    title: "packets of pods are on the network outside the tunnel",
    symptom: "Traffic that should be encrypted is not, or packets to some pods leave by the default route and are lost.",
    core: false,
    needs: &[Need::Routes, Need::WireguardPeers, Need::Traffic],
    explained_by: &[
        "dataplane-bypassed",
        "dataplane-tunnel-down",
        "peer-fdb-without-route",
        "peer-route-without-neighbour",
        "peer-neighbour-without-fdb",
    ],
    explain: Explain {
        how: "With --with-traffic: packets on the device below the tunnel that are in no tunnel, to or from a pod network of a peer, \
              or of the cluster and no peer. What is routed without a tunnel as intended is not among them.",
        why: "A route to pods leaves by the NIC, or there is none and the default route takes the packets: the tunnel's was deleted, the \
              pod or its node is gone, or another program wrote a more specific one.",
        fix: "Find the route that takes them (`ip route get`) and delete it, or restart the agent that writes the missing one. flannel \
              drops what goes to pods that are gone with --ip-blackhole-route.",
        not_if: "Nodes are changed from a data plane without encapsulation, one after the other.",
        seen_in: "cilium#33690, flannel#2244, rke2#3811",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if !model.tunnels.iter().any(|row| row.outer.is_some()) {
        return Outcome::DoesNotApply("no tunnel whose outer packets are counted");
    }
    let findings = model.faults.iter().filter_map(|fault| {
        let Fault::InClear { tunnel, key, goes } = fault else { return None };
        finding(model, *tunnel, *key, *goes)
    });
    Outcome::Judged(findings.collect())
}

fn finding(model: &Model, ifindex: u32, key: Option<PeerKey>, goes: PerDirection<bool>) -> Option<Finding> {
    let tunnel = model.inventory.tunnel(ifindex)?;
    let is_it = |row: &&PeerRow| {
        row.tunnel == ifindex && row.gone == 0 && row.peer.as_ref().map(|peer| peer.key) == key
    };
    let row = model.peers.iter().find(is_it)?;
    let name = escape(&tunnel.name);
    // Nobody reads what is lost, and nothing is secret that is not encrypted in the tunnel either.
    let (severity, how) = match tunnel.kind {
        TunnelKind::Wireguard => (Fail, "are not encrypted"),
        TunnelKind::Vxlan | TunnelKind::Ipip | TunnelKind::Geneve | TunnelKind::Udp => {
            (Warn, "are in no tunnel")
        }
    };
    let (kind, subject, summary) = match &row.peer {
        Some(peer) => {
            let node = peer.node_address.map_or_else(|| peer.key.short(), |address| address.to_string());
            let way = if goes.tx { "to" } else { "from" };
            let summary = format!("Packets {way} pods of {node} {how}: {name} does not carry them.");
            (SubjectKind::Peer, node, summary)
        }
        None => (
            SubjectKind::Interface,
            tunnel.name.clone(),
            format!("Packets to pod addresses of no node leave this node, and {how}."),
        ),
    };
    let outer = row.outer?;
    let mut finding = Finding::new(severity, kind, &subject, summary).on(ifindex);
    for (direction, is_there, flow) in [("sent", goes.tx, outer.tx), ("received", goes.rx, outer.rx)] {
        if is_there {
            let packets = flow.total.in_clear.packets;
            finding = finding.seen(format!("packets {direction}"), packets, "below the tunnel (eBPF)");
        }
    }
    Some(match (key, goes.tx) {
        (Some(_), true) => finding
            .fix("Find the route that takes them, and delete it; or restart the CNI's agent, which writes the missing one.")
            .run("ip route show table all"),
        (Some(_), false) => finding.fix_elsewhere(
            "look at that node's routes to this node's pods: it sends these packets without the tunnel; `overlay-probe check \
             --with-traffic` there says more.",
        ),
        (None, _) => finding
            .fix("Find out whose address it is; give flannel --ip-blackhole-route, and restart its agent where a node's route is missing.")
            .run("ip route show table all"),
    })
}
