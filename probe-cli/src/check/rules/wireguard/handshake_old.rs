//! A WireGuard peer that something is sent to does not answer any more.

use std::time::Duration;

use super::{super::prelude::*, label, peers};
use crate::model::{PeerRow, WireguardRow};

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
        how: "Peers whose last handshake is more than 195 seconds old, and to which something is sent all the same: they have a \
              persistent keepalive, or bytes were sent to them during the window and none came. What is sent needs a session of at \
              most 180 seconds.",
        why: "The other node has a new key (Canal's flannel keeps it in its container, so that each new one has another), is off, or this \
              node's clock went back: a handshake that is older than the last one is ignored.",
        fix: "Restart the CNI's agent on the other node, then on this one.",
        not_if: "Nothing is sent to the peer, and it has no keepalive: such peers are not judged.",
        seen_in: "k3s#2689",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let peers = peers(model);
    if peers.is_empty() {
        return Outcome::DoesNotApply("no WireGuard peer is here");
    }
    let old = peers.into_iter().filter_map(|(row, told)| {
        let age = told.handshake.age().filter(|age| *age > OLD)?;
        let (what, value, source) = sending(row, told)?;
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
            .seen(what, value, format!("wg show {name} {source}"))
            .fix_elsewhere(
                "check that node, and the clocks of both; when it is up, restart its CNI agent, then the one of this node.",
            ),
        )
    });
    Outcome::Judged(old.collect())
}

/// What shows that something is sent to the peer: what it is, how much, and the table of `wg show`. None of an idle peer.
fn sending(row: &PeerRow, told: WireguardRow) -> Option<(&'static str, String, &'static str)> {
    let keepalive = row.peer.as_ref().and_then(|peer| peer.wireguard).and_then(|peer| peer.keepalive_s);
    if let Some(seconds) = keepalive.filter(|seconds| *seconds > 0) {
        return Some(("persistent keepalive", format!("every {seconds} s"), "persistent-keepalive"));
    }
    // Without a session these are attempts to make one.
    let grown = told.grown.filter(|grown| grown.tx > 0 && grown.rx == 0)?;
    Some(("sent, received meanwhile", format!("{}, 0 bytes", grown.tx), "transfer"))
}
