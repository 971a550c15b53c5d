//! What fits: the room that is left for pods' packets on the way from the NIC over the route and the tunnel to their veths.
//! The only place that knows what encapsulation adds. For each tunnel, and for each NIC that pods' packets leave by as they
//! are.

use std::collections::BTreeMap;

use crate::inventory::{
    Encapsulation, Inventory, PathDevice, PlaneDevice, PodLink, Stale, System, Tunnel, TunnelKind,
};

/// What WireGuard pads packets to, in bytes (`MESSAGE_PADDING_MULTIPLE` in drivers/net/wireguard/messages.h).
const WIREGUARD_PADDING: u32 = 16;

/// Bytes that the outer IP packet adds to the inner IP packet on the wire: 50 for VXLAN over IPv4, 70 over IPv6 (outer IP
/// 20 or 40, UDP 8, VXLAN 8, inner Ethernet 14), the same for Geneve without options; 60 and 80 for WireGuard (UDP 8, data
/// header 16, authentication tag 16), and padding comes on top; 20 for IP in IP, 28 for flannel's UDP. Where the family is not
/// known, or peers are of both, that of WireGuard is the most and that of others the least.
pub fn overhead(kind: TunnelKind, outer_family: Option<u8>) -> u32 {
    match (kind, outer_family) {
        (TunnelKind::Vxlan | TunnelKind::Geneve, Some(6)) => 40 + 8 + 8 + 14,
        (TunnelKind::Vxlan | TunnelKind::Geneve, _) => 20 + 8 + 8 + 14,
        (TunnelKind::Ipip, _) => 20,
        (TunnelKind::Udp, _) => 20 + 8,
        (TunnelKind::Wireguard, Some(4)) => 20 + 8 + 16 + 16,
        (TunnelKind::Wireguard, _) => 40 + 8 + 16 + 16,
    }
}

/// What fits in one tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Bytes that each outer packet adds, see [`overhead`].
    pub overhead: u32,
    /// Largest inner packet that leaves in one piece: the smallest MTU below, of devices and of routes to other nodes, less
    /// the overhead. None when nothing below is known.
    pub max_inner: Option<u32>,
    /// Largest inner packet that the tunnel takes and that leaves in one piece.
    pub budget: u32,
}

/// The room in a tunnel of the inventory.
pub fn room(inventory: &Inventory, tunnel: &Tunnel) -> Room {
    let overhead = overhead_of(inventory, tunnel);
    let device = inventory.path_devices.iter().find(|device| device.ifindex == tunnel.ifindex);
    let route_mtu = device.and_then(|device| device.outer_route_mtu);
    let below = tunnel.underlays().map(|underlay| underlay.mtu).chain(route_mtu).min();
    let max_inner = below.map(|below| below.saturating_sub(overhead));
    Room { overhead, max_inner, budget: in_one_piece(tunnel.kind, tunnel.mtu, max_inner) }
}

/// Of what a device or a route takes, what leaves in one piece. WireGuard pads a packet to a multiple of 16 bytes, but not
/// beyond its device's MTU.
fn in_one_piece(kind: TunnelKind, takes: u32, max_inner: Option<u32>) -> u32 {
    match max_inner {
        Some(max_inner) if takes > max_inner && kind == TunnelKind::Wireguard => {
            max_inner - max_inner % WIREGUARD_PADDING
        }
        Some(max_inner) => takes.min(max_inner),
        None => takes,
    }
}

/// Where the destination comes with each packet it is of either family: what the node has addresses of decides.
fn overhead_of(inventory: &Inventory, tunnel: &Tunnel) -> u32 {
    if !tunnel.external || tunnel.kind == TunnelKind::Ipip {
        return overhead(tunnel.kind, tunnel.outer_family);
    }
    let names: Vec<&str> = tunnel.underlays().map(|underlay| underlay.name.as_str()).collect();
    let mut own = inventory.node.addresses.iter().filter(|own| names.contains(&own.interface.as_str()));
    let is_v6 = own.clone().next().is_some() && own.all(|own| own.address.addr().is_ipv6());
    overhead(tunnel.kind, Some(if is_v6 { 6 } else { 4 }))
}

/// How a size compares with what there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is as large as can be.
    Fits,
    /// Packets of this size, less these bytes, would fit.
    TooBig(u32),
    /// These bytes more would fit.
    Unused(u32),
}

impl Fit {
    /// Of a size, where there is so much room.
    pub fn of(size: u32, room: u32) -> Self {
        match (size.checked_sub(room), room.checked_sub(size)) {
            (Some(0), _) => Self::Fits,
            (Some(over), _) => Self::TooBig(over),
            (None, unused) => Self::Unused(unused.unwrap_or(0)),
        }
    }
}

/// A way that pods' packets take to other nodes, with the sizes on it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub max_inner: Option<u32>,
    /// MTU of the tunnel device.
    pub mtu: u32,
    /// The smallest MTU of a route to other nodes' pods (`RTAX_MTU`); none when no route has one.
    pub route_mtu: Option<u32>,
    /// The device's MTU, or the route's where that counts, against `max_inner`. A device whose packets are too big sends
    /// fragments. None when `max_inner` is unknown, and where nothing tells how large packets in the device are.
    pub fit: Option<Fit>,
    /// Largest packet of a pod that gets through in one piece.
    pub usable: u32,
    /// True where pods' packets are held by a route's MTU in the pods and not by their interfaces', as with Cilium.
    pub route_limits_pods: bool,
    /// Pods' interfaces by their MTU, the smallest first: of the families that are carried.
    pub pods: Vec<PodMtu>,
    /// True when the device carries nothing any more: pods are not compared with it.
    pub stale: bool,
    /// True when the kernel's tables know no other node behind the device: `families` are then those that it is made for.
    pub idle: bool,
}

/// A device and its MTU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MtuDevice {
    /// Interface name; escape before showing.
    pub name: String,
    /// MTU in bytes.
    pub mtu: u32,
}

/// Pods whose interfaces have one MTU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodMtu {
    /// The MTU of the node's end, which is that of the pod's unless somebody changed one of them.
    pub mtu: u32,
    /// Interfaces that have it.
    pub count: usize,
    /// Against what the path carries; none where the interface's MTU does not count.
    pub fit: Option<Fit>,
}

/// The ways, by the devices' interface indices.
pub fn mtu_paths(inventory: &Inventory) -> Vec<MtuPath> {
    let mut paths: Vec<MtuPath> =
        inventory.all_tunnels().map(|tunnel| of_tunnel(inventory, tunnel)).collect();
    for plane in inventory.data_planes.iter().filter(|plane| plane.encapsulation == Encapsulation::None) {
        paths.extend(plane.devices.iter().filter_map(|device| of_nic(inventory, device)));
    }
    for path in &mut paths {
        path.pods = of_pods(path, &inventory.pod_links);
    }
    paths.sort_by_key(|path| path.ifindex);
    paths
}

/// The ways that pods' packets to other nodes take now: not those of devices without peers, nor of VPNs beside the CNI.
pub fn paths_in_use<'a>(inventory: &'a Inventory, paths: &'a [MtuPath]) -> impl Iterator<Item = &'a MtuPath> {
    paths.iter().filter(|path| !path.stale && !path.idle && inventory.is_of_cni(path.ifindex))
}

fn device(inventory: &Inventory, ifindex: u32) -> Option<&PathDevice> {
    inventory.path_devices.iter().find(|device| device.ifindex == ifindex)
}

fn of_tunnel(inventory: &Inventory, tunnel: &Tunnel) -> MtuPath {
    let plane = inventory.data_planes.iter().find_map(|plane| {
        let device = plane.devices.iter().find(|device| device.ifindex == tunnel.ifindex)?;
        Some((plane.system, device))
    });
    let is_cilium = plane.is_some_and(|(system, _)| system == System::Cilium);
    let routes = device(inventory, tunnel.ifindex);
    let Room { overhead, max_inner, budget: _ } = room(inventory, tunnel);
    let route_mtu =
        if is_cilium { inventory.host_route_mtu } else { routes.and_then(|routes| routes.route_mtu) };
    let takes = match route_mtu {
        Some(route) if is_cilium => route,
        Some(route) => route.min(tunnel.mtu),
        None => tunnel.mtu,
    };
    // Devices of this kind keep the NIC's MTU, and routes in the pods hold packets to less.
    let is_told = !tunnel.external
        || route_mtu.is_some()
        || plane.is_some_and(|(system, _)| system == System::CalicoEbpf);
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
        underlays: tunnel
            .underlays()
            .map(|underlay| MtuDevice { name: underlay.name.clone(), mtu: underlay.mtu })
            .collect(),
        underlay_route_mtu: routes.and_then(|routes| routes.outer_route_mtu),
        overhead,
        max_inner,
        mtu: tunnel.mtu,
        route_mtu,
        // Where no route has an MTU yet, as on the only node of a cluster, what Cilium makes of it is not known.
        fit: max_inner
            .filter(|_| !is_cilium || route_mtu.is_some())
            .map(|max_inner| Fit::of(takes, max_inner))
            .filter(|fit| is_told || !matches!(fit, Fit::TooBig(_))),
        usable: in_one_piece(tunnel.kind, takes, max_inner),
        route_limits_pods: is_cilium,
        pods: Vec::new(),
        stale: plane
            .is_some_and(|(_, device)| matches!(device.stale, Some(Stale::Idle { .. } | Stale::Unused))),
        idle: plane.is_some_and(|(_, device)| device.idle),
    }
}

/// A NIC that pods' packets leave by as they are.
fn of_nic(inventory: &Inventory, of_plane: &PlaneDevice) -> Option<MtuPath> {
    let nic = device(inventory, of_plane.ifindex).filter(|_| of_plane.routes > 0)?;
    let usable = nic.route_mtu.map_or(nic.mtu, |route| route.min(nic.mtu));
    Some(MtuPath {
        ifindex: nic.ifindex,
        device: nic.name.clone(),
        encapsulation: Encapsulation::None,
        outer_family: None,
        families: of_plane.families.clone(),
        underlays: vec![MtuDevice { name: nic.name.clone(), mtu: nic.mtu }],
        underlay_route_mtu: None,
        overhead: 0,
        max_inner: Some(nic.mtu),
        mtu: nic.mtu,
        route_mtu: nic.route_mtu,
        fit: Some(Fit::of(usable, nic.mtu)),
        usable,
        route_limits_pods: false,
        pods: Vec::new(),
        stale: false,
        idle: false,
    })
}

fn of_pods(path: &MtuPath, pods: &[PodLink]) -> Vec<PodMtu> {
    let concerned = |pod: &&PodLink| {
        pod.families.is_empty() || path.families.iter().any(|family| pod.families.contains(family))
    };
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for mtu in pods.iter().filter(concerned).filter_map(|pod| pod.mtu) {
        *counts.entry(mtu).or_default() += 1;
    }
    let compared = !path.route_limits_pods && !path.stale;
    counts
        .into_iter()
        .map(|(mtu, count)| PodMtu { mtu, count, fit: compared.then(|| Fit::of(mtu, path.usable)) })
        .collect()
}

#[cfg(test)]
mod tests;
