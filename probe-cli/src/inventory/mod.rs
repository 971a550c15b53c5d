//! What exists on the node: tunnels, peers, pods. Facts at one instant, as plain data.
//!
//! Here belong the types and the pure joins that make them from what the sources read. No I/O, no counters, no
//! rates.

mod comparison;
mod dataplane;
mod index;
pub mod intent;
mod ip_tunnels;
mod join;
mod links;
mod mtu;
mod node;
mod notes;
mod outer_routes;
mod peers;
mod pod;
mod pods;
#[cfg(test)]
pub(crate) mod testdata;
mod tunnels;
mod types;
mod vf_traffic;
mod vfs;
mod wireguard;

pub use comparison::{Aspect, Comparison, side_by_side};
pub use dataplane::{Bypass, Certainty, DataPlane, Encapsulation, LeftOver, PlaneDevice, RoutedPeer, System};
pub use join::inventory;
pub use links::{LinkList, LinkRole, LinkRow, LinkState, links, pod_interfaces};
pub use mtu::{Fit, MtuDevice, MtuPath, PodMtu, mtu_paths};
pub use node::{DefaultRoute, Node, NodeAddress, OwnPodCidr, PodCidrSource};
pub use outer_routes::{OuterRoute, outer_routes};
pub use pod::{Disagreement, Disputed, Evidence, Pod, PodInterface, PodKey, PodSource, calico_veth_name};
pub use pods::canonical;
pub use types::*;
pub use vf_traffic::{FrameCounters, VfTraffic};
pub use vfs::{PciInterface, VfFacts, VfPod, VfPodSource, VfSettings, VirtualFunction, virtual_functions};

pub use crate::{
    facts::netlink::{PublicKey, VfLinkState},
    mac::Mac,
};
