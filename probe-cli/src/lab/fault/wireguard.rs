//! Faults of WireGuard's peers.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::{
    Maker,
    scene::{Part, Scene, Unfit, on_node},
};
use crate::{
    lab::plan,
    netlink::configure::{Step, WireguardPeer},
};

pub(super) const MAKERS: &[(&str, Maker)] = &[
    ("peer-port-wrong", port_wrong),
    ("endpoint-missing", endpoint_missing),
    ("old-keys-left", old_keys),
    ("allowed-ips-overlap", overlap),
    ("peer-missing", missing),
    ("source-refused", source_refused),
];

/// Nothing listens there (discard).
const NOBODY: u16 = 9;
/// Peers of earlier keys.
const OLD: std::ops::Range<u8> = 100..112;

/// A peer as it is configured, in the lab's first family.
fn peer(scene: &Scene<'_>, node: u16) -> Result<WireguardPeer, Unfit> {
    let steps =
        plan::wireguard_peer_steps(scene.options(), scene.number(), node, |device| scene.key(node, device));
    let first = steps
        .into_iter()
        .find_map(|step| if let Step::WireguardPeer(peer) = step { Some(peer) } else { None });
    first.ok_or(Unfit("a lab with --dataplane wireguard"))
}

fn forget(peer: &WireguardPeer) -> Step {
    Step::ForgetWireguardPeer { name: peer.name.clone(), public_key: peer.public_key }
}

/// A peer that was made anew, since an endpoint cannot be taken away and a session knows where it is.
fn instead(own: WireguardPeer, other: WireguardPeer) -> Part {
    on_node(vec![forget(&own), Step::WireguardPeer(other)], vec![forget(&own), Step::WireguardPeer(own)])
}

fn port_wrong(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = peer(scene, scene.peer())?;
    let endpoint = own.endpoint.map(|endpoint| SocketAddr::new(endpoint.ip(), NOBODY));
    Ok(vec![instead(own.clone(), WireguardPeer { endpoint, ..own })])
}

fn endpoint_missing(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = peer(scene, scene.peer())?;
    Ok(vec![instead(own.clone(), WireguardPeer { endpoint: None, ..own })])
}

fn missing(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = peer(scene, scene.peer())?;
    Ok(vec![on_node(vec![forget(&own)], vec![Step::WireguardPeer(own)])])
}

/// The upper half of its pods' network, which has no pod.
fn source_refused(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = peer(scene, scene.peer())?;
    let upper = own.allowed_ips.iter().filter_map(|net| net.subnets(net.prefix_len() + 1).ok()?.last());
    let allowed_ips = upper.collect();
    let make = Step::WireguardPeer(WireguardPeer { allowed_ips, ..own.clone() });
    Ok(vec![on_node(vec![make], vec![Step::WireguardPeer(own)])])
}

fn old_keys(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = peer(scene, scene.peer())?;
    let old = |byte| WireguardPeer {
        public_key: [byte; 32],
        endpoint: None,
        allowed_ips: Vec::new(),
        ..own.clone()
    };
    let make = OLD.map(|byte| Step::WireguardPeer(old(byte))).collect();
    Ok(vec![on_node(make, OLD.map(|byte| forget(&old(byte))).collect())])
}

fn overlap(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = peer(scene, scene.third()?)?;
    let wide = own.allowed_ips.iter().filter_map(|net| {
        // Four pod networks, or eight.
        IpNet::new(net.addr(), if net.addr().is_ipv4() { 22 } else { 61 }).ok()
    });
    let allowed_ips = own.allowed_ips.iter().copied().chain(wide.map(|net| net.trunc())).collect();
    let make = Step::WireguardPeer(WireguardPeer { allowed_ips, ..own.clone() });
    Ok(vec![on_node(vec![make], vec![Step::WireguardPeer(own)])])
}
