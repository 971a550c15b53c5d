//! Packets for pods that no WireGuard peer has.

use super::{
    super::{prelude::*, window::over},
    devices,
};

/// In a window: single ones are multicast, or for a pod that is gone.
const SOME: u64 = 10;

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "wireguard-no-peer",
    family: Family::Wireguard,
    title: "WireGuard refuses packets to addresses that no peer has",
    symptom: "Pods of one other node are not reached from here: \"No route to host\" at once.",
    core: false,
    needs: &[Need::WireguardPeers, Need::Window],
    explained_by: &["dataplane-tunnel-down", "wireguard-endpoint-missing"],
    explain: Explain {
        how: "tx_errors of the CNI's WireGuard devices during the window: packets whose destination is in no peer's allowed IPs, or \
              in those of a peer without an endpoint.",
        why: "The agent has not made the peer of a node, or somebody removed it. WireGuard's one route leads all pod networks to the \
              device, so that no table shows a hole.",
        fix: "Restart the agent on this node; look whether the other node has announced its key.",
        not_if: "Something goes on talking to pods of a node that left the cluster.",
        seen_in: "",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let counted = devices(model);
    if counted.is_empty() {
        return Outcome::DoesNotApply("no WireGuard device of the CNI has counters");
    }
    let refused = counted.into_iter().filter(|(_, window)| window.tx_errors >= SOME);
    Outcome::Judged(
        refused
            .map(|(tunnel, window)| {
                let name = escape(&tunnel.name);
                let peers = model.inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex).count();
                let finding = Finding::new(
                    Warn,
                    SubjectKind::Interface,
                    &tunnel.name,
                    format!("{name} refused {} packets: no peer has the address that they go to.", window.tx_errors),
                )
                .on(tunnel.ifindex)
                .seen("refused", format!("{} {}", window.tx_errors, over(model)), format!("tx_errors of {name}"))
                .seen(format!("peers of {name}"), peers, "wg show");
                super::super::agent::restarted(
                    model,
                    finding.fix(
                        "See which node of the cluster has no peer here (wg show allowed-ips), and restart the CNI's agent on this \
                         node, which makes it; pods keep running.",
                    ),
                )
            })
            .collect(),
    )
}
