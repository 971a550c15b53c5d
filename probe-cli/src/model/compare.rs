//! What is intended and what there is, side by side: one row for each question that both can answer. Pure. What a
//! difference means, and what to do about it, is not judged here.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::{
    intent::{Backend, Basis, Cni, Intended, Intent, InterfaceChoice},
    inventory::{Encapsulation, Inventory, OwnPodCidr, PodCidrSource, System, Tunnel, TunnelKind},
    model::MtuPath,
};

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// Which CNI connects pods.
    Cni,
    /// What packets between nodes are wrapped in.
    Backend,
    /// Families of pods' addresses.
    Families,
    /// Networks of all pods; of this node's pods there is.
    ClusterCidrs,
    /// This node's pod networks.
    PodCidrs,
    /// This node's addresses; those that outer packets come from there are.
    NodeAddresses,
    /// The interface below tunnels.
    Interface,
    /// MTU of tunnels.
    TunnelMtu,
    /// MTU of pods' interfaces.
    PodMtu,
    /// VXLAN network identifier.
    Vni,
    /// UDP port of outer packets.
    Port,
}

/// An answer. Texts are of files and of the kernel: escape before showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The CNI that a file names.
    Cni(Cni),
    /// The system that made a data plane.
    System(System),
    /// The backend that a file names.
    Backend(Backend),
    /// What a data plane wraps packets in.
    Encapsulation(Encapsulation),
    /// A family of addresses: 4 or 6.
    Family(u8),
    /// A network.
    Network(IpNet),
    /// An address.
    Address(IpAddr),
    /// How the interface for tunnels is chosen.
    Interface(InterfaceChoice),
    /// The name of an interface.
    Name(String),
    /// An MTU in bytes, a VNI or a port.
    Number(u32),
}

/// Where an answer is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file of the node.
    File {
        /// Its path.
        file: String,
        /// Line in it, from 1.
        line: Option<u32>,
    },
    /// What the program takes when no file says anything else.
    Default,
    /// A table of the kernel.
    Netlink {
        /// What `ip` calls the table: `link`, `address`, `route`.
        table: &'static str,
        /// What names the entry there: an interface, a destination.
        key: String,
    },
}

/// An answer and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The answer.
    pub value: Answer,
    /// Where it is from.
    pub origin: Origin,
}

/// The answers to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The question.
    pub aspect: Aspect,
    /// What is intended; empty when no file tells.
    pub intended: Vec<Claim>,
    /// What there is; empty when the kernel does not tell.
    pub actual: Vec<Claim>,
    /// They agree; none when one of them is not known, or they cannot be compared.
    pub agrees: Option<bool>,
    /// How the intention came to be; none when there is none.
    pub basis: Option<Basis>,
    /// What says so first; none when nothing does.
    pub said_by: Option<Origin>,
}

/// All questions, in the order of [`Aspect`]; those that neither answers are left out.
pub fn side_by_side(intent: &Intent, inventory: &Inventory, paths: &[MtuPath]) -> Vec<Comparison> {
    let actual = Actual::new(inventory);
    let pod_cidrs: Vec<Claim> = inventory.node.pod_cidrs.iter().map(pod_cidr).collect();
    let within = |claim: &Claim| {
        let Answer::Network(own) = claim.value else { return false };
        intent.cluster_cidrs.iter().any(|cidr| cidr.value.contains(&own))
    };
    let pod_mtus = pod_mtus(inventory, paths);
    let both = [&intent.ipv4, &intent.ipv6].into_iter().zip([4, 6]);
    let families = both.filter_map(|(wanted, family)| {
        let wanted = wanted.as_ref().filter(|wanted| wanted.value)?;
        Some(Claim { value: Answer::Family(family), origin: origin(wanted) })
    });
    let first_family = intent.ipv4.as_ref().or(intent.ipv6.as_ref());
    let rows = vec![
        Comparison {
            actual: actual.systems(),
            agrees: cni_agrees(intent, &actual),
            ..one(Aspect::Cni, intent.cni.as_ref(), Answer::Cni)
        },
        Comparison {
            actual: claims(&actual.encapsulations, Answer::Encapsulation),
            agrees: backend_agrees(intent, &actual),
            ..one(Aspect::Backend, intent.backend.as_ref(), Answer::Backend)
        },
        compared(
            Comparison {
                intended: families.collect(),
                basis: first_family.map(|first| first.basis),
                said_by: first_family.map(origin),
                ..empty(Aspect::Families)
            },
            claims(&actual.families, Answer::Family),
            true,
        ),
        Comparison {
            agrees: (!intent.cluster_cidrs.is_empty() && !pod_cidrs.is_empty())
                .then(|| pod_cidrs.iter().all(within)),
            actual: pod_cidrs.clone(),
            ..many(Aspect::ClusterCidrs, &intent.cluster_cidrs, Answer::Network)
        },
        own_pod_cidrs(intent, pod_cidrs),
        compared(
            many(Aspect::NodeAddresses, &intent.node_ips, Answer::Address),
            claims(&actual.locals, Answer::Address),
            false,
        ),
        interface(intent, &actual),
        tunnel_mtu(intent, &actual, paths),
        number(Aspect::PodMtu, intent.pod_mtu.as_ref(), &pod_mtus),
        number(Aspect::Vni, intent.vni.as_ref(), &actual.vnis),
        ports(intent, &actual),
    ];
    rows.into_iter().filter(|row| !row.intended.is_empty() || !row.actual.is_empty()).collect()
}

/// Answers with where each was found first.
type Found<T> = BTreeMap<T, Origin>;

/// What carries pods' packets, without what is stale.
struct Actual<'a> {
    planes: Vec<(System, Encapsulation, Origin)>,
    encapsulations: Found<Encapsulation>,
    families: Found<u8>,
    tunnels: Vec<&'a Tunnel>,
    /// WireGuard devices by which Calico or Cilium encrypts what another encapsulation, or none, carries to the other nodes. Whether
    /// they do may stand in objects of the API server only.
    encrypting: BTreeSet<u32>,
    locals: Found<IpAddr>,
    mtus: Found<u32>,
    vnis: Found<u32>,
}

impl<'a> Actual<'a> {
    fn new(inventory: &'a Inventory) -> Self {
        let live = || inventory.data_planes.iter().filter(|plane| !plane.is_stale());
        // Beside a known CNI a tunnel of unknown origin is somebody's VPN, which no file of the cluster's speaks of.
        let has_known = live().any(|plane| plane.system != System::Unknown);
        let planes: Vec<_> = live().filter(|plane| !has_known || plane.system != System::Unknown).collect();
        let devices =
            || planes.iter().flat_map(|plane| &plane.devices).filter(|device| device.stale.is_none());
        let indices: BTreeSet<u32> = devices().map(|device| device.ifindex).collect();
        let tunnels: Vec<&Tunnel> =
            inventory.all_tunnels().filter(|tunnel| indices.contains(&tunnel.ifindex)).collect();
        let encrypting = planes.iter().filter(|plane| encrypts(plane.system, plane.encapsulation));
        let encrypting = encrypting.flat_map(|plane| &plane.devices).map(|device| device.ifindex).collect();
        let planes: Vec<(System, Encapsulation, Origin)> = planes
            .iter()
            .map(|plane| {
                let by = plane.devices.first().map(|device| link(device.name.clone()));
                (plane.system, plane.encapsulation, by.unwrap_or_else(|| own_network(inventory)))
            })
            .collect();
        let of_tunnels = || tunnels.iter().map(|tunnel| (*tunnel, link(tunnel.name.clone())));
        Self {
            encapsulations: found(planes.iter().map(|(_, encapsulation, by)| (*encapsulation, by.clone()))),
            families: found(devices().flat_map(|device| {
                device.families.iter().map(|family| (*family, link(device.name.clone())))
            })),
            locals: found(of_tunnels().filter_map(|(tunnel, by)| Some((tunnel.local?, by)))),
            mtus: found(of_tunnels().map(|(tunnel, by)| (tunnel.mtu, by))),
            vnis: found(of_tunnels().filter_map(|(tunnel, by)| Some((tunnel.vni?, by)))),
            planes,
            tunnels,
            encrypting,
        }
    }

    fn systems(&self) -> Vec<Claim> {
        let systems = self.planes.iter();
        let mut systems: Vec<Claim> = systems
            .map(|(system, _, origin)| Claim { value: Answer::System(*system), origin: origin.clone() })
            .collect();
        systems.dedup_by(|a, b| a.value == b.value);
        systems
    }
}

/// Neither has WireGuard as its way between nodes: it is beside another one.
fn encrypts(system: System, encapsulation: Encapsulation) -> bool {
    encapsulation == Encapsulation::Wireguard
        && matches!(system, System::Calico | System::CalicoEbpf | System::Cilium)
}

fn found<T: Ord>(all: impl Iterator<Item = (T, Origin)>) -> Found<T> {
    let mut found = Found::new();
    for (value, origin) in all {
        found.entry(value).or_insert(origin);
    }
    found
}

fn link(name: String) -> Origin {
    Origin::Netlink { table: "link", key: name }
}

/// What a data plane without devices is known by.
fn own_network(inventory: &Inventory) -> Origin {
    let own = inventory.node.pod_cidrs.first();
    Origin::Netlink { table: "route", key: own.map_or_else(String::new, |own| own.cidr.to_string()) }
}

fn pod_cidr(own: &OwnPodCidr) -> Claim {
    let table = match own.source {
        PodCidrSource::BlackholeRoute | PodCidrSource::HostRoute => "route",
        PodCidrSource::Bridge | PodCidrSource::TunnelAddress => "address",
    };
    Claim { value: Answer::Network(own.cidr), origin: Origin::Netlink { table, key: own.cidr.to_string() } }
}

/// MTUs of the pods' interfaces that packets to other nodes come by.
fn pod_mtus(inventory: &Inventory, paths: &[MtuPath]) -> Found<u32> {
    let mtus = paths.iter().filter(|path| !path.stale).flat_map(|path| &path.pods).map(|pods| pods.mtu);
    let key = |mtu| inventory.pod_links.iter().find(|link| link.mtu == Some(mtu)).map(|link| link.ifindex);
    found(mtus.map(|mtu| (mtu, link(key(mtu).map_or_else(String::new, |ifindex| ifindex.to_string())))))
}

fn empty(aspect: Aspect) -> Comparison {
    Comparison { aspect, intended: Vec::new(), actual: Vec::new(), agrees: None, basis: None, said_by: None }
}

fn origin<T>(intended: &Intended<T>) -> Origin {
    match &intended.file {
        Some(file) => Origin::File { file: file.clone(), line: intended.line },
        None => Origin::Default,
    }
}

fn one<T: Clone>(aspect: Aspect, intended: Option<&Intended<T>>, value: fn(T) -> Answer) -> Comparison {
    many(aspect, intended.map(std::slice::from_ref).unwrap_or_default(), value)
}

fn many<T: Clone>(aspect: Aspect, intended: &[Intended<T>], value: fn(T) -> Answer) -> Comparison {
    let first = intended.first();
    let claim =
        |intended: &Intended<T>| Claim { value: value(intended.value.clone()), origin: origin(intended) };
    Comparison {
        intended: intended.iter().map(claim).collect(),
        basis: first.map(|first| first.basis),
        said_by: first.map(origin),
        ..empty(aspect)
    }
}

fn claims<T: Clone>(found: &Found<T>, value: fn(T) -> Answer) -> Vec<Claim> {
    let claim =
        |(found, origin): (&T, &Origin)| Claim { value: value(found.clone()), origin: origin.clone() };
    found.iter().map(claim).collect()
}

/// The row with what there is, compared as values.
fn compared(row: Comparison, actual: Vec<Claim>, is_all: bool) -> Comparison {
    Comparison { agrees: agree(&row.intended, &actual, is_all), actual, ..row }
}

/// Whether everything that there is was intended, and with `is_all` also the other way round.
fn agree(intended: &[Claim], actual: &[Claim], is_all: bool) -> Option<bool> {
    if intended.is_empty() || actual.is_empty() {
        return None;
    }
    let has = |all: &[Claim], one: &Claim| all.iter().any(|other| other.value == one.value);
    let within = |some: &[Claim], all: &[Claim]| some.iter().all(|one| has(all, one));
    Some(within(actual, intended) && (!is_all || within(intended, actual)))
}

fn number(aspect: Aspect, intended: Option<&Intended<u32>>, actual: &Found<u32>) -> Comparison {
    compared(one(aspect, intended, Answer::Number), claims(actual, Answer::Number), true)
}

/// This node's pod networks. Of a family that no file names, nothing is intended: a file for IPv4 says nothing of IPv6.
fn own_pod_cidrs(intent: &Intent, actual: Vec<Claim>) -> Comparison {
    let row = many(Aspect::PodCidrs, &intent.pod_cidrs, Answer::Network);
    let is_named = |claim: &&Claim| {
        let Answer::Network(own) = claim.value else { return false };
        intent.pod_cidrs.iter().any(|cidr| cidr.value.addr().is_ipv4() == own.addr().is_ipv4())
    };
    let named: Vec<Claim> = actual.iter().filter(is_named).cloned().collect();
    Comparison { agrees: agree(&row.intended, &named, true), actual, ..row }
}

/// MTU of the tunnels. flannel asks for the same MTU for the devices of both families; the kernel gives one over IPv6 no more
/// than what is below it leaves room for (`vxlan_config_apply`, drivers/net/vxlan/vxlan_core.c), which is 20 bytes less.
fn tunnel_mtu(intent: &Intent, actual: &Actual<'_>, paths: &[MtuPath]) -> Comparison {
    let row = number(Aspect::TunnelMtu, intent.tunnel_mtu.as_ref(), &actual.mtus);
    let Some(wanted) = intent.tunnel_mtu.as_ref().filter(|_| !actual.tunnels.is_empty()) else { return row };
    let most = |tunnel: &Tunnel| {
        let path = paths.iter().find(|path| path.ifindex == tunnel.ifindex)?;
        let below = path.underlays.iter().map(|device| device.mtu).min()?;
        (tunnel.kind == TunnelKind::Vxlan && path.outer_family == Some(6))
            .then(|| below.saturating_sub(path.overhead))
    };
    let fits = |tunnel: &&Tunnel| tunnel.mtu == wanted.value.min(most(tunnel).unwrap_or(u32::MAX));
    Comparison { agrees: Some(actual.tunnels.iter().all(fits)), ..row }
}

/// Where the kernel shows who made the data plane.
fn cni_agrees(intent: &Intent, actual: &Actual<'_>) -> Option<bool> {
    let cni = &intent.cni.as_ref()?.value;
    let fits = |system: System| match (cni, system) {
        (_, System::Unknown) | (Cni::None | Cni::Other(_), _) => None,
        // Without pods flannel's devices do not tell whether it is Canal's.
        (Cni::Canal, System::Canal | System::Flannel)
        | (Cni::Flannel, System::Rke2Flannel | System::Flannel)
        | (Cni::K3sFlannel, System::Flannel)
        | (Cni::Calico, System::Calico | System::CalicoEbpf)
        | (Cni::Cilium, System::Cilium) => Some(true),
        _ => Some(false),
    };
    if *cni == Cni::None && actual.planes.is_empty() {
        return Some(true);
    }
    // Somebody else's CNI may be any, but for the one that the backend `none` turns off.
    if intent.backend.as_ref().is_some_and(|backend| backend.value == Backend::None) {
        return none_agrees(actual).filter(|agrees| !agrees);
    }
    let planes = actual.planes.iter().filter(|plane| !is_canals_own(intent, plane));
    let answers: Vec<bool> = planes.filter_map(|(system, _, _)| fits(*system)).collect();
    (!answers.is_empty()).then(|| answers.into_iter().all(|fits| fits))
}

/// Canal has Calico beside flannel, which can encrypt what goes between nodes.
fn is_canals_own(intent: &Intent, (system, encapsulation, _): &(System, Encapsulation, Origin)) -> bool {
    let is_canal = intent.cni.as_ref().is_some_and(|cni| cni.value == Cni::Canal);
    is_canal && (*system, *encapsulation) == (System::Calico, Encapsulation::Wireguard)
}

fn backend_agrees(intent: &Intent, actual: &Actual<'_>) -> Option<bool> {
    let wanted = match &intent.backend.as_ref()?.value {
        Backend::Vxlan => Encapsulation::Vxlan,
        Backend::Geneve => Encapsulation::Geneve,
        Backend::Wireguard => Encapsulation::Wireguard,
        Backend::Ipip => Encapsulation::Ipip,
        Backend::HostGw | Backend::NoEncapsulation | Backend::NativeRouting => Encapsulation::None,
        Backend::Udp => Encapsulation::Udp,
        Backend::None => return none_agrees(actual),
        Backend::Other(_) => return None,
    };
    // Encryption of its own, beside the tunnel, is no other backend; nor are routes between nodes of one network.
    let is_direct = intent.direct_routing.as_ref().is_some_and(|direct| direct.value);
    let beside = [
        intent.encryption.is_some().then_some(Encapsulation::Wireguard),
        is_direct.then_some(Encapsulation::None),
    ];
    let ways = actual.planes.iter().filter(|(system, one, _)| !encrypts(*system, *one));
    let mut there = ways.map(|(_, one, _)| *one).filter(|one| !beside.contains(&Some(*one))).peekable();
    if there.peek().is_none() && is_direct && actual.encapsulations.contains_key(&Encapsulation::None) {
        // All other nodes are in this one's network.
        return Some(true);
    }
    there.peek()?;
    Some(there.all(|one| one == wanted))
}

/// No backend of flannel's is wanted. Another CNI's data plane is then as good as none; of an unknown one that is not known.
fn none_agrees(actual: &Actual<'_>) -> Option<bool> {
    let is_flannels = |system: System| match system {
        System::Canal | System::Rke2Flannel | System::Flannel => Some(true),
        System::Calico | System::CalicoEbpf | System::Cilium => Some(false),
        System::Unknown => None,
    };
    let answers: Vec<Option<bool>> =
        actual.planes.iter().map(|(system, _, _)| is_flannels(*system)).collect();
    if answers.contains(&Some(true)) {
        return Some(false);
    }
    (!answers.contains(&None)).then_some(true)
}

fn interface(intent: &Intent, actual: &Actual<'_>) -> Comparison {
    let underlays = actual.tunnels.iter().flat_map(|tunnel| tunnel.underlays());
    let underlays = found(underlays.map(|below| (below.name.clone(), link(below.name.clone()))));
    let there = claims(&underlays, Answer::Name);
    let agrees = match intent.interface.as_ref().map(|wanted| &wanted.value) {
        Some(InterfaceChoice::Name(name)) => {
            // It may be told by its address.
            let by_address = name.parse().ok().map(|address: IpAddr| actual.locals.contains_key(&address));
            let by_name = || (!underlays.is_empty()).then(|| underlays.keys().all(|there| there == name));
            by_address.or_else(by_name)
        }
        Some(InterfaceChoice::Pattern(_) | InterfaceChoice::Rule(_)) | None => None,
    };
    let row = one(Aspect::Interface, intent.interface.as_ref(), Answer::Interface);
    Comparison { actual: there, agrees, ..row }
}

/// Each family may have a port of its own; WireGuard beside another tunnel has another one.
fn ports(intent: &Intent, actual: &Actual<'_>) -> Comparison {
    let port = |port: u16| Answer::Number(port.into());
    let mut row = one(Aspect::Port, intent.port.as_ref(), port);
    let v6 = intent.port_v6.as_ref();
    row.intended.extend(v6.map(|v6| Claim { value: port(v6.value), origin: origin(v6) }));
    let is_beside = |tunnel: &&Tunnel| {
        tunnel.kind == TunnelKind::Wireguard
            && (intent.encryption.is_some() || actual.encrypting.contains(&tunnel.ifindex))
    };
    let tunnels = actual.tunnels.iter().copied().filter(|tunnel| !is_beside(tunnel));
    let there = found(tunnels.filter_map(|tunnel| Some((tunnel.port?, link(tunnel.name.clone())))));
    compared(row, claims(&there, port), false)
}

#[cfg(test)]
mod tests;
