//! Two WireGuard peers of a device claim overlapping networks.

use ipnet::IpNet;

use super::{super::prelude::*, peers};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "wireguard-allowed-ips-overlap",
    family: Family::Wireguard,
    title: "allowed IPs of two WireGuard peers overlap",
    symptom: "Some pods of a node are not reached: their packets go to another node, and answers are dropped.",
    core: false,
    needs: &[Need::WireguardPeers],
    explained_by: &[],
    explain: Explain {
        how: "Allowed IPs of one device, where a network of one peer is inside of another peer's.",
        why: "Two nodes have overlapping pod networks, or a node was replaced and its old peer kept a larger network.",
        fix: "Give the nodes networks of their own; restart the agent, which removes stale peers.",
        not_if: "The smaller network was moved on purpose, as Calico does with single addresses.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let peers = peers(model);
    if peers.is_empty() {
        return Outcome::DoesNotApply("no WireGuard peer is here");
    }
    let mut all: Vec<(u32, IpNet, usize)> = Vec::new();
    for (number, (row, _)) in peers.iter().enumerate() {
        let networks = row.peer.iter().flat_map(|peer| &peer.pod_cidrs);
        all.extend(networks.map(|network| (row.tunnel, *network, number)));
    }
    // A network is right behind those that it is inside of.
    all.sort_by_key(|(tunnel, network, _)| (*tunnel, network.network(), network.prefix_len()));
    let mut findings = Vec::new();
    let mut around: Vec<(u32, IpNet, usize)> = Vec::new();
    for (tunnel, network, number) in all {
        around.retain(|(of, outer, _)| *of == tunnel && outer.contains(&network));
        let is_single = network.prefix_len() == network.max_prefix_len();
        let other = around.iter().find(|(_, _, other)| *other != number);
        if let (Some((_, outer, other)), false) = (other, is_single) {
            let (row, _) = &peers[number];
            let (owner, _) = &peers[*other];
            let name = escape(&row.tunnel_name);
            let (peer, owner) = (row.label().unwrap_or_default(), owner.label().unwrap_or_default());
            findings.push(
                Finding::new(
                    Warn,
                    SubjectKind::Peer,
                    &peer,
                    format!("{network} of {} is inside of {outer} of {} on {name}.", escape(&peer), escape(&owner)),
                )
                .seen(escape(&peer), network, format!("wg show {name} allowed-ips"))
                .seen(escape(&owner), outer, format!("wg show {name} allowed-ips"))
                .fix("Restart the CNI's agent on this node, which removes stale peers; where both nodes exist, correct their podCIDRs."),
            );
        }
        around.push((tunnel, network, number));
    }
    Outcome::Judged(findings)
}
