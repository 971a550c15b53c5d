//! What carries pods' packets to other nodes: which system made it, and how that is known. By link kind, VNI, port, addresses
//! and routes; a name may support that, and alone decides nothing but that something is likely.
//!
//! Here are the types and the order of the steps. Each kind of device has its file with fingerprints, `dataplane/alone.rs`
//! knows the only node of a cluster, and `dataplane/stale.rs` says which of several planes carries nothing any more. No
//! files: what was configured is known elsewhere, and `flannel_bridge.rs` has the one trait that only files tell.

mod alone;
mod direct;
mod ip_tunnel;
mod routed;
mod signs;
mod stale;
mod tun;
mod vxlan;
mod wireguard;

use std::{collections::BTreeSet, fmt, net::IpAddr};

use ipnet::IpNet;

use self::signs::{Candidate, NodeSigns};
use super::{Inventory, TunnelKind, index::Index};
use crate::text::counted;

/// Who made a data plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum System {
    /// flannel with Calico's pod interfaces and policy: RKE2's default.
    Canal,
    /// flannel as RKE2's chart `rke2-flannel` sets it up: VNI 4096, port 4789.
    Rke2Flannel,
    /// flannel: k3s' own, or one whose pods do not tell whether it is Canal's.
    Flannel,
    /// Calico.
    Calico,
    /// Calico with its eBPF data plane.
    CalicoEbpf,
    /// Cilium.
    Cilium,
    /// Nothing that is known here.
    Unknown,
}

impl System {
    /// Packets of pods take the kernel's rules and routes; the eBPF programs of others pass them on without.
    pub const fn forwards_by_routes(self) -> bool {
        !matches!(self, Self::Cilium | Self::CalicoEbpf)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canal => "Canal",
            Self::Rke2Flannel => "rke2-flannel",
            Self::Flannel => "flannel",
            Self::Calico => "Calico",
            Self::CalicoEbpf => "Calico eBPF",
            Self::Cilium => "Cilium",
            Self::Unknown => "overlay of unknown origin",
        })
    }
}

/// What a data plane wraps packets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encapsulation {
    /// VXLAN.
    Vxlan,
    /// WireGuard.
    Wireguard,
    /// IP in IP.
    Ipip,
    /// Geneve.
    Geneve,
    /// UDP, by a process: flannel's UDP backend.
    Udp,
    /// Nothing: pod networks are routed to the other nodes (flannel's host-gw, Calico's and Cilium's native routing).
    None,
}

impl fmt::Display for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vxlan => "VXLAN",
            Self::Wireguard => "WireGuard",
            Self::Ipip => "IP in IP",
            Self::Geneve => "Geneve",
            Self::Udp => "UDP in user space",
            Self::None => "no encapsulation",
        })
    }
}

impl From<TunnelKind> for Encapsulation {
    fn from(kind: TunnelKind) -> Self {
        match kind {
            TunnelKind::Vxlan => Self::Vxlan,
            TunnelKind::Wireguard => Self::Wireguard,
            TunnelKind::Ipip => Self::Ipip,
            TunnelKind::Geneve => Self::Geneve,
            TunnelKind::Udp => Self::Udp,
        }
    }
}

/// How sure it is who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Nothing else makes what was found.
    Certain,
    /// It is the system's habit, but something else could have made it.
    Likely,
}

/// What carries pods' packets to other nodes, or once did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPlane {
    /// Who made it.
    pub system: System,
    /// What it wraps packets in.
    pub encapsulation: Encapsulation,
    /// How sure that is; none for an overlay of unknown origin.
    pub certainty: Option<Certainty>,
    /// What it was known by, in words. Names of devices are in them as they are: escape before showing.
    pub evidence: Vec<String>,
    /// Its devices, by interface index: tunnels, or NICs where nothing is wrapped. None on the only node of a cluster that wraps
    /// nothing.
    pub devices: Vec<PlaneDevice>,
}

impl DataPlane {
    /// Families of the pod networks that it carries: 4, 6 or both; empty when no route and no peer tells.
    pub fn families(&self) -> Vec<u8> {
        let mut families: Vec<u8> =
            self.devices.iter().flat_map(|device| &device.families).copied().collect();
        families.sort_unstable();
        families.dedup();
        families
    }

    /// None of its devices carries anything any more, or should not.
    pub fn is_stale(&self) -> bool {
        !self.devices.is_empty() && self.devices.iter().all(|device| device.stale.is_some())
    }
}

/// A device of a data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaneDevice {
    /// Interface index.
    pub ifindex: u32,
    /// Interface name; escape before showing.
    pub name: String,
    /// Families of the pod networks that it carries.
    pub families: Vec<u8>,
    /// Remote nodes that it knows; none when the kernel's tables do not tell, as with Cilium, or may not be read.
    pub peers: Option<usize>,
    /// Routes that lead to other nodes' pods by it.
    pub routes: usize,
    /// It leads to no other node, as far as the kernel's tables tell: no peer and no route. So does the device of the only
    /// node of a cluster; where it cannot be that, it is stale, too.
    pub idle: bool,
    /// It is idle and has no address, which each device has that a CNI's agent looks after, although this node has pods of its
    /// family and nothing else leads anywhere for them: its agent has not configured it, or it was made again by somebody else.
    pub unconfigured: bool,
    /// Why it is probably stale: another configuration left it.
    pub stale: Option<Stale>,
    /// A device that takes some of its packets.
    pub bypassed: Option<Bypass>,
}

/// Why a device is probably stale. Names of devices are as they are: escape before showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// It leads nowhere, while another device leads to pod networks.
    Idle {
        /// The other device.
        carried_by: String,
    },
    /// It leads nowhere, has no address either, which each device has that a CNI's agent looks after, and no pod here needs it.
    Unused,
    /// Its routes are more specific than the one of a WireGuard device, and so take packets that would be encrypted: what
    /// remains of VXLAN when flannel was switched to WireGuard, or of nodes that were not switched yet.
    MoreSpecific {
        /// The WireGuard device.
        than: String,
        /// Routes that are.
        routes: usize,
        /// Of those, to networks that the WireGuard device has a peer for, so that they need not be.
        with_peer: usize,
    },
}

impl PlaneDevice {
    /// What is odd about it, in words; names of devices are in them as they are.
    pub fn oddities(&self) -> Vec<String> {
        let name = &self.name;
        let stale = self.stale.as_ref().map(|why| match why {
            Stale::Idle { carried_by } => {
                format!("{name} is probably stale: it leads to no other node, while {carried_by} does")
            }
            Stale::Unused => format!("{name} is probably stale: it has no address, no peer and no route"),
            Stale::MoreSpecific { than, routes, with_peer } => format!(
                "{name} is probably stale: packets by its {} bypass {than} and are not encrypted; {than} has a peer for \
                 {with_peer} of them",
                counted(*routes, "more-specific route")
            ),
        });
        let bypassed = self.bypassed.as_ref().map(|bypass| {
            let networks = counted(bypass.routes, "pod network");
            format!("{name} is bypassed: {} takes packets to {networks}", bypass.by)
        });
        let unconfigured = self.unconfigured.then(|| {
            format!("{name} has no address, no peer and no route, although this node has pods of its address family")
        });
        stale.into_iter().chain(unconfigured).chain(bypassed).collect()
    }
}

/// A device that takes packets of another one by more specific routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bypass {
    /// Name of the device that takes them; escape before showing.
    pub by: String,
    /// Its routes that do.
    pub routes: usize,
    /// Of those, to networks that the bypassed device has a peer for.
    pub with_peer: usize,
}

/// A remote node that only routes know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutedPeer {
    /// Interface index of the device: an IP-in-IP tunnel, or a NIC where nothing is wrapped.
    pub ifindex: u32,
    /// The remote node's address: the routes' gateway.
    pub node_address: IpAddr,
    /// Pod networks routed to it.
    pub pod_cidrs: Vec<IpNet>,
}

/// All data planes, those of one system and encapsulation together, by system. An overlay of unknown origin is a plane for
/// each of its devices. And the nodes that only routes know. `inventory` has everything else already;
/// `flannels` are the bridges that are known to be flannel's.
pub(super) fn data_planes(
    index: &Index<'_>,
    inventory: &Inventory,
    flannels: &BTreeSet<u32>,
) -> (Vec<DataPlane>, Vec<RoutedPeer>) {
    let signs = NodeSigns::new(index, inventory, flannels);
    let mut found: Vec<Candidate> = Vec::new();
    for tunnel in inventory.all_tunnels() {
        found.push(match tunnel.kind {
            TunnelKind::Vxlan => vxlan::judge(&signs, tunnel),
            TunnelKind::Wireguard => wireguard::judge(&signs, tunnel),
            TunnelKind::Ipip | TunnelKind::Geneve => ip_tunnel::judge(&signs, tunnel),
            TunnelKind::Udp => tun::judge(&signs, tunnel),
        });
    }
    found.extend(direct::judge(&signs));
    stale::mark(&signs, &mut found);
    let alone = alone::judge(&signs, &found);
    let mut planes = merged(found);
    planes.extend(alone);
    planes.sort_by_key(|plane| (plane.is_stale(), plane.system, plane.encapsulation));
    (planes, routed::peers(&signs))
}

fn merged(found: Vec<Candidate>) -> Vec<DataPlane> {
    let mut planes: Vec<DataPlane> = Vec::new();
    for judged in found {
        let same = planes.iter_mut().find(|plane| {
            plane.system != System::Unknown
                && (plane.system, plane.encapsulation) == (judged.system, judged.encapsulation)
        });
        let Some(plane) = same else {
            planes.push(DataPlane {
                system: judged.system,
                encapsulation: judged.encapsulation,
                certainty: judged.certainty,
                evidence: judged.evidence,
                devices: vec![judged.device],
            });
            continue;
        };
        plane.certainty = plane.certainty.min(judged.certainty);
        for words in judged.evidence {
            if !plane.evidence.contains(&words) {
                plane.evidence.push(words);
            }
        }
        plane.devices.push(judged.device);
        plane.devices.sort_by_key(|device| device.ifindex);
    }
    planes
}

#[cfg(test)]
mod tests;
