//! What exists on the node: tunnels, peers, pods, links, data planes. Made of a snapshot of what the sources said.
//!
//! Here belong the types and the pure joins. No I/O, no counters, no rates; what fits and what agrees is said in
//! [`crate::model`].

mod dataplane;
mod flannel_bridge;
mod holes;
mod index;
mod ip_tunnels;
mod join;
mod joined;
mod links;
mod node;
mod outer_routes;
mod peers;
mod pod;
mod pod_networks;
mod pods;
mod remote_nodes;
mod route_mtu;
#[cfg(test)]
pub(crate) mod testdata;
mod tun;
mod tunnel_addresses;
mod tunnels;
mod types;
mod uplink;
mod vfs;
mod warnings;
mod wireguard;

pub use dataplane::{Bypass, Certainty, DataPlane, Encapsulation, PlaneDevice, RoutedPeer, Stale, System};
pub use join::inventory;
pub use joined::Joined;
pub use links::{LinkList, LinkRole, LinkRow, LinkState};
pub use node::{DefaultRoute, Node, NodeAddress, OwnPodCidr, PodCidrSource};
pub use outer_routes::OuterRoute;
pub use pod::{Disagreement, Disputed, Evidence, Pod, PodInterface, PodSource, calico_veth_name};
pub use pod_networks::{PodNetwork, PodNetworkOf};
pub use pods::canonical;
pub use remote_nodes::RemoteNodes;
pub use route_mtu::{PathDevice, PodLink};
pub use tunnel_addresses::TunnelAddress;
pub use types::*;
pub use vfs::{VfPod, VfPodSource, VfSettings, VirtualFunction};

pub use crate::{
    facts::{
        PeerKey, PodKey,
        netlink::{PublicKey, VfLinkState},
        sriov::PciInterface,
    },
    mac::Mac,
};
