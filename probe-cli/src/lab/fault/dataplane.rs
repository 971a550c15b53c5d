//! Faults of tunnels and of the NIC below them.

use std::net::IpAddr;

use super::{
    Maker,
    scene::{Part, Place, Scene, Unfit, on_node},
};
use crate::{
    lab::plan::{self, Dataplane, Family, LabOptions},
    mac::Mac,
    netlink::configure::{Route, Step, Vxlan},
};

pub(super) const MAKERS: &[(&str, Maker)] = &[
    ("tunnels-deleted", deleted),
    ("nic-down", nic_down),
    ("nic-without-carrier", no_carrier),
    ("tunnel-down", tunnel_down),
    ("tunnel-made-again", made_again),
    ("old-device-left", old_device),
    ("old-backend-left", old_backend),
    ("foreign-tunnel", foreign_tunnel),
    ("node-address-changed", address_changed),
    ("port-taken", port_taken),
    ("default-routes-differ", default_routes),
];

/// MAC address of a device that is no node's.
const FOREIGN_MAC: Mac = Mac([0x02, 0x42, 0x99, 0, 0, 1]);

fn delete(name: &str) -> Step {
    Step::Delete { name: name.to_owned() }
}

fn deleted(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let tunnels = scene.tunnels();
    let make = tunnels.iter().map(|tunnel| delete(&tunnel.name)).collect();
    Ok(vec![on_node(make, tunnels.iter().flat_map(|tunnel| scene.remade(tunnel)).collect())])
}

/// The kernel takes routes with it, and IPv6 addresses.
fn nic_down(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    Ok(vec![on_node(vec![Step::Down { name: "eth0".to_owned() }], scene.nic())])
}

fn no_carrier(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let name = plan::port_name(scene.number());
    Ok(vec![Part::Steps {
        place: Place::Underlay,
        make: vec![Step::Down { name: name.clone() }],
        undo: vec![Step::Up { name }],
    }])
}

fn tunnel_down(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let tunnel = scene.tunnel()?;
    Ok(vec![on_node(vec![Step::Down { name: tunnel.name.clone() }], scene.remade(&tunnel))])
}

/// Without its address, and without what leads to peers.
fn made_again(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let tunnel = scene.tunnel()?;
    let name = tunnel.name.clone();
    let undo = [delete(&name)].into_iter().chain(scene.remade(&tunnel)).collect();
    Ok(vec![on_node(vec![delete(&name), Step::Vxlan(tunnel), Step::Up { name }], undo)])
}

/// A device of rke2-flannel's.
fn old_device(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let device =
        Vxlan { name: "flannel.4096".to_owned(), vni: 4096, port: 4789, mac: FOREIGN_MAC, ..scene.tunnel()? };
    let up = Step::Up { name: device.name.clone() };
    let undo = vec![delete(&device.name)];
    Ok(vec![on_node(vec![Step::Vxlan(device), up], undo)])
}

/// flannel.1 as it was before the backend was WireGuard: its routes to single nodes are more specific.
fn old_backend(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let before = LabOptions { dataplane: Dataplane::Vxlan, ..scene.options().clone() };
    // These routes came first. Older kernels refuse one by IPv6 whose gateway another device leads to
    // (`ip6_route_check_nh_onlink`, net/ipv6/route.c, 5.10).
    let routes = plan::wireguard_routes(scene.options());
    let mut make: Vec<Step> = routes.iter().cloned().map(Step::DeleteRoute).collect();
    let mut undo = Vec::new();
    for tunnel in plan::tunnels(&before, scene.number()) {
        make.extend(plan::tunnel_and_peers(&before, &tunnel, scene.number()));
        undo.push(delete(&tunnel.name));
    }
    make.extend(routes.into_iter().map(Step::Route));
    Ok(vec![on_node(make, undo)])
}

/// A tunnel that no CNI of the node's made, with a route to a peer's pods.
fn foreign_tunnel(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let peer = scene.entries(scene.peer());
    let options = scene.options();
    let name = "vx9".to_owned();
    let device = Vxlan {
        name: name.clone(),
        vni: 9,
        port: 4789,
        local: local(scene, scene.number()),
        link: "eth0".to_owned(),
        mtu: if scene.is_v6() { options.v6_tunnel_mtu() } else { options.v4_tunnel_mtu() },
        mac: FOREIGN_MAC,
        collect_metadata: false,
    };
    let make = vec![
        Step::Vxlan(device),
        Step::Up { name: name.clone() },
        Step::Neighbour { name: name.clone(), address: peer.gateway, mac: peer.mac },
        Step::Fdb { name: name.clone(), mac: peer.mac, destination: peer.node },
        Step::Route(Route { name: name.clone(), ..peer.route }),
    ];
    Ok(vec![on_node(make, vec![delete(&name)])])
}

fn local(scene: &Scene<'_>, node: u16) -> IpAddr {
    if scene.is_v6() { plan::node_v6(node).into() } else { plan::node_v4(node).into() }
}

/// What DHCP does. A device's last address takes its routes with it (`fib_disable_ip`).
fn address_changed(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let family = scene.options().family;
    let first =
        |node| plan::node_addresses(family, node).into_iter().next().ok_or(Unfit("a node with an address"));
    // No lab has so many nodes.
    let (own, other) = (first(scene.number())?, first(scene.number() + 200)?);
    let eth0 = || "eth0".to_owned();
    let default = plan::default_routes(family).into_iter().map(Step::Route);
    let mut make = vec![
        Step::DeleteAddress { name: eth0(), address: own },
        Step::Address { name: eth0(), address: other },
    ];
    make.extend(default);
    let mut undo = vec![Step::DeleteAddress { name: eth0(), address: other }];
    undo.extend(scene.nic());
    Ok(vec![on_node(make, undo)])
}

/// A second NIC, with a router of its own.
fn default_routes(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    if !(scene.options().family.v4() && scene.options().family.v6()) {
        return Err(Unfit("a lab with both families"));
    }
    let name = || "br1".to_owned();
    let own = plan::default_routes(Family::V6);
    let mut make: Vec<Step> = own.iter().cloned().map(Step::DeleteRoute).collect();
    make.extend([Step::Bridge { name: name() }, Step::Up { name: name() }]);
    make.extend(own.iter().map(|route| Step::Route(Route { via: None, name: name(), ..*route })));
    let mut undo = vec![delete("br1")];
    undo.extend(own.into_iter().map(Step::Route));
    Ok(vec![on_node(make, undo)])
}

/// A port has one kind of VXLAN devices: with those that take every VNI others do not come up (`vxlan_find_sock`).
fn port_taken(scene: &Scene<'_>) -> Result<Vec<Part>, Unfit> {
    let own = scene.tunnel()?;
    let other = Vxlan { name: "vx0".to_owned(), vni: 0, mac: FOREIGN_MAC, collect_metadata: true, ..own };
    let name = other.name.clone();
    let tunnels = scene.tunnels();
    // It takes the port of both families.
    let mut make: Vec<Step> = tunnels.iter().map(|tunnel| Step::Down { name: tunnel.name.clone() }).collect();
    make.extend([Step::Vxlan(other), Step::Up { name: name.clone() }]);
    let mut undo = vec![delete(&name)];
    undo.extend(tunnels.iter().flat_map(|tunnel| scene.remade(tunnel)));
    Ok(vec![on_node(make, undo)])
}
