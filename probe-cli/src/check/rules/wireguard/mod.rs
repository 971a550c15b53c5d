//! WireGuard: handshakes, endpoints and allowed IPs of peers.

pub(super) mod allowed_ips_missing;
pub(super) mod allowed_ips_overlap;
pub(super) mod endpoint_missing;
pub(super) mod handshake_old;
pub(super) mod never_handshook;
pub(super) mod no_peer;
pub(super) mod port_taken;
pub(super) mod rule_missing;
pub(super) mod source_refused;

use crate::model::{LinkWindow, Model, PeerRow, Tunnel, TunnelKind, WireguardRow};

/// The CNI's WireGuard devices with what was counted of them during the window.
fn devices(model: &Model) -> Vec<(&Tunnel, LinkWindow)> {
    let inventory = &model.inventory;
    let Some(window) = &model.window else { return Vec::new() };
    let tunnels = inventory.tunnels.iter().filter(|tunnel| tunnel.kind == TunnelKind::Wireguard);
    let in_use = tunnels.filter(|tunnel| inventory.is_in_use(tunnel.ifindex));
    in_use.filter_map(|tunnel| Some((tunnel, *window.links.get(&tunnel.ifindex)?))).collect()
}

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
