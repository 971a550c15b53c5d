//! Neighbours with their state, of devices on which they come and go by themselves: NICs.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// A neighbour, from `RTM_NEWNEIGH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourStateFact {
    /// Interface index.
    pub ifindex: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its link-layer address; none while it is not known.
    pub mac: Option<Mac>,
    /// `ndm_state`; none for one that is not known here.
    pub state: Option<NeighbourState>,
    /// `NTF_ROUTER` (IPv6 only): it calls itself a router.
    pub is_router: bool,
    /// Seconds since it was heard of last (`ndm_confirmed`).
    pub confirmed_s: Option<u64>,
    /// Seconds since something was sent to it (`ndm_used`).
    pub used_s: Option<u64>,
    /// Seconds since its state changed (`ndm_updated`).
    pub updated_s: Option<u64>,
    /// `NDA_PROBES`: requests that it has not answered yet.
    pub probes: Option<u32>,
}

/// `NUD_*` (linux/neighbour.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeighbourState {
    /// Nothing was done about it yet.
    None,
    /// Asked for, without an answer.
    Incomplete,
    /// Heard of within some seconds.
    Reachable,
    /// Not heard of for a while; used all the same.
    Stale,
    /// Used, and about to be asked for.
    Delay,
    /// Asked for again.
    Probe,
    /// It does not answer.
    Failed,
    /// Entered by an administrator or an agent.
    Permanent,
}
