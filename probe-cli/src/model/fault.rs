//! What is broken on a node, as values. `model/health` finds each fault, once; the word of a row, the note on screen and the
//! finding of the health check are all made of it, so that they never disagree. No words, no severity, no cure.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    inventory::{LinkState, PeerKey},
    mac::Mac,
    sample::PerDirection,
};

/// See the module. Names are as the kernel has them: escape before showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A tunnel that carried pods' packets earlier in the run is not there any more, and nothing else does its work.
    TunnelGone {
        /// Its name.
        name: String,
    },
    /// A tunnel was deleted and made again in the run, and networks that were routed by the earlier device are routed by nothing.
    TunnelMadeAgain {
        /// Interface index of the device that is there now.
        tunnel: u32,
        /// Its name.
        name: String,
        /// Pod networks that were routed by the earlier device, sorted.
        earlier: Vec<IpNet>,
    },
    /// A tunnel of a CNI has no address, no peer and no route, although this node has pods of its family: see
    /// [`crate::inventory::PlaneDevice::unconfigured`].
    TunnelUnconfigured {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// Its name.
        name: String,
    },
    /// A tunnel that should carry pods' packets is set down.
    TunnelDown {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// Its name.
        name: String,
    },
    /// A device that outer packets leave by cannot send.
    UnderlayDown {
        /// Interface index of the device.
        ifindex: u32,
        /// Its name.
        name: String,
        /// Its state; none when it is not there.
        state: Option<LinkState>,
        /// Names of the tunnels above it.
        tunnels: Vec<String>,
    },
    /// Full-size packets of a tunnel do not fit what is below it. The sizes are those of its [`super::MtuPath`].
    TooBig {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// Bytes that are too many.
        over: u32,
    },
    /// The gateway of a pod network has no neighbour entry: packets to it are dropped.
    NoNeighbour {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// The pod network.
        pod_cidr: IpNet,
        /// The gateway of its route.
        gateway: IpAddr,
        /// The network is outside of those that files give the cluster: the route is another cluster's, or an earlier one's.
        is_foreign: bool,
    },
    /// A neighbour's VTEP has no FDB entry: packets to it are dropped.
    NoFdb {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// The neighbour.
        neighbour: IpAddr,
        /// The link-layer address of its VTEP.
        mac: Mac,
    },
    /// No pod network is routed to a peer, and its pods are reached in no other way either.
    NoRoute {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// The peer.
        key: PeerKey,
        /// Its node's address.
        node_address: Option<IpAddr>,
        /// Pod networks that were routed to it earlier in the run.
        earlier: Vec<IpNet>,
    },
    /// A WireGuard peer with allowed IPs has no endpoint: nothing can be sent to it.
    NoEndpoint {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// The peer.
        key: PeerKey,
    },
    /// Packets of pods are on the devices below a tunnel that belong in it.
    InClear {
        /// Interface index of the tunnel.
        tunnel: u32,
        /// The peer that the other pods are of; none where they are of no node.
        key: Option<PeerKey>,
        /// Which way they go.
        goes: PerDirection<bool>,
    },
}

impl Fault {
    /// The peer that it is a fault of, by tunnel and key.
    pub fn peer(&self) -> Option<(u32, PeerKey)> {
        match self {
            Self::NoFdb { tunnel, mac, .. } => Some((*tunnel, PeerKey::Mac(*mac))),
            Self::NoRoute { tunnel, key, .. } | Self::NoEndpoint { tunnel, key } => Some((*tunnel, *key)),
            Self::InClear { tunnel, key, .. } => Some((*tunnel, (*key)?)),
            Self::TunnelGone { .. }
            | Self::TunnelMadeAgain { .. }
            | Self::TunnelUnconfigured { .. }
            | Self::TunnelDown { .. }
            | Self::UnderlayDown { .. }
            | Self::TooBig { .. }
            | Self::NoNeighbour { .. } => None,
        }
    }
}
