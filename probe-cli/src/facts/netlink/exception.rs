//! Path MTUs that the kernel has learned, which it keeps beside the routes that they are exceptions of.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// An exception with a path MTU, from `RTM_NEWROUTE` with `RTM_F_CLONED`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PmtuException {
    /// The one destination that it is for.
    pub destination: IpAddr,
    /// `RTAX_MTU` in bytes of the IP packet.
    pub mtu: u32,
    /// `RTAX_LOCK` on the MTU: it may not be made smaller, since what was learned is below the least that is believed
    /// (`net.ipv4.route.min_pmtu`).
    pub is_locked: bool,
    /// `RTA_OIF`.
    pub ifindex: Option<u32>,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Number of the routing table that the route is in.
    pub table: u32,
    /// Seconds until it is forgotten; none when the kernel does not say, or no more.
    pub expires_s: Option<u64>,
}
