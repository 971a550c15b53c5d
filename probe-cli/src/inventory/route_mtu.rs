//! The MTUs of routes, by what takes them: what `RTAX_MTU` says where packets to other nodes and to other nodes' pods go. What
//! fits is decided in [`crate::model`].

use std::collections::BTreeSet;

use super::{Encapsulation, Inventory, Tunnel, TunnelKind, index::Index, links::pod_links};
use crate::facts::netlink::RouteType;

/// A device that pods' packets to other nodes take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathDevice {
    /// Interface index of a tunnel, or of a NIC where nothing is wrapped.
    pub ifindex: u32,
    /// Its name; escape before showing.
    pub name: String,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// The smallest MTU of a route by the device; none when no route has one.
    pub route_mtu: Option<u32>,
    /// The smallest MTU of a route to the tunnel's remote nodes; none when no route has one.
    pub outer_route_mtu: Option<u32>,
}

/// The node's end of a pod's interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodLink {
    /// Interface index.
    pub ifindex: u32,
    /// Its MTU, which is that of the pod's unless somebody changed one of them; none when the link is not there.
    pub mtu: Option<u32>,
    /// Families of the pod's addresses; none where only the bridge tells that it is a pod's.
    pub families: Vec<u8>,
}

/// Tunnels, then NICs that packets leave by as they are.
pub(super) fn path_devices(index: &Index<'_>, inventory: &Inventory) -> Vec<PathDevice> {
    let of_tunnel = |tunnel: &Tunnel| PathDevice {
        ifindex: tunnel.ifindex,
        name: tunnel.name.clone(),
        mtu: tunnel.mtu,
        route_mtu: smallest_route(index, tunnel.ifindex),
        outer_route_mtu: outer_route_mtu(index, inventory, tunnel),
    };
    let direct = inventory.data_planes.iter().filter(|plane| plane.encapsulation == Encapsulation::None);
    let nics = direct.flat_map(|plane| &plane.devices).filter(|device| device.routes > 0);
    let of_nic = |ifindex: u32| {
        let link = index.link(ifindex)?;
        Some(PathDevice {
            ifindex,
            name: link.name.clone(),
            mtu: link.mtu,
            route_mtu: smallest_route(index, ifindex),
            outer_route_mtu: None,
        })
    };
    let nics = nics.filter_map(|device| of_nic(device.ifindex));
    inventory.all_tunnels().map(of_tunnel).chain(nics).collect()
}

/// The ends of pods' interfaces, by interface index.
pub(super) fn pod_ends(index: &Index<'_>, inventory: &Inventory) -> Vec<PodLink> {
    let ends = pod_links(index, inventory).into_iter();
    ends.map(|(ifindex, families)| PodLink {
        ifindex,
        mtu: index.link(ifindex).map(|link| link.mtu),
        families: families.into_iter().collect(),
    })
    .collect()
}

/// The smallest MTU of the routes to the tunnel's peers.
fn outer_route_mtu(index: &Index<'_>, inventory: &Inventory, tunnel: &Tunnel) -> Option<u32> {
    // Hardly any node has a route with an MTU, and there may be a thousand peers.
    if index.below().iter().all(|route| route.mtu.is_none()) {
        return None;
    }
    let peers = inventory.peers.iter().filter(|peer| peer.tunnel == tunnel.ifindex);
    let gateways = index.routes(tunnel.ifindex).iter().filter(|_| tunnel.kind == TunnelKind::Ipip);
    let nodes: BTreeSet<_> = peers
        .filter_map(|peer| peer.node_address)
        .chain(gateways.filter_map(|route| route.gateway))
        .collect();
    nodes.into_iter().flat_map(|node| index.best_routes(node)).filter_map(|route| route.mtu).min()
}

/// The smallest MTU of a route by the device.
fn smallest_route(index: &Index<'_>, ifindex: u32) -> Option<u32> {
    let routes = index.routes(ifindex).iter().filter(|route| route.kind == RouteType::Unicast);
    routes.filter_map(|route| route.mtu).min()
}

/// The smallest MTU of a route by Cilium's host device, which leads to other nodes' pods as to the node's own.
pub(super) fn host_route_mtu(index: &Index<'_>) -> Option<u32> {
    let routes = index.facts.routes.iter().filter(|route| super::node::is_by_own_address(index, route));
    routes.filter_map(|route| route.mtu).min()
}
