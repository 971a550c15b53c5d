//! Faults of the tables about other nodes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{
    Maker,
    scene::{Part, Place, Scene, Unfit, on_node},
};
use crate::{
    lab::plan::{self, PeerEntries},
    mac::Mac,
    netlink::configure::{Route, Step},
};

pub(super) const MAKERS: &[(&str, Maker)] = &[
    ("neighbour-missing", neighbour_missing),
    ("tunnel-mac-changed", mac_changed),
    ("tunnel-mac-unknown", mac_unknown),
    ("old-blackhole-left", old_blackhole),
    ("old-route-left", old_route),
    ("specific-route-added", specific_route),
    ("pod-network-dropped", dropped),
    ("pods-ruled-away", |scene| {
        let (from, priority) = (scene.entries(scene.number()).route.destination, 100);
        Ok(vec![on_node(
            vec![Step::Prohibit { from, priority }],
            vec![Step::DeleteProhibit { from, priority }],
        )])
    }),
    ("fdb-entry-missing", fdb_missing),
    ("route-missing", route_missing),
    ("vtep-mac-shared", mac_shared),
    ("node-address-shared", address_shared),
    ("old-address-left", old_address),
    ("peer-silent", silent),
    ("peer-unrouted", unrouted),
    ("family-without-peers", family_without_peers),
];

fn neighbour(entries: &PeerEntries, mac: Mac) -> Step {
    Step::Neighbour { name: entries.device.to_owned(), address: entries.gateway, mac }
}

fn fdb(entries: &PeerEntries, destination: IpAddr) -> Step {
    Step::Fdb { name: entries.device.to_owned(), mac: entries.mac, destination }
}

fn forget_fdb(entries: &PeerEntries, destination: IpAddr) -> Step {
    Step::ForgetFdb { name: entries.device.to_owned(), mac: entries.mac, destination }
}

fn neighbour_missing(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let peer = scene.entries(scene.peer());
    let make = Step::ForgetNeighbour { name: peer.device.to_owned(), address: peer.gateway };
    Ok(vec![on_node(vec![make], vec![neighbour(&peer, peer.mac)])])
}

/// A change of the address flushes a device's neighbours, those of an administrator too (`neigh_changeaddr`).
fn mac_changed(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let tunnel = scene.tunnel()?;
    let to = |mac| Step::LinkAddress { name: tunnel.name.clone(), mac };
    let mut undo = vec![to(tunnel.mac)];
    undo.extend(scene.remade(&tunnel));
    Ok(vec![on_node(vec![to(plan::vtep_mac(scene.number() + 200, tunnel.local.is_ipv6()))], undo)])
}

/// The agent writes its own entries again, and does not tell the other nodes.
fn mac_unknown(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let tunnel = scene.tunnel()?;
    let is_v6 = tunnel.local.is_ipv6();
    let to = |mac| Step::LinkAddress { name: tunnel.name.clone(), mac };
    let peers = (1..=scene.options().nodes).filter(|&node| node != scene.number());
    let mut make = vec![to(plan::vtep_mac(scene.number() + 200, is_v6))];
    make.extend(peers.flat_map(|peer| plan::peer_steps(is_v6, peer)));
    let mut undo = vec![to(tunnel.mac)];
    undo.extend(scene.remade(&tunnel));
    Ok(vec![on_node(make, undo)])
}

/// The node had another pod network before.
fn old_blackhole(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let destination = if scene.is_v6() {
        net(Ipv6Addr::new(0xfd00, 0x42, 0, 77, 0, 0, 0, 0).into(), 64)
    } else {
        net(Ipv4Addr::new(10, 42, 77, 0).into(), 24)
    };
    Ok(vec![on_node(vec![Step::Blackhole { destination }], vec![Step::DeleteBlackhole { destination }])])
}

fn old_route(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let (destination, gateway): (IpNet, IpAddr) = if scene.is_v6() {
        (
            net(Ipv6Addr::new(0xfd00, 0x99, 0, 7, 0, 0, 0, 0).into(), 64),
            Ipv6Addr::new(0xfd00, 0x99, 0, 7, 0, 0, 0, 0).into(),
        )
    } else {
        (net(Ipv4Addr::new(10, 99, 7, 0).into(), 24), Ipv4Addr::new(10, 99, 7, 0).into())
    };
    let route =
        Route { destination, via: Some(gateway), name: scene.tunnel()?.name, onlink: true, protocol: None };
    Ok(vec![on_node(vec![Step::Route(route.clone())], vec![Step::DeleteRoute(route)])])
}

/// Half of a peer's pod network.
fn half(entries: &PeerEntries) -> Result<IpNet, Unfit> {
    let network = entries.route.destination;
    let halves = network.subnets(network.prefix_len() + 1);
    halves.ok().and_then(|mut halves| halves.next()).ok_or(Unfit("pod networks of more than one address"))
}

/// By the NIC, to the node that has them.
fn specific_route(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let peer = scene.entries(scene.peer());
    let (destination, name) = (half(&peer)?, "eth0".to_owned());
    let route = Route { destination, via: Some(peer.node), name, onlink: false, protocol: None };
    Ok(vec![on_node(vec![Step::Route(route.clone())], vec![Step::DeleteRoute(route)])])
}

fn dropped(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let destination = half(&scene.entries(scene.peer()))?;
    Ok(vec![on_node(vec![Step::Blackhole { destination }], vec![Step::DeleteBlackhole { destination }])])
}

fn fdb_missing(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let peer = scene.entries(scene.peer());
    Ok(vec![on_node(vec![forget_fdb(&peer, peer.node)], vec![fdb(&peer, peer.node)])])
}

fn route_missing(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let route = scene.entries(scene.peer()).route;
    Ok(vec![on_node(vec![Step::DeleteRoute(route.clone())], vec![Step::Route(route)])])
}

fn mac_shared(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let (peer, clone) = (scene.entries(scene.peer()), scene.entries(scene.third()?));
    let make = vec![neighbour(&clone, peer.mac), forget_fdb(&clone, clone.node)];
    Ok(vec![on_node(make, vec![neighbour(&clone, clone.mac), fdb(&clone, clone.node)])])
}

fn address_shared(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let (peer, other) = (scene.entries(scene.peer()), scene.entries(scene.third()?));
    // An entry of one MAC address has one destination: the old one is replaced.
    let make = vec![fdb(&other, peer.node)];
    Ok(vec![on_node(make, vec![fdb(&other, other.node)])])
}

/// The node's own address is preferred to the route by it, which the kernel keeps.
fn old_address(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let peer = scene.entries(scene.peer());
    let (name, address) = (peer.device.to_owned(), IpNet::from(peer.gateway));
    let make = Step::Address { name: name.clone(), address };
    let mut undo = vec![Step::DeleteAddress { name, address }];
    undo.extend(plan::peer_steps(scene.is_v6(), scene.peer()));
    Ok(vec![on_node(vec![make], undo)])
}

/// The port of a node that is off, and what ARP then leaves after some seconds.
fn silent(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let name = plan::port_name(scene.peer());
    let address = scene.entries(scene.peer()).node;
    let eth0 = || "eth0".to_owned();
    Ok(vec![
        Part::Steps {
            place: Place::Underlay,
            make: vec![Step::Down { name: name.clone() }],
            undo: vec![Step::Up { name }],
        },
        on_node(
            vec![Step::FailedNeighbour { name: eth0(), address }],
            vec![Step::ForgetNeighbour { name: eth0(), address }],
        ),
    ])
}

fn unrouted(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let destination = IpNet::from(scene.entries(scene.peer()).node);
    Ok(vec![on_node(vec![Step::Blackhole { destination }], vec![Step::DeleteBlackhole { destination }])])
}

fn family_without_peers(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let family = scene.options().family;
    if !(family.v4() && family.v6()) {
        return Err(Unfit("a lab with both families"));
    }
    let peers = || (1..=scene.options().nodes).filter(|&node| node != scene.number());
    let make = peers().flat_map(|peer| plan::forget_peer_steps(true, peer)).collect();
    Ok(vec![on_node(make, peers().flat_map(|peer| plan::peer_steps(true, peer)).collect())])
}

fn net(address: IpAddr, prefix: u8) -> IpNet {
    IpNet::new(address, prefix).unwrap_or(IpNet::from(address))
}
