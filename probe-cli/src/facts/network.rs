//! The state of a network namespace beside its tables of links, addresses and routes: what changes slowly, or is asked for
//! device by device.

use serde::{Deserialize, Serialize};

use super::{
    Bounded,
    host::Sysctls,
    netlink::{BridgeVlansFact, DeviceFact, NeighbourStateFact, PmtuException, RouteFact},
};
use crate::observed::Observed;

/// That of the node's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFacts {
    /// Its sysctls; those of single interfaces are with the links.
    pub sysctls: Sysctls,
    /// Learned path MTUs of IPv4.
    pub pmtu_ipv4: Observed<Bounded<PmtuException>>,
    /// Learned path MTUs of IPv6.
    pub pmtu_ipv6: Observed<Bounded<PmtuException>>,
    /// VLANs of bridges and their ports.
    pub bridge_vlans: Observed<Bounded<BridgeVlansFact>>,
    /// Tunnels, and the devices that lead to other nodes.
    pub devices: Vec<NetworkDevice>,
    /// Further ones, which were not asked about: there are too many.
    pub left_out: u64,
}

/// What was asked about one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkDevice {
    /// Its driver, offloads and channels.
    pub device: DeviceFact,
    /// Its neighbours; absent of a tunnel, whose neighbours are with the tables.
    pub neighbours: Observed<Bounded<NeighbourStateFact>>,
}

/// What is in a pod's namespace beside its links and addresses, for which it has to be entered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodNetwork {
    /// Path of the namespace on the node.
    pub path: String,
    /// What was found in it; absent before somebody looked.
    pub told: Observed<InsideFacts>,
}

/// See [`PodNetwork`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsideFacts {
    /// Its sysctls; those of single interfaces are with its links.
    pub sysctls: Sysctls,
    /// Unicast and blackhole IPv4 routes of its main table.
    pub routes_ipv4: Observed<Bounded<RouteFact>>,
    /// The same of IPv6.
    pub routes_ipv6: Observed<Bounded<RouteFact>>,
    /// Learned path MTUs of IPv4.
    pub pmtu_ipv4: Observed<Bounded<PmtuException>>,
    /// Learned path MTUs of IPv6.
    pub pmtu_ipv6: Observed<Bounded<PmtuException>>,
    /// Its neighbours.
    pub neighbours: Observed<Bounded<NeighbourStateFact>>,
}
