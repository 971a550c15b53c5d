//! A pod as plain data: who named it, how its interfaces were found, and what the sources do not agree on. No joins.

use std::net::IpAddr;

use ipnet::IpNet;
use sha1::{Digest as _, Sha1};

use crate::{
    facts::{PodKey, pods::AttachmentIpam},
    mac::Mac,
    text,
};

/// Who says that a pod is there and what its name is, the strongest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodSource {
    /// The container runtime.
    Cri,
    /// libcni's cache.
    Libcni,
    /// The lab's own registry.
    Lab,
    /// Only the kernel knows it: a host veth with routes to single addresses. It has no name.
    #[default]
    Route,
    /// Only the kernel knows it: a veth in the bridge of the pod network. It has neither a name nor an address that is known.
    Bridge,
}

/// How something about a pod was found out. For the host end of its veth the strongest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// The interface has the name that Calico makes of the pod's ([`calico_veth_name`]).
    CalicoName,
    /// libcni's cache has it in the plugin's result.
    LibcniResult,
    /// The other end of the veth is the pod's interface (`IFLA_LINK`) in the pod's namespace (`IFLA_LINK_NETNSID`).
    PeerIndex,
    /// The lab's registry.
    LabRegistry,
    /// A route to one of the pod's addresses, and nothing else.
    Route,
    /// The container runtime.
    Cri,
    /// The interfaces in the pod's network namespace.
    InPod,
    /// The veth is a port of the pod network's bridge.
    Bridge,
}

/// What sources can disagree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disputed {
    /// Which interface of the node is the host end of the pod's veth.
    HostInterface,
    /// Which addresses the pod has.
    Addresses,
}

/// What a source says that contradicts a stronger one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// On what.
    pub about: Disputed,
    /// Who says so.
    pub evidence: Evidence,
    /// What it says. Hostile input: escape before showing.
    pub says: String,
}

/// An interface in a pod's network namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodInterface {
    /// Its name. Hostile input: escape before showing.
    pub name: String,
    /// Interface index in the pod's namespace.
    pub ifindex: u32,
    /// `IFLA_INFO_KIND`: `veth`, `macvlan`, `vlan`; none on hardware.
    pub kind: Option<String>,
    /// The node's interface behind it: below a macvlan, an ipvlan or a vlan; the bridge that the host end of a veth is
    /// in. None on hardware, and on a veth without a bridge.
    pub parent: Option<String>,
    /// Bus address of the hardware behind it, such as a VF's PCI address.
    pub hardware: Option<String>,
    /// MTU in bytes.
    pub mtu: u32,
    /// Its link-layer address.
    pub mac: Option<Mac>,
    /// `IFF_UP`.
    pub up: bool,
    /// Its addresses, link-local ones left out.
    pub addresses: Vec<IpNet>,
    /// CNI network that it belongs to; none when no source tells.
    pub network: Option<String>,
    /// Where that network takes addresses from; none when no source tells.
    pub ipam: Option<AttachmentIpam>,
    /// It is the pod's interface to the cluster network, and not a secondary one.
    pub is_default: bool,
}

/// A pod of this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Kubernetes namespace, when a source knows it. Hostile input: escape before showing.
    pub namespace: Option<String>,
    /// Pod name, when a source knows it. Hostile input: escape before showing.
    pub name: Option<String>,
    /// Pod UID, when a source knows it.
    pub uid: Option<String>,
    /// Who named it.
    pub source: PodSource,
    /// It is on the node's own network: what it sends cannot be told from the node's.
    pub host_network: bool,
    /// Addresses on the cluster network, every family.
    pub addresses: Vec<IpAddr>,
    /// Interface index of the host end of its veth; absent for a pod behind something else.
    pub host_ifindex: Option<u32>,
    /// Name of the host end of its veth.
    pub host_ifname: Option<String>,
    /// How that was found.
    pub host_evidence: Option<Evidence>,
    /// Path of its network namespace on the node; none on the node's own network and when no source tells.
    pub netns: Option<String>,
    /// Its interfaces, loopback left out; empty also when its namespace could not be read.
    pub interfaces: Vec<PodInterface>,
    /// Secondary networks that its annotation `k8s.v1.cni.cncf.io/networks` asks for; none when that is not known.
    pub requested_networks: Option<String>,
    /// What weaker sources say otherwise.
    pub disagreements: Vec<Disagreement>,
}

impl Pod {
    /// What names this pod across samples.
    pub fn key(&self) -> PodKey {
        PodKey {
            namespace: self.namespace.clone().unwrap_or_default(),
            name: self.name.clone().or_else(|| self.host_ifname.clone()).unwrap_or_default(),
            host_ifindex: self.host_ifindex.unwrap_or(0),
        }
    }

    /// `namespace/name`, or the host interface's name in parentheses when nobody knows the pod's.
    pub fn label(&self) -> String {
        match (&self.namespace, &self.name, &self.host_ifname) {
            (Some(namespace), Some(name), _) => format!("{namespace}/{name}"),
            (None, Some(name), _) => name.clone(),
            (_, None, Some(ifname)) => format!("({ifname})"),
            (_, None, None) => "(unknown)".to_owned(),
        }
    }

    /// Its interfaces beside the one to the cluster network.
    pub fn secondary(&self) -> impl Iterator<Item = &PodInterface> {
        self.interfaces.iter().filter(|interface| !interface.is_default)
    }
}

impl PodSource {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Cri => "the container runtime",
            Self::Libcni => "the CNI cache",
            Self::Lab => "the lab's registry",
            Self::Route => "routes to its addresses; name unknown",
            Self::Bridge => "the bridge that its veth is in; name unknown",
        }
    }
}

impl Evidence {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::CalicoName => "Calico's naming scheme",
            Self::LibcniResult => "the CNI cache",
            Self::PeerIndex => "its other end",
            Self::LabRegistry => "the lab's registry",
            Self::Route => "a route",
            Self::Cri => "the container runtime",
            Self::InPod => "its network namespace",
            Self::Bridge => "the bridge of the pod network",
        }
    }
}

/// Name of the host end of a pod's veth: `cali` and the first 11 hex digits of the SHA-1 of `namespace.name`
/// (Calico libcalico-go, `VethNameForWorkload`; the prefix can be configured, and hardly ever is).
pub fn calico_veth_name(namespace: &str, name: &str) -> String {
    let digest = text::hex(&Sha1::digest(format!("{namespace}.{name}")));
    format!("cali{}", digest.get(..11).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn veth_names_follow_calicos_rule() {
        // `printf default.nginx | sha1sum`
        assert_eq!(calico_veth_name("default", "nginx"), "calic440f455693");
        assert_eq!(calico_veth_name("default", "nginx").len(), 15, "the longest interface name there is");
    }
}
