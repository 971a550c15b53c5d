//! Everything that the sources said, of one moment: what an inventory is made of, and what a recording holds of the node
//! beside its counters. Parts that did not change are shared between snapshots.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    files::HostFiles,
    host::HostFacts,
    ipam::IpamNetwork,
    netlink::{self, NamespaceFact},
    network::{NetworkFacts, PodNetwork},
    pci::PciFunctionFact,
    pods::PodFacts,
    runs::RunFact,
    sriov::SriovFacts,
};
use crate::observed::Observed;

/// Version of [`Snapshot`]; grows when a field changes its meaning or goes away. Fields may be added without.
pub const SCHEMA: u32 = 1;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`SCHEMA`] of who made it.
    pub schema: u32,
    /// Wall clock when it was made, since the Unix epoch.
    pub taken_at: Duration,
    /// The kernel's network tables.
    pub netlink: Arc<netlink::Facts>,
    /// What the runtime, the kubelet and files say of pods.
    pub pods: Arc<PodFacts>,
    /// What is in the network namespaces of pods, by path.
    pub namespaces: Arc<Vec<OfNamespace>>,
    /// The node's network beside its tables: sysctls, learned path MTUs, devices. Read every half minute.
    pub network: Arc<NetworkFacts>,
    /// What is in the network namespaces of pods beside links and addresses, by path; those that were looked into: a few every
    /// half minute.
    pub inside: Arc<Vec<PodNetwork>>,
    /// Addresses that host-local has given away; absent when the files that can be read are another node's.
    pub ipam: Arc<Observed<Vec<IpamNetwork>>>,
    /// Network functions on the PCI bus, by PCI address.
    pub pci: Arc<Observed<Vec<PciFunctionFact>>>,
    /// Runs of this tool that have clsact filters, or left some.
    pub runs: Arc<Observed<Vec<RunFact>>>,
    /// The node's files; absent when the files that can be read are another node's.
    pub files: Arc<Observed<HostFiles>>,
    /// Physical and virtual functions.
    pub sriov: Arc<SriovFacts>,
    /// The kernel and the machine.
    pub host: Arc<HostFacts>,
}

/// What was found in the network namespace of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfNamespace {
    /// Path of the namespace on the node.
    pub path: String,
    /// What is in it.
    pub told: Observed<NamespaceFact>,
}
