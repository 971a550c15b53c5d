//! A WireGuard peer that must be heard of regularly is not.

use std::time::Duration;

use super::{super::prelude::*, label, peers};

/// After this time without a new handshake WireGuard drops what it would send (`REJECT_AFTER_TIME` in
/// drivers/net/wireguard/messages.h), and some seconds to make one.
const OLD: Duration = Duration::from_secs(180 + 15);

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "wireguard-handshake-old",
    family: Family::Wireguard,
    title: "a WireGuard peer does not answer any more",
    symptom: "Pods of one other node were reached and are not any more; nothing is logged.",
    core: false,
    needs: &[Need::WireguardPeers],
    explained_by: &["dataplane-tunnel-down", "dataplane-underlay-down"],
    explain: Explain {
        how: "Peers with a persistent keepalive whose last handshake is more than 195 seconds old: each keepalive needs a session \
              of at most 180 seconds.",
        why: "The other node has a new key (flannel makes one when its agent restarts and keeps it in memory), is off, or its \
              clock went back.",
        fix: "Restart the CNI's agent on the other node, then on this one.",
        not_if: "The peer has no keepalive and nothing is sent to it: those are not judged.",
        seen_in: "k3s#2689",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let peers = peers(model);
    let keepalive = |row: &crate::model::PeerRow| {
        row.peer
            .as_ref()
            .and_then(|peer| peer.wireguard)
            .and_then(|peer| peer.keepalive_s)
            .filter(|seconds| *seconds > 0)
    };
    let mut judged =
        peers.into_iter().filter_map(|(row, told)| Some((row, told, keepalive(row)?))).peekable();
    if judged.peek().is_none() {
        return Outcome::DoesNotApply("no WireGuard peer has a persistent keepalive");
    }
    let old = judged.filter_map(|(row, told, keepalive)| {
        let age = told.handshake.age().filter(|age| *age > OLD)?;
        let name = escape(&row.tunnel_name);
        Some(
            Finding::new(
                Fail,
                SubjectKind::Peer,
                &row.label().unwrap_or_default(),
                format!("{} has not answered on {name} for {} s.", label(row), age.as_secs()),
            )
            .on(row.tunnel)
            .seen(
                "last handshake",
                format!("{} s ago", age.as_secs()),
                format!("wg show {name} latest-handshakes"),
            )
            .seen("persistent keepalive", format!("every {keepalive} s"), format!("wg show {name}"))
            .fix_elsewhere(
                "check that node; when it is up, restart its CNI agent, then the one of this node.",
            ),
        )
    });
    Outcome::Judged(old.collect())
}
