//! WireGuard peers without networks: what agents leave of nodes that are gone.

use std::collections::BTreeMap;

use super::{super::prelude::*, peers};

/// So many of one device do no harm yet.
const MANY: usize = 10;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "wireguard-allowed-ips-missing",
    family: Family::Wireguard,
    title: "many WireGuard peers have no allowed IPs",
    symptom: "None at first; with thousands of peers the agent uses a core.",
    core: false,
    needs: &[Need::WireguardPeers],
    explained_by: &[],
    explain: Explain {
        how: "Peers of a WireGuard device without WGPEER_A_ALLOWEDIPS.",
        why: "Canal's flannel keeps its key in its container, so that each new one has another; other nodes keep the peer of the old one, whose networks moved to \
              the new one.",
        fix: "Update the CNI; remove the peers, or reboot the node.",
        not_if: "",
        seen_in: "k3s#5216",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let peers = peers(model);
    if peers.is_empty() {
        return Outcome::DoesNotApply("no WireGuard peer is here");
    }
    let mut without: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, _) in &peers {
        if row.peer.as_ref().is_some_and(|peer| peer.pod_cidrs.is_empty()) {
            *without.entry(&row.tunnel_name).or_default() += 1;
        }
    }
    Outcome::Judged(
        without
            .into_iter()
            .filter(|(_, count)| *count >= MANY)
            .map(|(tunnel, count)| {
                let name = escape(tunnel);
                Finding::new(
                    Warn,
                    SubjectKind::Interface,
                    tunnel,
                    format!("{} of {name} have no allowed IPs: they are of nodes' earlier keys.", counted(count, "peer")),
                )
                .seen("peers without allowed IPs", count, format!("wg show {name} allowed-ips"))
                .fix("Remove the peers without allowed IPs: they carry nothing.")
                .run(format!(
                    "wg show {0} allowed-ips | awk '$2 == \"(none)\" {{print $1}}' | xargs -I KEY wg set {0} peer KEY remove",
                    quoted(tunnel)
                ))
            })
            .collect(),
    )
}
