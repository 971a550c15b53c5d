//! WireGuard does not know where a peer is.

use super::{super::prelude::*, label, peers};
use crate::model::{Fault, PeerRow};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "wireguard-endpoint-missing",
    family: Family::Wireguard,
    title: "a WireGuard peer has no endpoint",
    symptom: "Pods of one other node are not reached from here until that node sends something.",
    core: false,
    needs: &[Need::WireguardPeers],
    explained_by: &[],
    explain: Explain {
        how: "WGPEER_A_ENDPOINT of each peer with allowed IPs.",
        why: "The other node announced no address of the family that this node uses.",
        fix: "Give that node an address of the family, or change flannel's WireGuard mode.",
        not_if: "The peer is behind NAT and always speaks first.",
        seen_in: "cilium#44560",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let peers = peers(model);
    if peers.is_empty() {
        return Outcome::DoesNotApply("no WireGuard peer is here");
    }
    let is_without = |row: &PeerRow| {
        let of_row = row.peer.as_ref().map(|peer| (peer.tunnel, peer.key));
        model.faults.iter().any(|fault| matches!(fault, Fault::NoEndpoint { .. }) && fault.peer() == of_row)
    };
    let without = peers.into_iter().filter(|(row, _)| is_without(row));
    Outcome::Judged(
        without
            .map(|(row, _)| {
                let name = escape(&row.tunnel_name);
                Finding::new(
                    Fail,
                    SubjectKind::Peer,
                    &row.label().unwrap_or_default(),
                    format!("{} has no endpoint on {name}: what is sent to it is dropped.", label(row)),
                )
                .seen("endpoint", "none", format!("wg show {name} endpoints"))
                .fix_elsewhere("give that node an address of the family that this tunnel uses, then restart its CNI agent.")
            })
            .collect(),
    )
}
