//! What is intended and what there is, side by side: one row for each question that both can answer. Pure. What a
//! difference means, and what to do about it, is not judged here.

use std::{collections::BTreeSet, fmt::Display, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{
    intent::{Backend, Basis, Cni, Intended, Intent, InterfaceChoice},
    inventory::{Encapsulation, Inventory, System, Tunnel, TunnelKind},
    model::MtuPath,
};

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// The answers to one question. Texts are of files and of the kernel: escape before showing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// The question.
    pub aspect: Aspect,
    /// What is intended; empty when no file tells.
    pub intended: Vec<String>,
    /// What there is; empty when the kernel does not tell.
    pub actual: Vec<String>,
    /// They agree; none when one of them is not known, or they cannot be compared.
    pub agrees: Option<bool>,
    /// How the intention came to be; none when there is none.
    pub basis: Option<Basis>,
    /// The file that says it.
    pub file: Option<String>,
    /// Line in that file, from 1.
    pub line: Option<u32>,
}

/// All questions, in the order of [`Aspect`]; those that neither answers are left out.
pub fn side_by_side(intent: &Intent, inventory: &Inventory, paths: &[MtuPath]) -> Vec<Comparison> {
    let there = There::new(inventory);
    let node = &inventory.node;
    let pod_cidrs: Vec<_> = node.pod_cidrs.iter().map(|own| own.cidr).collect();
    let mut families = families(intent);
    families.agrees = agree(&families.intended, &words(&there.families), true);
    let pod_mtus: BTreeSet<u32> = paths
        .iter()
        .filter(|path| !path.left_over)
        .flat_map(|path| &path.pods)
        .map(|pods| pods.mtu)
        .collect();
    let rows = vec![
        Comparison {
            actual: there.systems(),
            agrees: cni_agrees(intent, &there),
            ..one(Aspect::Cni, intent.cni.as_ref())
        },
        Comparison {
            actual: words(&there.encapsulations),
            agrees: backend_agrees(intent, &there),
            ..one(Aspect::Backend, intent.backend.as_ref())
        },
        Comparison { actual: words(&there.families), ..families },
        Comparison {
            actual: words(&pod_cidrs),
            agrees: (!intent.cluster_cidrs.is_empty() && !pod_cidrs.is_empty()).then(|| {
                let within = |own| intent.cluster_cidrs.iter().any(|cidr| cidr.value.contains(own));
                pod_cidrs.iter().all(within)
            }),
            ..many(Aspect::ClusterCidrs, &intent.cluster_cidrs)
        },
        Comparison {
            agrees: agree(&values(&intent.pod_cidrs), &words(&pod_cidrs), true),
            actual: words(&pod_cidrs),
            ..many(Aspect::PodCidrs, &intent.pod_cidrs)
        },
        Comparison {
            agrees: agree(&values(&intent.node_ips), &words(&there.locals), false),
            actual: words(&there.locals),
            ..many(Aspect::NodeAddresses, &intent.node_ips)
        },
        interface(intent, &there),
        numbers(Aspect::TunnelMtu, intent.tunnel_mtu.as_ref(), &there.mtus),
        numbers(Aspect::PodMtu, intent.pod_mtu.as_ref(), &pod_mtus),
        numbers(Aspect::Vni, intent.vni.as_ref(), &there.vnis),
        ports(intent, &there),
    ];
    rows.into_iter().filter(|row| !row.intended.is_empty() || !row.actual.is_empty()).collect()
}

/// What carries pods' packets, without what is left over.
struct There<'a> {
    planes: Vec<(System, Encapsulation)>,
    encapsulations: BTreeSet<Encapsulation>,
    families: BTreeSet<u8>,
    tunnels: Vec<&'a Tunnel>,
    locals: BTreeSet<IpAddr>,
    mtus: BTreeSet<u32>,
    vnis: BTreeSet<u32>,
}

impl<'a> There<'a> {
    fn new(inventory: &'a Inventory) -> Self {
        let planes: Vec<_> = inventory.data_planes.iter().filter(|plane| !plane.is_left_over()).collect();
        let devices =
            || planes.iter().flat_map(|plane| &plane.devices).filter(|device| device.left_over.is_none());
        let indices: BTreeSet<u32> = devices().map(|device| device.ifindex).collect();
        let tunnels: Vec<&Tunnel> =
            inventory.all_tunnels().filter(|tunnel| indices.contains(&tunnel.ifindex)).collect();
        Self {
            planes: planes.iter().map(|plane| (plane.system, plane.encapsulation)).collect(),
            encapsulations: planes.iter().map(|plane| plane.encapsulation).collect(),
            families: devices().flat_map(|device| &device.families).copied().collect(),
            locals: tunnels.iter().filter_map(|tunnel| tunnel.local).collect(),
            mtus: tunnels.iter().map(|tunnel| tunnel.mtu).collect(),
            vnis: tunnels.iter().filter_map(|tunnel| tunnel.vni).collect(),
            tunnels,
        }
    }

    fn systems(&self) -> Vec<String> {
        let mut systems: Vec<String> = self.planes.iter().map(|(system, _)| system.to_string()).collect();
        systems.dedup();
        systems
    }
}

fn empty(aspect: Aspect) -> Comparison {
    Comparison {
        aspect,
        intended: Vec::new(),
        actual: Vec::new(),
        agrees: None,
        basis: None,
        file: None,
        line: None,
    }
}

fn one<T: Display>(aspect: Aspect, intended: Option<&Intended<T>>) -> Comparison {
    many(aspect, intended.map(std::slice::from_ref).unwrap_or_default())
}

fn many<T: Display>(aspect: Aspect, intended: &[Intended<T>]) -> Comparison {
    let first = intended.first();
    Comparison {
        intended: values(intended),
        basis: first.map(|first| first.basis),
        file: first.and_then(|first| first.file.clone()),
        line: first.and_then(|first| first.line),
        ..empty(aspect)
    }
}

fn values<T: Display>(intended: &[Intended<T>]) -> Vec<String> {
    intended.iter().map(|intended| intended.value.to_string()).collect()
}

fn words<T: Display>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

/// Whether everything that there is was intended, and with `is_all` also the other way round.
fn agree(intended: &[String], actual: &[String], is_all: bool) -> Option<bool> {
    if intended.is_empty() || actual.is_empty() {
        return None;
    }
    let within = |some: &[String], all: &[String]| some.iter().all(|one| all.contains(one));
    Some(within(actual, intended) && (!is_all || within(intended, actual)))
}

fn numbers(aspect: Aspect, intended: Option<&Intended<u32>>, actual: &BTreeSet<u32>) -> Comparison {
    let row = one(aspect, intended);
    let actual = words(actual);
    Comparison { agrees: agree(&row.intended, &actual, true), actual, ..row }
}

fn families(intent: &Intent) -> Comparison {
    let of = |family: &str, wanted: Option<&Intended<bool>>| {
        wanted.filter(|wanted| wanted.value).map(|_| family.to_owned())
    };
    let first = intent.ipv4.as_ref().or(intent.ipv6.as_ref());
    Comparison {
        intended: of("4", intent.ipv4.as_ref()).into_iter().chain(of("6", intent.ipv6.as_ref())).collect(),
        basis: first.map(|first| first.basis),
        file: first.and_then(|first| first.file.clone()),
        line: first.and_then(|first| first.line),
        ..empty(Aspect::Families)
    }
}

/// Where the kernel shows who made the data plane.
fn cni_agrees(intent: &Intent, there: &There<'_>) -> Option<bool> {
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
    let answers: Vec<bool> = there.planes.iter().filter_map(|(system, _)| fits(*system)).collect();
    (!answers.is_empty()).then(|| answers.into_iter().all(|fits| fits))
}

fn backend_agrees(intent: &Intent, there: &There<'_>) -> Option<bool> {
    let wanted = match &intent.backend.as_ref()?.value {
        Backend::Vxlan => Encapsulation::Vxlan,
        Backend::Geneve => Encapsulation::Geneve,
        Backend::Wireguard => Encapsulation::Wireguard,
        Backend::Ipip => Encapsulation::Ipip,
        Backend::HostGw => Encapsulation::None,
        Backend::None | Backend::Other(_) => return None,
    };
    // Encryption of its own, beside the tunnel, is no other backend.
    let beside = intent.encryption.is_some().then_some(Encapsulation::Wireguard);
    let mut there = there.encapsulations.iter().copied().filter(|one| Some(*one) != beside).peekable();
    there.peek()?;
    Some(there.all(|one| one == wanted))
}

fn interface(intent: &Intent, there: &There<'_>) -> Comparison {
    let underlays: BTreeSet<&str> =
        there.tunnels.iter().flat_map(|tunnel| tunnel.underlays()).map(|below| below.name.as_str()).collect();
    let row = empty(Aspect::Interface);
    let actual = words(underlays);
    let Some(wanted) = &intent.interface else { return Comparison { actual, ..row } };
    let (intended, agrees) = match &wanted.value {
        InterfaceChoice::Name(name) => {
            // It may be told by its address.
            let by_address = name.parse().ok().map(|address: IpAddr| there.locals.contains(&address));
            let agrees = by_address.or_else(|| agree(std::slice::from_ref(name), &actual, false));
            (name.clone(), agrees)
        }
        InterfaceChoice::Pattern(pattern) => (format!("matches {pattern}"), None),
        InterfaceChoice::Rule(rule) => (rule.clone(), None),
    };
    Comparison {
        intended: vec![intended],
        actual,
        agrees,
        basis: Some(wanted.basis),
        file: wanted.file.clone(),
        line: wanted.line,
        ..row
    }
}

/// Each family may have a port of its own; WireGuard beside another tunnel has another one.
fn ports(intent: &Intent, there: &There<'_>) -> Comparison {
    let row = one(Aspect::Port, intent.port.as_ref());
    let mut intended = row.intended.clone();
    intended.extend(intent.port_v6.as_ref().map(|port| port.value.to_string()));
    let is_beside = |tunnel: &&Tunnel| intent.encryption.is_some() && tunnel.kind == TunnelKind::Wireguard;
    let actual: BTreeSet<u16> = there
        .tunnels
        .iter()
        .copied()
        .filter(|tunnel| !is_beside(tunnel))
        .filter_map(|tunnel| tunnel.port)
        .collect();
    let actual = words(actual);
    Comparison { agrees: agree(&intended, &actual, false), intended, actual, ..row }
}

#[cfg(test)]
mod tests {
    use crate::{
        inventory::testdata::*,
        model::{compare::*, mtu_paths},
    };

    fn said<T>(value: T) -> Intended<T> {
        let file = Some("/etc/rancher/rke2/config.yaml".to_owned());
        Intended { value, basis: Basis::Configured, file, line: Some(3) }
    }

    fn canal(backend: Backend) -> Intent {
        Intent {
            cni: Some(said(Cni::Canal)),
            backend: Some(said(backend)),
            ipv4: Some(said(true)),
            cluster_cidrs: vec![said(net("10.42.0.0/16"))],
            node_ips: vec![said(ip("192.0.2.1"))],
            interface: Some(said(InterfaceChoice::Name("eth0".to_owned()))),
            tunnel_mtu: Some(said(1450)),
            pod_mtu: Some(said(1450)),
            vni: Some(said(1)),
            port: Some(said(8472)),
            ..Intent::default()
        }
    }

    fn row(intent: &Intent, facts: &crate::facts::netlink::Facts, aspect: Aspect) -> Comparison {
        let inventory = of_kernel(facts);
        let rows = side_by_side(intent, &inventory, &mtu_paths(&inventory));
        rows.into_iter().find(|row| row.aspect == aspect).unwrap_or_else(|| empty(aspect))
    }

    #[test]
    fn a_node_that_is_as_it_should_be() {
        let facts = calico_pod(own_block(flannel4(node(), 2)), 20, "10.42.0.5/32");
        let intent = canal(Backend::Vxlan);
        let inventory = of_kernel(&facts);
        for row in side_by_side(&intent, &inventory, &mtu_paths(&inventory)) {
            if row.aspect == Aspect::PodMtu {
                // The pod's veth of the test data has the MTU of the NIC.
                assert_eq!((row.agrees, row.actual.as_slice()), (Some(false), &["1500".to_owned()][..]));
            } else if !row.intended.is_empty() {
                assert_eq!(row.agrees, Some(true), "{row:?}");
                assert_eq!((row.basis, row.line), (Some(Basis::Configured), Some(3)));
            }
        }
    }

    #[test]
    fn differences_and_what_cannot_be_compared() {
        let facts = flannel4(node(), 2);
        let agrees = |intent: &Intent, aspect| row(intent, &facts, aspect).agrees;
        assert_eq!(agrees(&canal(Backend::Wireguard), Aspect::Backend), Some(false));
        assert_eq!(agrees(&canal(Backend::Other("udp".to_owned())), Aspect::Backend), None);
        let intent = Intent {
            cni: Some(said(Cni::Cilium)),
            cluster_cidrs: vec![said(net("10.99.0.0/16"))],
            node_ips: vec![said(ip("198.51.100.1"))],
            interface: Some(said(InterfaceChoice::Name("eth1".to_owned()))),
            ipv6: Some(said(true)),
            vni: Some(said(4096)),
            ..canal(Backend::Vxlan)
        };
        for aspect in [
            Aspect::Cni,
            Aspect::ClusterCidrs,
            Aspect::NodeAddresses,
            Aspect::Interface,
            Aspect::Families,
            Aspect::Vni,
        ] {
            assert_eq!(agrees(&intent, aspect), Some(false), "{aspect:?}");
        }
        let by_address = InterfaceChoice::Name("192.0.2.1".to_owned());
        assert_eq!(
            agrees(&Intent { interface: Some(said(by_address)), ..Intent::default() }, Aspect::Interface),
            Some(true)
        );
        let by_rule = InterfaceChoice::Pattern("eth.*".to_owned());
        assert_eq!(
            agrees(&Intent { interface: Some(said(by_rule)), ..Intent::default() }, Aspect::Interface),
            None
        );
        let nothing = row(&Intent::default(), &facts, Aspect::Backend);
        assert_eq!((nothing.agrees, nothing.actual.as_slice()), (None, &["VXLAN".to_owned()][..]));
        assert_eq!(side_by_side(&Intent::default(), &Inventory::default(), &[]), []);
    }
}
