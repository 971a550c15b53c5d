//! The inventory that would be there after a change: of devices with their sizes, and of pods' interfaces. What else an inventory has
//! stays as it is, and is not to be read.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    Changes, NotPlanned, PlannedBackend,
    settings::{Made, taken_off},
};
use crate::{
    inventory::{
        DataPlane, Encapsulation, Inventory, PathDevice, PlaneDevice, System, Tunnel, TunnelKind, Underlay,
    },
    model::mtu::overhead,
    observed::Observed,
};

/// Indices of devices that are not there yet: the kernel's are positive numbers of 32 bits with a sign.
pub(super) const FIRST_NEW: u32 = 1 << 31;

/// See the module.
pub(super) struct After<'a> {
    inventory: &'a Inventory,
    plane: &'a DataPlane,
    made: &'a Made,
    /// Devices below, with their MTU after the change.
    below: Vec<Underlay>,
    below_before: u32,
    backend: Option<PlannedBackend>,
    backend_before: Option<PlannedBackend>,
    families: Vec<u8>,
    /// Other devices carry the packets, or there is another number of them.
    has_other_devices: bool,
}

impl<'a> After<'a> {
    pub(super) fn new(
        inventory: &'a Inventory,
        plane: &'a DataPlane,
        changes: &Changes,
        made: &'a Made,
    ) -> Result<Self, NotPlanned> {
        let mut below: Vec<Underlay> = Vec::new();
        for device in plane.devices.iter().filter(|device| device.stale.is_none()) {
            let found: Vec<Underlay> = match inventory.tunnel(device.ifindex) {
                Some(tunnel) => tunnel.underlays().cloned().collect(),
                None => nic(inventory, device.ifindex).into_iter().collect(),
            };
            for one in found {
                if below.iter().all(|known| known.ifindex != one.ifindex) {
                    below.push(one);
                }
            }
        }
        let Some(below_before) = below.iter().map(|device| device.mtu).min() else {
            let device = plane.devices.first().map(|device| device.name.clone()).unwrap_or_default();
            return Err(NotPlanned::NoUnderlay { device });
        };
        for device in &mut below {
            device.mtu = changes.underlay.unwrap_or(device.mtu);
        }
        let backend_before = PlannedBackend::of(plane.encapsulation);
        let backend = changes.backend.or(backend_before);
        let families_before = families(inventory, plane);
        let families = changes.families.clone().unwrap_or_else(|| families_before.clone());
        let has_other_devices = backend != backend_before || families != families_before;
        Ok(Self {
            inventory,
            plane,
            made,
            below,
            below_before,
            backend,
            backend_before,
            families,
            has_other_devices,
        })
    }

    pub(super) fn backend(&self) -> Option<PlannedBackend> {
        self.backend
    }

    pub(super) fn backend_before(&self) -> Option<PlannedBackend> {
        self.backend_before
    }

    pub(super) fn families(&self) -> &[u8] {
        &self.families
    }

    pub(super) fn underlay_before(&self) -> u32 {
        self.below_before
    }

    pub(super) fn underlay_after(&self) -> u32 {
        self.below.iter().map(|device| device.mtu).min().unwrap_or(self.below_before)
    }

    /// Names of the devices below.
    pub(super) fn nics(&self) -> Vec<String> {
        self.below.iter().map(|device| device.name.clone()).collect()
    }

    /// Tunnels that carry nothing after the change.
    pub(super) fn leftover(&self) -> Vec<String> {
        let tunnels = self.tunnels();
        let gone = tunnels.iter().filter(|tunnel| !self.is_used(tunnel));
        gone.map(|tunnel| tunnel.name.clone()).collect()
    }

    /// The node has an address of this family on a device below.
    pub(super) fn has_address(&self, family: u8) -> bool {
        let names = self.nics();
        let mut own = self.inventory.node.addresses.iter();
        own.any(|own| names.contains(&own.interface) && is_of(own.address.addr(), family))
    }

    /// Nodes that are on no network of the devices below.
    pub(super) fn beyond_the_link(&self) -> Vec<IpAddr> {
        let names = self.nics();
        let own = self.inventory.node.addresses.iter().filter(|own| names.contains(&own.interface));
        let networks: Vec<_> = own.map(|own| own.address.trunc()).collect();
        let peers = self.inventory.peers.iter().filter(|peer| self.inventory.is_in_use(peer.tunnel));
        let nodes: BTreeSet<IpAddr> = peers.filter_map(|peer| peer.node_address).collect();
        nodes.into_iter().filter(|node| !networks.iter().any(|network| network.contains(node))).collect()
    }

    /// The change is made and nothing else: what exists keeps its MTU, also the pods' interfaces. Only Calico's agent makes its
    /// devices fit by itself (felix/dataplane/linux, where nobody has set an MTU).
    pub(super) fn at_once(&self) -> Inventory {
        let mut inventory = self.with_below();
        if self.has_other_devices {
            // flannel goes on with a VXLAN device that is there, whatever its MTU (`ensureLink`), and makes WireGuard's anew.
            let is_kept = |tunnel: &Tunnel| self.is_used(tunnel) && tunnel.kind != TunnelKind::Wireguard;
            self.replace(&mut inventory, self.made.configured_now(), is_kept);
        } else if self.made.finds_out {
            self.fit_tunnels(&mut inventory);
        }
        inventory
    }

    /// All is set, tunnels are made anew, and pods' interfaces have this MTU where one is given. `below_tunnel` is what flannel is told
    /// that the MTU below is, where it is told one.
    pub(super) fn made_anew(&self, below_tunnel: Option<u32>, pod_mtu: Option<u32>) -> Inventory {
        let mut inventory = self.with_below();
        match self.made.system {
            System::Canal | System::Rke2Flannel | System::Flannel => {
                self.replace(&mut inventory, below_tunnel, |_| false);
            }
            System::Calico | System::CalicoEbpf | System::Unknown => self.fit_tunnels(&mut inventory),
            System::Cilium => self.fit_routes(&mut inventory),
        }
        for pod in &mut inventory.pod_links {
            // Cilium's pods have the MTU of the device below, and their routes hold them to less.
            let is_cilium = self.made.system == System::Cilium;
            let mtu = pod_mtu.map(|mtu| if is_cilium { self.underlay_after() } else { mtu });
            pod.mtu = mtu.filter(|_| pod.mtu.is_some()).or(pod.mtu);
        }
        inventory
    }

    /// The tunnels that carry packets now.
    fn tunnels(&self) -> Vec<&'a Tunnel> {
        let in_use = self.plane.devices.iter().filter(|device| device.stale.is_none());
        in_use.filter_map(|device| self.inventory.tunnel(device.ifindex)).collect()
    }

    /// A tunnel that carries packets after the change as well.
    fn is_used(&self, tunnel: &Tunnel) -> bool {
        let is_same = self.backend.and_then(PlannedBackend::tunnel) == Some(tunnel.kind);
        is_same && tunnel.outer_family.is_none_or(|family| self.families.contains(&family))
    }

    fn with_below(&self) -> Inventory {
        let mut inventory = self.inventory.clone();
        let after = |ifindex: u32| self.below.iter().find(|device| device.ifindex == ifindex);
        let tunnels = inventory.tunnels.iter_mut().chain(&mut inventory.other_tunnels);
        for device in tunnels.flat_map(|tunnel| tunnel.underlay.iter_mut().chain(&mut tunnel.more_underlays))
        {
            device.mtu = after(device.ifindex).map_or(device.mtu, |after| after.mtu);
        }
        for device in &mut inventory.path_devices {
            device.mtu = after(device.ifindex).map_or(device.mtu, |after| after.mtu);
        }
        inventory
    }

    /// Puts flannel's devices in the place of those that are not kept.
    fn replace(
        &self,
        inventory: &mut Inventory,
        below_tunnel: Option<u32>,
        is_kept: impl Fn(&Tunnel) -> bool,
    ) {
        let (kept, gone): (Vec<&Tunnel>, Vec<&Tunnel>) =
            self.tunnels().into_iter().partition(|tunnel| is_kept(tunnel));
        let is_gone = |ifindex: u32| gone.iter().any(|tunnel| tunnel.ifindex == ifindex);
        // Routes to the other nodes are the same whatever is sent there.
        let outer_routes = inventory.path_devices.iter().filter(|device| is_gone(device.ifindex));
        let outer_route_mtu = outer_routes.filter_map(|device| device.outer_route_mtu).min();
        for tunnels in [&mut inventory.tunnels, &mut inventory.other_tunnels] {
            tunnels.retain(|tunnel| !is_gone(tunnel.ifindex));
        }
        inventory.path_devices.retain(|device| !is_gone(device.ifindex));
        let old = &self.plane.devices;
        let is_idle = old.iter().all(|device| device.idle);
        let is_kept = |device: &&PlaneDevice| kept.iter().any(|tunnel| tunnel.ifindex == device.ifindex);
        let mut devices: Vec<PlaneDevice> = old.iter().filter(is_kept).cloned().collect();
        let kind = self.backend.and_then(PlannedBackend::tunnel);
        for tunnel in kind.into_iter().flat_map(|kind| self.new_tunnels(kind, &kept, below_tunnel)) {
            devices.push(plane_device(
                tunnel.ifindex,
                &tunnel.name,
                tunnel.outer_family.into_iter().collect(),
                is_idle,
            ));
            inventory.path_devices.push(PathDevice {
                ifindex: tunnel.ifindex,
                name: tunnel.name.clone(),
                mtu: tunnel.mtu,
                route_mtu: None,
                outer_route_mtu,
            });
            inventory.tunnels.push(tunnel);
        }
        for nic in self.below.iter().filter(|_| kind.is_none()) {
            devices.push(plane_device(nic.ifindex, &nic.name, self.families.clone(), is_idle));
            if inventory.path_devices.iter().all(|device| device.ifindex != nic.ifindex) {
                inventory.path_devices.push(PathDevice {
                    ifindex: nic.ifindex,
                    name: nic.name.clone(),
                    mtu: nic.mtu,
                    ..PathDevice::default()
                });
            }
        }
        for plane in inventory.data_planes.iter_mut().filter(|plane| *plane == self.plane) {
            plane.encapsulation = kind.map_or(Encapsulation::None, Encapsulation::from);
            plane.devices.clone_from(&devices);
        }
        for pod in inventory.pod_links.iter_mut().filter(|pod| !pod.families.is_empty()) {
            pod.families.clone_from(&self.families);
        }
    }

    /// One of this kind for each family that none of those that are kept is for.
    fn new_tunnels(&self, kind: TunnelKind, kept: &[&Tunnel], below_tunnel: Option<u32>) -> Vec<Tunnel> {
        let is_missing = |family: &u8| {
            let is_possible = kind != TunnelKind::Ipip || *family == 4;
            is_possible && kept.iter().all(|tunnel| tunnel.outer_family != Some(*family))
        };
        let old = self.tunnels();
        let missing = self.families.iter().copied().filter(is_missing);
        missing
            .map(|family| {
                // Made anew, it is the old device to who looks at it.
                let same =
                    old.iter().find(|tunnel| (tunnel.kind, tunnel.outer_family) == (kind, Some(family)));
                let mtu = self.new_mtu(kind, family, below_tunnel);
                same.map_or_else(
                    || self.new_tunnel(kind, family, mtu),
                    |same| {
                        let mut below = self.below.iter().cloned();
                        let (underlay, more_underlays) = (below.next(), below.collect());
                        Tunnel { underlay, more_underlays, mtu, ..(*same).clone() }
                    },
                )
            })
            .collect()
    }

    /// What flannel asks for, and what the kernel makes of it.
    fn new_mtu(&self, kind: TunnelKind, family: u8, below_tunnel: Option<u32>) -> u32 {
        let below = self.underlay_after();
        let taken = PlannedBackend::of(kind.into()).map_or(0, taken_off);
        let asked = below_tunnel.unwrap_or(below).saturating_sub(taken);
        match kind {
            // Made on a device below, it is no larger than that leaves room for (`vxlan_config_apply`).
            TunnelKind::Vxlan => asked.min(below.saturating_sub(overhead(kind, Some(family)))),
            TunnelKind::Wireguard | TunnelKind::Ipip | TunnelKind::Geneve | TunnelKind::Udp => asked,
        }
    }

    fn new_tunnel(&self, kind: TunnelKind, family: u8, mtu: u32) -> Tunnel {
        let vni = if self.made.system == System::Rke2Flannel { 4096 } else { 1 };
        let name = match (kind, family) {
            (TunnelKind::Wireguard, 6) => "flannel-wg-v6".to_owned(),
            (TunnelKind::Wireguard, _) => "flannel-wg".to_owned(),
            (TunnelKind::Ipip, _) => "flannel.ipip".to_owned(),
            (_, 6) => format!("flannel-v6.{vni}"),
            (_, _) => format!("flannel.{vni}"),
        };
        Tunnel {
            name,
            ifindex: FIRST_NEW + u32::from(family),
            kind,
            vni: (kind == TunnelKind::Vxlan).then_some(vni),
            port: None,
            local: None,
            outer_family: Some(family),
            underlay: self.below.first().cloned(),
            more_underlays: self.below.iter().skip(1).cloned().collect(),
            mtu,
            mac: None,
            public_key: None,
            addresses: Vec::new(),
            external: false,
            l3: kind != TunnelKind::Vxlan,
            flood: 0,
            up: true,
            told: Observed::Absent,
        }
    }

    /// Tunnels as large as what is below leaves room for.
    fn fit_tunnels(&self, inventory: &mut Inventory) {
        let below = self.underlay_after();
        let ours: Vec<u32> = self.tunnels().iter().map(|tunnel| tunnel.ifindex).collect();
        let tunnels = inventory.tunnels.iter_mut().chain(&mut inventory.other_tunnels);
        for tunnel in tunnels.filter(|tunnel| ours.contains(&tunnel.ifindex)) {
            tunnel.mtu = below.saturating_sub(overhead(tunnel.kind, tunnel.outer_family));
        }
        for device in inventory.path_devices.iter_mut().filter(|device| ours.contains(&device.ifindex)) {
            device.route_mtu = None;
        }
    }

    /// Cilium's devices have the MTU of what is below, and its routes hold packets to less.
    fn fit_routes(&self, inventory: &mut Inventory) {
        let below = self.underlay_after();
        let ours = self.tunnels();
        let is_ours = |tunnel: &&mut Tunnel| ours.iter().any(|own| own.ifindex == tunnel.ifindex);
        inventory.tunnels.iter_mut().filter(is_ours).for_each(|tunnel| tunnel.mtu = below);
        let most = ours.iter().map(|tunnel| overhead(tunnel.kind, tunnel.outer_family)).max();
        if let Some(most) = most {
            inventory.host_route_mtu = Some(below.saturating_sub(most));
        }
        for device in &mut inventory.path_devices {
            device.route_mtu = None;
        }
    }
}

fn plane_device(ifindex: u32, name: &str, families: Vec<u8>, idle: bool) -> PlaneDevice {
    PlaneDevice {
        ifindex,
        name: name.to_owned(),
        families,
        peers: None,
        // A NIC without routes to pods is none of a data plane's.
        routes: 1,
        idle,
        stale: None,
        unconfigured: false,
        bypassed: None,
    }
}

/// The NIC that packets leave by as they are.
fn nic(inventory: &Inventory, ifindex: u32) -> Option<Underlay> {
    let device = inventory.path_devices.iter().find(|device| device.ifindex == ifindex)?;
    Some(Underlay { name: device.name.clone(), ifindex, mtu: device.mtu, l3: false })
}

/// Families of the pod networks; where no route tells, those that the tunnels are made for.
fn families(inventory: &Inventory, plane: &DataPlane) -> Vec<u8> {
    let families = plane.families();
    if !families.is_empty() {
        return families;
    }
    let tunnels = plane.devices.iter().filter_map(|device| inventory.tunnel(device.ifindex));
    let families: BTreeSet<u8> = tunnels.filter_map(|tunnel| tunnel.outer_family).collect();
    families.into_iter().collect()
}

fn is_of(address: IpAddr, family: u8) -> bool {
    address.is_ipv6() == (family == 6)
}
