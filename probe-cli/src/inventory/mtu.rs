//! The MTU budget: what is left for pods' packets on the way from the NIC over the route and the tunnel to their veths, and
//! what does not fit. For each tunnel, and for each NIC that pods' packets leave by as they are.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Encapsulation, Inventory, LeftOver, PlaneDevice, System, Tunnel, TunnelKind, index::Index,
    links::pod_links,
};
use crate::facts::netlink::{Facts, RouteType};

/// What WireGuard pads packets to below its device's MTU, in bytes.
const WIREGUARD_PADDING: u32 = 16;

/// How a size compares with what there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "bytes", rename_all = "kebab-case")]
pub enum Fit {
    /// It is as large as can be.
    Fits,
    /// Packets of this size, less these bytes, would fit.
    TooBig(u32),
    /// These bytes more would fit.
    Unused(u32),
}

impl Fit {
    fn of(size: u32, room: u32) -> Self {
        match (size.checked_sub(room), room.checked_sub(size)) {
            (Some(0), _) => Self::Fits,
            (Some(over), _) => Self::TooBig(over),
            (None, unused) => Self::Unused(unused.unwrap_or(0)),
        }
    }
}

/// A way that pods' packets take to other nodes, with the sizes on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MtuPath {
    /// Interface index of the tunnel, or of the NIC where nothing is wrapped.
    pub ifindex: u32,
    /// Its name; escape before showing.
    pub device: String,
    /// What packets are wrapped in.
    pub encapsulation: Encapsulation,
    /// Family of the outer packets: 4 or 6; none when there are none, or of both.
    pub outer_family: Option<u8>,
    /// Families of the pods' packets: 4, 6 or both.
    pub families: Vec<u8>,
    /// The devices that outer packets leave by; empty when unknown.
    pub underlays: Vec<MtuDevice>,
    /// The smallest MTU of a route to another node (`RTAX_MTU`); none when no route has one.
    pub underlay_route_mtu: Option<u32>,
    /// Bytes that each outer packet adds.
    pub overhead: u32,
    /// Largest inner packet that leaves in one piece: the smallest MTU below less the overhead. None when nothing below is
    /// known.
    pub most: Option<u32>,
    /// MTU of the tunnel device.
    pub mtu: u32,
    /// The smallest MTU of a route to other nodes' pods (`RTAX_MTU`); none when no route has one.
    pub route_mtu: Option<u32>,
    /// The device's MTU, or the route's where that counts, against `most`. A device whose packets are too big sends
    /// fragments. None when `most` is unknown.
    pub fit: Option<Fit>,
    /// Largest packet of a pod that gets through in one piece.
    pub carries: u32,
    /// True where pods' packets are held by a route's MTU in the pods and not by their interfaces', as with Cilium.
    pub held_by_route: bool,
    /// Pods' interfaces by their MTU, the smallest first: of the families that are carried.
    pub pods: Vec<PodMtu>,
    /// True when the device carries nothing any more: pods are not compared with it.
    pub left_over: bool,
}

/// A device and its MTU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MtuDevice {
    /// Interface name; escape before showing.
    pub name: String,
    /// MTU in bytes.
    pub mtu: u32,
}

/// Pods whose interfaces have one MTU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodMtu {
    /// The MTU of the node's end, which is that of the pod's unless somebody changed one of them.
    pub mtu: u32,
    /// Interfaces that have it.
    pub count: usize,
    /// Against what the path carries; none where the interface's MTU does not count.
    pub fit: Option<Fit>,
}

/// The ways, by the devices' interface indices.
pub fn mtu_paths(facts: &Facts, inventory: &Inventory) -> Vec<MtuPath> {
    let index = Index::new(facts);
    let pods: Vec<(u32, BTreeSet<u8>)> = pod_links(&index, inventory)
        .into_iter()
        .filter_map(|(ifindex, families)| Some((index.link(ifindex)?.mtu, families)))
        .collect();
    let mut paths: Vec<MtuPath> =
        inventory.all_tunnels().map(|tunnel| of_tunnel(&index, inventory, tunnel)).collect();
    for plane in inventory.data_planes.iter().filter(|plane| plane.encapsulation == Encapsulation::None) {
        paths.extend(plane.devices.iter().filter_map(|device| of_nic(&index, device)));
    }
    for path in &mut paths {
        path.pods = of_pods(path, &pods);
    }
    paths.sort_by_key(|path| path.ifindex);
    paths
}

fn of_tunnel(index: &Index<'_>, inventory: &Inventory, tunnel: &Tunnel) -> MtuPath {
    let plane = inventory.data_planes.iter().find_map(|plane| {
        let device = plane.devices.iter().find(|device| device.ifindex == tunnel.ifindex)?;
        Some((plane.system, device))
    });
    let is_cilium = plane.is_some_and(|(system, _)| system == System::Cilium);
    let underlays: Vec<MtuDevice> = tunnel
        .underlays()
        .map(|underlay| MtuDevice { name: underlay.name.clone(), mtu: underlay.mtu })
        .collect();
    let underlay_route_mtu = underlay_route_mtu(index, inventory, tunnel);
    let overhead = overhead(inventory, tunnel);
    let below = underlays.iter().map(|underlay| underlay.mtu).chain(underlay_route_mtu).min();
    let most = below.map(|below| below.saturating_sub(overhead));
    let route_mtu = if is_cilium { cilium_route_mtu(index) } else { smallest_route(index, tunnel.ifindex) };
    let held_by_route = is_cilium && route_mtu.is_some();
    let takes = match route_mtu {
        Some(route) if is_cilium => route,
        Some(route) => route.min(tunnel.mtu),
        None => tunnel.mtu,
    };
    let carries = match most {
        Some(most) if takes > most && tunnel.kind == TunnelKind::Wireguard => most - most % WIREGUARD_PADDING,
        Some(most) => takes.min(most),
        None => takes,
    };
    let mut families = plane.map(|(_, device)| device.families.clone()).unwrap_or_default();
    if families.is_empty() {
        // Without routes and peers: flannel and Calico have a tunnel for each family of pods.
        families = tunnel.outer_family.map_or_else(|| vec![4, 6], |family| vec![family]);
    }
    MtuPath {
        ifindex: tunnel.ifindex,
        device: tunnel.name.clone(),
        encapsulation: tunnel.kind.into(),
        outer_family: tunnel.outer_family,
        families,
        underlays,
        underlay_route_mtu,
        overhead,
        most,
        mtu: tunnel.mtu,
        route_mtu,
        fit: most.map(|most| Fit::of(takes, most)),
        carries,
        held_by_route,
        pods: Vec::new(),
        left_over: plane.is_some_and(|(_, device)| matches!(device.left_over, Some(LeftOver::Idle { .. }))),
    }
}

/// A NIC that pods' packets leave by as they are.
fn of_nic(index: &Index<'_>, device: &PlaneDevice) -> Option<MtuPath> {
    let link = index.link(device.ifindex).filter(|_| device.routes > 0)?;
    let route_mtu = smallest_route(index, link.ifindex);
    let carries = route_mtu.map_or(link.mtu, |route| route.min(link.mtu));
    Some(MtuPath {
        ifindex: link.ifindex,
        device: link.name.clone(),
        encapsulation: Encapsulation::None,
        outer_family: None,
        families: device.families.clone(),
        underlays: vec![MtuDevice { name: link.name.clone(), mtu: link.mtu }],
        underlay_route_mtu: None,
        overhead: 0,
        most: Some(link.mtu),
        mtu: link.mtu,
        route_mtu,
        fit: Some(Fit::of(carries, link.mtu)),
        carries,
        held_by_route: false,
        pods: Vec::new(),
        left_over: false,
    })
}

fn of_pods(path: &MtuPath, pods: &[(u32, BTreeSet<u8>)]) -> Vec<PodMtu> {
    let concerned = |families: &BTreeSet<u8>| {
        families.is_empty() || path.families.iter().any(|family| families.contains(family))
    };
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for (mtu, _) in pods.iter().filter(|(_, families)| concerned(families)) {
        *counts.entry(*mtu).or_default() += 1;
    }
    let compared = !path.held_by_route && !path.left_over;
    counts
        .into_iter()
        .map(|(mtu, count)| PodMtu { mtu, count, fit: compared.then(|| Fit::of(mtu, path.carries)) })
        .collect()
}

/// Where the destination comes with each packet it is of either family: what the node has addresses of decides.
fn overhead(inventory: &Inventory, tunnel: &Tunnel) -> u32 {
    if tunnel.external && tunnel.kind != TunnelKind::Ipip {
        let names: Vec<&str> = tunnel.underlays().map(|underlay| underlay.name.as_str()).collect();
        let mut own = inventory.node.addresses.iter().filter(|own| names.contains(&own.interface.as_str()));
        let is_v6 = own.clone().next().is_some() && own.all(|own| own.address.addr().is_ipv6());
        return Tunnel { outer_family: Some(if is_v6 { 6 } else { 4 }), ..tunnel.clone() }.overhead();
    }
    tunnel.overhead()
}

/// The smallest MTU of the routes to the tunnel's peers.
fn underlay_route_mtu(index: &Index<'_>, inventory: &Inventory, tunnel: &Tunnel) -> Option<u32> {
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
fn cilium_route_mtu(index: &Index<'_>) -> Option<u32> {
    let routes = index.facts.routes.iter().filter(|route| super::node::is_by_own_address(index, route));
    routes.filter_map(|route| route.mtu).min()
}

#[cfg(test)]
mod tests;
