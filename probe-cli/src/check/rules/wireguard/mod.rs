//! WireGuard: handshakes, endpoints and allowed IPs of peers.

pub(super) mod allowed_ips_missing;
pub(super) mod allowed_ips_overlap;
pub(super) mod endpoint_missing;
pub(super) mod handshake_old;
pub(super) mod never_handshook;

use crate::model::{Model, PeerRow, WireguardRow};

/// WireGuard peers with what the kernel tells of each.
fn peers(model: &Model) -> Vec<(&PeerRow, WireguardRow)> {
    model.peers.iter().filter_map(|row| Some((row, row.wireguard?))).collect()
}

/// A peer's name in a sentence: its node and its networks.
fn label(row: &PeerRow) -> String {
    let node = row.label().unwrap_or_default();
    let networks = row
        .peer
        .as_ref()
        .map(|peer| peer.pod_cidrs.iter().take(2).map(ToString::to_string).collect::<Vec<_>>());
    let networks = networks.unwrap_or_default().join(", ");
    if networks.is_empty() {
        crate::text::escape(&node)
    } else {
        format!("{} ({networks})", crate::text::escape(&node))
    }
}
