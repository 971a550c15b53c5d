//! What exists on the node: tunnels, peers, pods. Facts at one instant, as plain data.
//!
//! Here belong the types and the pure joins that make them from what the sources read. No I/O, no counters, no
//! rates.

mod index;
mod join;
mod notes;
mod peers;
mod pod;
mod pods;
mod tunnels;
mod types;
mod vfs;
mod wireguard;

pub use join::inventory;
pub use pod::{Disagreement, Disputed, Evidence, Pod, PodInterface, PodKey, PodSource, calico_veth_name};
pub use types::*;
pub use vfs::{PciInterface, VfFacts, VfPod, VfPodSource, VfTraffic, VirtualFunction, virtual_functions};

pub use crate::mac::Mac;
