//! WireGuard devices, and their peers with their endpoints and allowed IPs. By their kind, never by their name: flannel,
//! Calico, Cilium and k3s each have another.
//!
//! A WireGuard device has no device below it: the outer packets to each peer take the route to its endpoint.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    Peer, PeerKey, Tunnel, TunnelKind, WireguardPeer,
    index::{Index, family},
    tunnels::{is_bare_ip, only_address, underlay},
    warnings::{WarningKind, Warnings},
};
use crate::{
    facts::netlink::{LinkFact, WireguardFact},
    text::shown,
};

/// The tunnel that `link` is.
pub(super) fn tunnel(index: &Index<'_>, link: &LinkFact, notes: &mut Warnings) -> Tunnel {
    let device = index.wireguard(link.ifindex);
    if device.is_none() {
        notes.add(WarningKind::WireguardUnread, || {
            format!(
                "{}: its peers could not be read, so all it carries counts as \"other\"",
                shown(&link.name)
            )
        });
    }
    let (below, source) = below(index, link, device, notes);
    let mut families = device.into_iter().flat_map(endpoints).map(family);
    let outer_family = families.next().filter(|first| families.all(|other| other == *first));
    let mut below = below.into_iter();
    let first = below.next();
    Tunnel {
        name: link.name.clone(),
        ifindex: link.ifindex,
        kind: TunnelKind::Wireguard,
        vni: None,
        port: device.map(|device| device.listen_port).filter(|&port| port != 0),
        local: source.or_else(|| only_address(index, first?, outer_family?)),
        outer_family,
        underlay: first.map(underlay),
        more_underlays: below.map(underlay).collect(),
        mtu: link.mtu,
        mac: None,
        public_key: device.and_then(|device| device.public_key),
        addresses: index.addresses(link.ifindex).iter().map(|fact| fact.address).collect(),
        external: false,
        l3: is_bare_ip(link),
        flood: 0,
        up: link.up,
        told: index.told(link.ifindex),
    }
}

/// The peers of `link`, in no particular order.
pub(super) fn peers(index: &Index<'_>, link: &LinkFact, notes: &mut Warnings) -> Vec<Peer> {
    let device = index.wireguard(link.ifindex);
    let peers = device.map(|device| device.peers.as_slice()).unwrap_or_default();
    for peer in peers {
        if let Some(endpoint) = peer.endpoint
            && index.best_route(endpoint.ip()).is_none()
        {
            notes.add(WarningKind::EndpointUnrouted, || {
                format!("{}: no route of the main table leads to endpoint {endpoint}", shown(&link.name))
            });
        }
    }
    peers
        .iter()
        .map(|peer| {
            let mut pod_cidrs = peer.allowed_ips.clone();
            pod_cidrs.sort();
            pod_cidrs.dedup();
            Peer {
                tunnel: link.ifindex,
                key: PeerKey::PublicKey(peer.public_key),
                node_address: peer.endpoint.map(|endpoint| endpoint.ip()),
                pod_cidrs,
                last_tx_age_s: None,
                wireguard: Some(WireguardPeer {
                    endpoint: peer.endpoint,
                    keepalive_s: Some(peer.keepalive_s).filter(|&seconds| seconds != 0),
                }),
            }
        })
        .collect()
}

fn endpoints(device: &WireguardFact) -> impl Iterator<Item = IpAddr> {
    device.peers.iter().filter_map(|peer| peer.endpoint).map(|endpoint| endpoint.ip())
}

/// The devices that the endpoints are routed by, the one of most peers first, and the source address that the routes
/// agree on. A device whose peers have no endpoint yet is answered by way of the default route.
fn below<'a>(
    index: &Index<'a>,
    link: &LinkFact,
    device: Option<&WireguardFact>,
    notes: &mut Warnings,
) -> (Vec<&'a LinkFact>, Option<IpAddr>) {
    // The socket is in the namespace that the device was made in (`wg_newlink` keeps it as `creating_net`), wherever
    // the device was moved to.
    if link.link_netns.is_some() {
        notes.add(WarningKind::UnderlayElsewhere, || {
            format!(
                "{}: its underlay is in another network namespace, so its outer packets cannot be seen here; \
                 look there with --netns",
                shown(&link.name)
            )
        });
        return (Vec::new(), None);
    }
    let mut routes = BTreeMap::new();
    let mut sources = Vec::new();
    for endpoint in device.into_iter().flat_map(endpoints) {
        for route in index.best_routes(endpoint) {
            sources.push(route.source);
            if let Some(ifindex) = route.ifindex {
                *routes.entry(ifindex).or_insert(0_usize) += 1;
            }
        }
    }
    if routes.is_empty() {
        let defaults = [4, 6].into_iter().filter_map(|family| index.default_route(family)?.ifindex);
        routes.extend(defaults.map(|ifindex| (ifindex, 0)));
    }
    let mut found: Vec<(usize, &LinkFact)> =
        routes.into_iter().filter_map(|(ifindex, peers)| Some((peers, index.link(ifindex)?))).collect();
    found.sort_by_key(|(peers, link)| (usize::MAX - peers, link.ifindex));
    if found.is_empty() {
        notes.add(WarningKind::UnderlayElsewhere, || {
            format!(
                "{}: no route leads to its peers, so its underlay is unknown and its outer packets are not measured",
                shown(&link.name)
            )
        });
    }
    sources.dedup();
    let source = match sources.as_slice() {
        [only] => *only,
        _ => None,
    };
    (found.into_iter().map(|(_, link)| link).collect(), source)
}
