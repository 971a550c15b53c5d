//! WireGuard: handshakes, endpoints and allowed IPs of peers.

pub(super) mod allowed_ips_missing;
pub(super) mod allowed_ips_overlap;
pub(super) mod endpoint_missing;
pub(super) mod handshake_old;
pub(super) mod never_handshook;

use crate::model::{Model, PeerRow, WireguardRow};

/// Peers of the CNI's WireGuard devices, with what the kernel tells of each.
fn peers(model: &Model) -> Vec<(&PeerRow, WireguardRow)> {
    let rows = model.peers.iter().filter(|row| model.inventory.is_of_cni(row.tunnel));
    rows.filter_map(|row| Some((row, row.wireguard?))).collect()
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
