//! Two peers of a tunnel are sent to one node.

use std::{collections::BTreeMap, net::IpAddr};

use super::super::prelude::*;
use crate::model::Peer;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "peer-destination-shared",
    family: Family::Peers,
    title: "two peers of a tunnel have one node address",
    symptom: "Pods of one of two nodes are not reached.",
    core: false,
    needs: &[Need::TunnelTables, Need::WireguardPeers],
    explained_by: &["peer-vtep-mac-shared"],
    explain: Explain {
        how: "Destinations of FDB entries, and endpoints of WireGuard peers, that are equal on one tunnel.",
        why: "Nodes announce an address that several of them have: that of a NAT network (10.0.2.15), a floating address; or an \
              entry of a node that was replaced stayed.",
        fix: "Give each node its own address: flannel.iface, node-ip, or the annotation public-ip-overwrite.",
        not_if: "The nodes are behind one NAT address and have different WireGuard ports.",
        seen_in: "k3s#1824, rancher#14721",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    if model.inventory.peers.is_empty() {
        return Outcome::DoesNotApply("no peer is known");
    }
    let mut by_address: BTreeMap<(u32, IpAddr, u16), Vec<&Peer>> = BTreeMap::new();
    let of_cni = model.inventory.peers.iter().filter(|peer| model.inventory.is_of_cni(peer.tunnel));
    for peer in of_cni.filter(|peer| !peer.pod_cidrs.is_empty()) {
        let Some(address) = peer.node_address else { continue };
        let port = peer.wireguard.and_then(|peer| peer.endpoint).map_or(0, |endpoint| endpoint.port());
        by_address.entry((peer.tunnel, address, port)).or_default().push(peer);
    }
    let shared = by_address.into_iter().filter(|(_, peers)| peers.len() > 1);
    Outcome::Judged(
        shared
            .map(|((tunnel, address, _), peers)| {
                let name = super::tunnel_name(model, tunnel);
                let mut finding = Finding::new(
                    Fail,
                    SubjectKind::Peer,
                    &address.to_string(),
                    format!("{} peers of {name} are sent to {address}: one of them is another node.", peers.len()),
                )
                .on(tunnel);
                for peer in peers.iter().take(4) {
                    let networks: Vec<String> = peer.pod_cidrs.iter().take(3).map(ToString::to_string).collect();
                    finding = finding.seen(networks.join(", "), address, format!("peer {} of {name}", peer.key.short()));
                }
                finding.fix_elsewhere(
                    "set flannel.iface or node-ip on the nodes of these pod networks, so that each announces its own address, \
                     and restart the CNI's agent there.",
                )
            })
            .collect(),
    )
}
