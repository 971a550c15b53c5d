//! A WireGuard peer never answered.

use std::net::{IpAddr, SocketAddr};

use super::{super::prelude::*, label, peers};
use crate::model::{Handshake, PeerRow};

pub(in crate::check::rules) const CHECK: Check = Check {
    id: "wireguard-never-handshook",
    family: Family::Wireguard,
    title: "a WireGuard peer never answered",
    symptom: "Pods of one other node are not reached; nothing is logged.",
    core: true,
    needs: &[Need::WireguardPeers],
    explained_by: &["dataplane-tunnel-down", "dataplane-underlay-down"],
    explain: Explain {
        how: "Peers to which bytes were sent (tx_bytes above zero) and with which no handshake was ever made.",
        why: "UDP port 51820 (51821 for IPv6) is blocked, the endpoint is an address that this node does not reach (another node \
              behind NAT announces its private address), or the peer has another public key by now.",
        fix: "Open the port between all nodes; give a node behind NAT its public address (public-ip-overwrite, \
              node-external-ip).",
        not_if: "Nothing was ever sent to the peer: WireGuard makes a handshake only when there is something to send.",
        seen_in: "flannel#1889, k3s#9535",
    },
    run,
};

fn run(model: &Model) -> Outcome {
    let peers = peers(model);
    if peers.is_empty() {
        return Outcome::DoesNotApply("no WireGuard peer is here");
    }
    // A peer without an endpoint is a finding of its own.
    let silent = peers.into_iter().filter(|(row, told)| {
        let endpoint = row.peer.as_ref().and_then(|peer| peer.wireguard).and_then(|peer| peer.endpoint);
        told.handshake == Handshake::Never && told.bytes.tx > 0 && endpoint.is_some()
    });
    Outcome::Judged(silent.map(|(row, told)| finding(model, row, told.bytes.tx, told.bytes.rx)).collect())
}

fn finding(model: &Model, row: &PeerRow, tx: u64, rx: u64) -> Finding {
    let name = escape(&row.tunnel_name);
    let peer = label(row);
    let endpoint = row.peer.as_ref().and_then(|peer| peer.wireguard).and_then(|peer| peer.endpoint);
    let finding = Finding::new(
        Fail,
        SubjectKind::Peer,
        &row.label().unwrap_or_default(),
        format!("{peer} never answered on {name}, although {tx} bytes were sent to it."),
    )
    .on(row.tunnel)
    .seen("last handshake", "never", format!("wg show {name} latest-handshakes"))
    .seen("sent, received", format!("{tx}, {rx} bytes"), format!("wg show {name} transfer"));
    if let Some(endpoint) = endpoint.filter(|endpoint| is_elsewhere(model, *endpoint)) {
        finding
            .seen("endpoint", endpoint, "a private address of a network that this node is not in")
            .fix_elsewhere(format!(
                "that node announces its private address {}; give it its public one: the annotation \
                 flannel.alpha.coreos.com/public-ip-overwrite, or --node-external-ip, then restart its agent.",
                endpoint.ip()
            ))
    } else {
        let endpoint = endpoint.map_or_else(|| "none".to_owned(), |endpoint| endpoint.to_string());
        finding.seen("endpoint", endpoint, format!("wg show {name} endpoints")).fix(
                "Open the WireGuard port (UDP) between the nodes in firewalls and security groups; when it is open, restart \
                 the CNI's agent on the other node, which announces its public key again.",
            )
    }
}

/// A private address (RFC 1918, RFC 4193) in none of the networks that this node's devices are in.
fn is_elsewhere(model: &Model, endpoint: SocketAddr) -> bool {
    let is_private = match endpoint.ip() {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.segments()[0] & 0xfe00 == 0xfc00,
    };
    let routes = &model.snapshot.netlink.routes;
    let is_routed = routes
        .iter()
        .any(|route| route.destination.prefix_len() > 0 && route.destination.contains(&endpoint.ip()));
    is_private && !is_routed
}
