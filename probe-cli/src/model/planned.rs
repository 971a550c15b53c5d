//! What a planned change does to the room for packets: another backend, another MTU below the tunnel, other families. What breaks
//! while only that is changed, and what to set with it. Here are the change and what comes of it as values.
//!
//! Nothing is changed: `planned/after.rs` makes the inventory that would be there, whose paths `model/mtu.rs` computes like those of
//! the real one, so that no formula stands twice. Words are a report's.

mod after;
mod settings;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, net::IpAddr, str::FromStr};

use thiserror::Error;

use self::{after::After, settings::Made};
pub use settings::{Setting, Settings, Where};

use super::{Fit, Model, MtuPath, mtu_paths, paths_in_use};
use crate::inventory::{DataPlane, Encapsulation, Inventory, System, TunnelKind};

/// The MTU that each link must have for IPv6 (RFC 8200).
const IPV6_LEAST: u32 = 1280;
/// MTUs that may be planned below tunnels: every host takes as much (RFC 791), and no IP packet is larger.
const MTUS: std::ops::RangeInclusive<u32> = 576..=65535;

/// A backend of flannel that can be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedBackend {
    /// VXLAN.
    Vxlan,
    /// WireGuard, with a device for each family.
    Wireguard,
    /// Routes by the other nodes' addresses.
    HostGw,
    /// IP in IP, which carries IPv4 only.
    Ipip,
}

impl PlannedBackend {
    /// The tunnel; none where nothing is wrapped.
    fn tunnel(self) -> Option<TunnelKind> {
        match self {
            Self::Vxlan => Some(TunnelKind::Vxlan),
            Self::Wireguard => Some(TunnelKind::Wireguard),
            Self::HostGw => None,
            Self::Ipip => Some(TunnelKind::Ipip),
        }
    }

    fn of(encapsulation: Encapsulation) -> Option<Self> {
        match encapsulation {
            Encapsulation::Vxlan => Some(Self::Vxlan),
            Encapsulation::Wireguard => Some(Self::Wireguard),
            Encapsulation::None => Some(Self::HostGw),
            Encapsulation::Ipip => Some(Self::Ipip),
            Encapsulation::Geneve | Encapsulation::Udp => None,
        }
    }
}

impl fmt::Display for PlannedBackend {
    /// flannel's name of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vxlan => "vxlan",
            Self::Wireguard => "wireguard",
            Self::HostGw => "host-gw",
            Self::Ipip => "ipip",
        })
    }
}

/// One change, as `KEY=VALUE` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `backend=NAME`.
    Backend(PlannedBackend),
    /// `underlay=BYTES`: MTU of the devices below the tunnel.
    Underlay(u32),
    /// `family=ipv4|ipv6|dual`: families of pods, 4, 6 or both.
    Families(Vec<u8>),
}

/// A word that is no change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "give one of backend=vxlan|wireguard|host-gw|ipip, underlay=BYTES (576 to 65535), family=ipv4|ipv6|dual"
)]
pub struct NoChange;

impl FromStr for Change {
    type Err = NoChange;

    fn from_str(word: &str) -> Result<Self, NoChange> {
        Ok(match word.split_once('=').ok_or(NoChange)? {
            ("backend", "vxlan") => Self::Backend(PlannedBackend::Vxlan),
            ("backend", "wireguard") => Self::Backend(PlannedBackend::Wireguard),
            ("backend", "host-gw") => Self::Backend(PlannedBackend::HostGw),
            ("backend", "ipip") => Self::Backend(PlannedBackend::Ipip),
            ("underlay", bytes) => {
                let mtu = bytes.parse().map_err(|_not_a_number| NoChange)?;
                Self::Underlay(Some(mtu).filter(|mtu| MTUS.contains(mtu)).ok_or(NoChange)?)
            }
            ("family", "ipv4") => Self::Families(vec![4]),
            ("family", "ipv6") => Self::Families(vec![6]),
            ("family", "dual") => Self::Families(vec![4, 6]),
            _ => return Err(NoChange),
        })
    }
}

/// Changes that are made together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Another backend.
    pub backend: Option<PlannedBackend>,
    /// Another MTU of the devices below the tunnel, in bytes.
    pub underlay: Option<u32>,
    /// Families of pods: 4, 6 or both.
    pub families: Option<Vec<u8>>,
}

impl FromIterator<Change> for Changes {
    /// Of several values for one thing the last one counts.
    fn from_iter<T: IntoIterator<Item = Change>>(changes: T) -> Self {
        let mut all = Self::default();
        for change in changes {
            match change {
                Change::Backend(backend) => all.backend = Some(backend),
                Change::Underlay(mtu) => all.underlay = Some(mtu),
                Change::Families(families) => all.families = Some(families),
            }
        }
        all
    }
}

/// Why nothing can be said about a change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotPlanned {
    /// Nothing carries packets to other nodes.
    #[error("no data plane in use: there is no path to other nodes that a change would be made to")]
    NoPlane,
    /// It cannot be told which of them is changed.
    #[error(
        "{first} and {second} both carry packets to other nodes: finish that change before another one is planned"
    )]
    Several {
        /// One of them.
        first: Encapsulation,
        /// Another one.
        second: Encapsulation,
    },
    /// The system has other words for it, or cannot.
    #[error(
        "--if backend and --if family are for flannel (Canal, rke2-flannel, k3s); this node has {system}: only --if underlay is known"
    )]
    System {
        /// What the node has.
        system: System,
    },
    /// The size below is what all others follow from.
    #[error("the device below {device} is unknown, and so is every size after the change")]
    NoUnderlay {
        /// The tunnel; escape before showing.
        device: String,
    },
}

/// What a change comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What was asked for.
    pub changes: Changes,
    /// Who made the data plane.
    pub system: System,
    /// The backend before.
    pub backend_before: Option<PlannedBackend>,
    /// The smallest MTU below the tunnel, before and after.
    pub underlay: (u32, u32),
    /// The devices below the tunnel; escape before showing.
    pub nics: Vec<String>,
    /// The paths once the change is made, and nothing else: what exists keeps its MTU.
    pub after: Vec<MtuPath>,
    /// What is wrong then.
    pub breaks: Vec<Break>,
    /// What to set in the same change.
    pub settings: Settings,
    /// The paths once that is set too, the tunnels are made anew and the pods recreated.
    pub settled: Vec<MtuPath>,
    /// Tunnels that carry nothing any more, and that flannel does not remove; escape before showing.
    pub leftover: Vec<String>,
    /// Tunnels that keep an MTU which is another one once everything is set, with that one; escape before showing.
    pub resized: Vec<(String, u32)>,
}

/// What is wrong once a change is made and nothing else is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Break {
    /// Pods send more than a path carries.
    PodsTooBig {
        /// The device of the path; escape before showing.
        device: String,
        /// Interfaces of pods.
        count: usize,
        /// The largest MTU that one of them has.
        largest: u32,
        /// What the path carries.
        carries: u32,
    },
    /// A tunnel's outer packets are larger than what is below.
    TunnelTooBig {
        /// The tunnel; escape before showing.
        device: String,
        /// Bytes.
        over: u32,
    },
    /// Less than IPv6 requires is left.
    Ipv6TooSmall {
        /// The device of the path; escape before showing.
        device: String,
        /// What the path carries.
        carries: u32,
    },
    /// The node has no address of the family on the devices below: flannel does not start.
    NoAddress {
        /// 4 or 6.
        family: u8,
    },
    /// Without a tunnel, nodes have to be neighbours.
    NotNeighbours {
        /// Nodes that are on no network of the devices below.
        nodes: Vec<IpAddr>,
    },
    /// The backend carries IPv4 only.
    OnlyIpv4,
    /// A route to other nodes has an MTU of its own, which more than that does not pass.
    RouteMtu {
        /// Bytes.
        mtu: u32,
    },
    /// Nodes with different backends do not reach each other.
    BackendsDiffer,
}

/// What the change comes to on this node.
pub fn planned(model: &Model, changes: Changes) -> Result<Planned, NotPlanned> {
    let inventory = &model.inventory;
    let plane = plane_in_use(inventory)?;
    let is_flannel = matches!(plane.system, System::Canal | System::Rke2Flannel | System::Flannel);
    if (changes.backend.is_some() || changes.families.is_some()) && !is_flannel {
        return Err(NotPlanned::System { system: plane.system });
    }
    let made = Made::new(model, plane.system);
    let change = After::new(inventory, plane, &changes, &made)?;
    let at_once = change.at_once();
    let after = carrying(&at_once);
    // What the pods are given must fit every path, and the tunnels' sizes do not depend on it.
    let free = change.made_anew(made.configured(&changes), None);
    let fits = carrying(&free).iter().map(|path| path.usable).min().unwrap_or_default();
    let settings = made.settings(&changes, change.backend(), change.underlay_after(), fits);
    let settled = carrying(&change.made_anew(settings.below_tunnel, Some(settings.pod_mtu)));
    let breaks = breaks(inventory, &change, &changes, &after);
    let resized = after
        .iter()
        .filter(|path| path.encapsulation != Encapsulation::None)
        .filter_map(|path| {
            let wanted = settled.iter().find(|other| other.device == path.device)?;
            (wanted.mtu != path.mtu).then(|| (path.device.clone(), wanted.mtu))
        })
        .collect();
    Ok(Planned {
        system: plane.system,
        backend_before: PlannedBackend::of(plane.encapsulation),
        underlay: (change.underlay_before(), change.underlay_after()),
        nics: change.nics(),
        leftover: change.leftover(),
        changes,
        after,
        breaks,
        settings,
        settled,
        resized,
    })
}

/// The one data plane that carries pods' packets.
fn plane_in_use(inventory: &Inventory) -> Result<&DataPlane, NotPlanned> {
    let is_meant = |plane: &&DataPlane| {
        let mut devices = plane.devices.iter();
        !plane.is_stale() && devices.any(|device| inventory.is_of_cni(device.ifindex))
    };
    let mut planes = inventory.data_planes.iter().filter(is_meant);
    let first = planes.next().ok_or(NotPlanned::NoPlane)?;
    match planes.find(|other| other.encapsulation != first.encapsulation) {
        // With direct routing flannel and Calico wrap only what leaves the nodes' network.
        Some(other) if [first, other].iter().all(|plane| plane.encapsulation != Encapsulation::None) => {
            Err(NotPlanned::Several { first: first.encapsulation, second: other.encapsulation })
        }
        Some(other) if first.encapsulation == Encapsulation::None => Ok(other),
        Some(_) | None => Ok(first),
    }
}

/// The paths that carry packets, also those of the only node of a cluster.
fn carrying(inventory: &Inventory) -> Vec<MtuPath> {
    let paths = mtu_paths(inventory);
    let in_use: Vec<MtuPath> = paths_in_use(inventory, &paths).cloned().collect();
    if in_use.is_empty() { paths.into_iter().filter(|path| !path.stale).collect() } else { in_use }
}

fn breaks(inventory: &Inventory, change: &After<'_>, changes: &Changes, after: &[MtuPath]) -> Vec<Break> {
    let mut breaks = Vec::new();
    let families: BTreeSet<u8> = change.families().iter().copied().collect();
    for family in &families {
        if !change.has_address(*family) {
            breaks.push(Break::NoAddress { family: *family });
        }
    }
    if change.backend() == Some(PlannedBackend::Ipip) && families.contains(&6) {
        breaks.push(Break::OnlyIpv4);
    }
    let nodes = change.beyond_the_link();
    if change.backend() == Some(PlannedBackend::HostGw) && !nodes.is_empty() {
        breaks.push(Break::NotNeighbours { nodes });
    }
    for path in after {
        let device = || path.device.clone();
        if let (Some(Fit::TooBig(over)), true) = (path.fit, path.encapsulation != Encapsulation::None) {
            breaks.push(Break::TunnelTooBig { device: device(), over });
        }
        if path.families.contains(&6) && path.usable < IPV6_LEAST {
            breaks.push(Break::Ipv6TooSmall { device: device(), carries: path.usable });
        }
        let too_big: Vec<_> =
            path.pods.iter().filter(|pods| matches!(pods.fit, Some(Fit::TooBig(_)))).collect();
        if let Some(largest) = too_big.iter().map(|pods| pods.mtu).max() {
            let count = too_big.iter().map(|pods| pods.count).sum();
            breaks.push(Break::PodsTooBig { device: device(), count, largest, carries: path.usable });
        }
    }
    let route = after.iter().filter_map(|path| path.underlay_route_mtu).min();
    if let Some(mtu) = route.filter(|mtu| changes.underlay.is_some_and(|planned| *mtu < planned)) {
        breaks.push(Break::RouteMtu { mtu });
    }
    if changes.backend.is_some() && changes.backend != change.backend_before() {
        let has_peers = !inventory.peers.is_empty() || !inventory.routed_peers.is_empty();
        breaks.extend(has_peers.then_some(Break::BackendsDiffer));
    }
    breaks
}
