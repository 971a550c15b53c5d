//! What names a peer and a pod: the same in everything that a node is told of, at any time.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::netlink::PublicKey;
use crate::mac::Mac;

/// What names a peer on its tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerKey {
    /// Inner MAC address of the remote VTEP.
    Mac(Mac),
    /// Public key of a WireGuard peer.
    PublicKey(PublicKey),
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::PublicKey(key) => key.fmt(f),
        }
    }
}

impl PeerKey {
    /// Short enough for a table: the key's first characters, a MAC address as it is.
    pub fn short(&self) -> String {
        match self {
            Self::Mac(mac) => mac.to_string(),
            Self::PublicKey(key) => format!("{key:.8}..."),
        }
    }
}

/// What names a pod across samples.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PodKey {
    /// Kubernetes namespace, empty when unknown.
    pub namespace: String,
    /// Pod name, or the host interface's name when unknown.
    pub name: String,
    /// Interface index of the host end, 0 when there is none: a recreated pod is another pod.
    pub host_ifindex: u32,
}
