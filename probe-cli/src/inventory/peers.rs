//! Peers of one VXLAN tunnel: FDB entries joined with neighbours and routes. What does not join becomes a note.
//!
//! A CNI agent writes three tables per remote node: a route by a gateway, the gateway's link-layer address, and where
//! that address is. A hole in any of them loses packets; but only on a device that cannot ask around, for one with
//! flood destinations resolves and learns what is missing. What to do about holes is in `inventory/holes.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{
    Hole, Mac, Peer, PeerKey,
    holes::{self, ClusterNetworks},
    index::{Index, family, is_unicast},
    tunnels::flood,
    warnings::{WarningKind, Warnings},
};
use crate::{
    facts::netlink::{LinkFact, RouteType, VxlanFact},
    text::shown,
};

/// What is known of one peer while joining.
#[derive(Default)]
struct Found {
    destinations: BTreeSet<IpAddr>,
    /// Gateways of routes, which name the remote node.
    gateways: BTreeSet<IpAddr>,
    pod_cidrs: BTreeSet<IpNet>,
    last_tx_age_s: Option<u64>,
}

/// The peers of `link`, in no particular order, and the holes in its tables.
pub(super) fn peers(
    index: &Index<'_>,
    link: &LinkFact,
    vxlan: &VxlanFact,
    cluster: &ClusterNetworks,
    notes: &mut Warnings,
) -> (Vec<Peer>, Vec<Hole>) {
    let mut holes = Vec::new();
    let tunnel = link.ifindex;
    let mut found: BTreeMap<Mac, Found> = BTreeMap::new();
    for entry in index.fdb(link.ifindex).iter().filter(|entry| is_unicast(entry.mac)) {
        let found = found.entry(entry.mac).or_default();
        found.destinations.extend(entry.destination);
        found.last_tx_age_s = found.last_tx_age_s.into_iter().chain(entry.used_s).min();
    }
    let flood: Vec<_> = flood(index, link.ifindex).collect();
    let asks_around = vxlan.collect_metadata || !flood.is_empty() || vxlan.is_on_demand();
    // Frames to an unknown address go to every flood destination: with one, that is where the station is.
    let only_remote = match flood.as_slice() {
        [only] => only.destination.filter(|destination| !destination.is_multicast()),
        _ => None,
    };

    let mut macs: BTreeMap<IpAddr, Mac> = BTreeMap::new();
    for neighbour in index.neighbours(link.ifindex).iter().filter(|neighbour| !neighbour.failed) {
        let Some(mac) = neighbour.mac.filter(|mac| is_unicast(*mac)) else { continue };
        macs.insert(neighbour.address, mac);
        if found.contains_key(&mac) {
            continue;
        }
        if let Some(remote) = only_remote {
            found.entry(mac).or_default().destinations.insert(remote);
        } else if !asks_around {
            holes.push(Hole::NeighbourWithoutFdb { tunnel, neighbour: neighbour.address, mac });
            notes.add(WarningKind::NeighbourWithoutFdb, || {
                holes::neighbour_without_fdb(link, neighbour.address, mac)
            });
        }
    }

    for route in index.routes(link.ifindex).iter().filter(|route| route.kind == RouteType::Unicast) {
        let Some(gateway) = route.gateway else { continue };
        match macs.get(&gateway) {
            Some(mac) => {
                if let Some(peer) = found.get_mut(mac) {
                    peer.gateways.insert(gateway);
                    peer.pod_cidrs.insert(route.destination);
                }
            }
            None if !asks_around => {
                let pod_cidr = route.destination;
                holes.push(Hole::RouteWithoutNeighbour { tunnel, pod_cidr, gateway });
                notes.add(WarningKind::RouteWithoutNeighbour, || {
                    holes::route_without_neighbour(link, route, gateway, cluster)
                });
            }
            None => {}
        }
    }
    let peers: Vec<Peer> =
        found.into_iter().map(|(mac, peer)| judged(link, mac, peer, asks_around, notes)).collect();
    if !asks_around {
        for peer in peers.iter().filter(|peer| peer.pod_cidrs.is_empty()) {
            let PeerKey::Mac(mac) = peer.key else { continue };
            // Calico has entries for nodes of the same subnet, too, whose pods it leads to without the tunnel.
            if peer.node_address.is_some_and(|node| is_gateway(index, node)) {
                continue;
            }
            holes.push(Hole::FdbWithoutRoute { tunnel, mac, node_address: peer.node_address });
            // The kernel removes the routes of a device that is set down: that is what is wrong then.
            if !link.up {
                continue;
            }
            notes.add(WarningKind::FdbWithoutRoute, || {
                let own = macs.iter().filter(|(_, of)| **of == mac).map(|(address, _)| *address);
                let own = own.filter(|gateway| !index.owners(*gateway).is_empty()).min();
                holes::fdb_without_route(link, mac, peer.node_address, own)
            });
        }
    }
    (peers, holes)
}

/// Networks are routed to the node by no tunnel.
fn is_gateway(index: &Index<'_>, node: IpAddr) -> bool {
    index.below().iter().any(|route| {
        route.kind == RouteType::Unicast && route.gateway == Some(node) && route.destination.prefix_len() > 0
    })
}

/// The peer, with a note when its MAC address is not one node's alone: a cloned machine.
fn judged(link: &LinkFact, mac: Mac, found: Found, asks_around: bool, notes: &mut Warnings) -> Peer {
    const CLONED: &str = "two nodes with one VTEP MAC are cloned machines: give one a new machine-id, delete its \
        tunnel device and restart its CNI agent";
    if found.destinations.len() > 1 {
        notes.add(WarningKind::TwoDestinations, || {
            let destinations = list(found.destinations.iter());
            format!(
                "{}: VTEP MAC {mac} has several destinations ({destinations}); {CLONED}",
                shown(&link.name)
            )
        });
    }
    for version in [4, 6] {
        let gateways: Vec<_> = found.gateways.iter().filter(|&&gateway| family(gateway) == version).collect();
        // Where stations are learned, a router with several addresses is nothing unusual.
        if gateways.len() > 1 && !asks_around {
            notes.add(WarningKind::SharedMac, || {
                format!(
                    "{}: VTEP MAC {mac} is the gateway of several peers ({}), but frames to it go to one node only; \
                     {CLONED}",
                    shown(&link.name),
                    list(gateways.into_iter())
                )
            });
        }
    }
    Peer {
        tunnel: link.ifindex,
        key: PeerKey::Mac(mac),
        node_address: found.destinations.first().copied(),
        pod_cidrs: found.pod_cidrs.into_iter().collect(),
        last_tx_age_s: found.last_tx_age_s,
        wireguard: None,
    }
}

/// At most four, then an ellipsis.
fn list<'a>(addresses: impl Iterator<Item = &'a IpAddr>) -> String {
    let mut shown: Vec<String> = addresses.take(5).map(IpAddr::to_string).collect();
    if let Some(fifth) = shown.get_mut(4) {
        "...".clone_into(fifth);
    }
    shown.join(", ")
}
