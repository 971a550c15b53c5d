//! Packets that are counted as "other", not parsed, not sent or too big, with the reasons, while somebody asks.

use std::{net::IpAddr, time::Duration};

pub use probe_explain::Reason;
use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// What was found since the previous sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Packets that are still wanted; 0 when this is the last of it.
    pub left: u64,
    /// Packets since the previous sample, in the order of their arrival. Of many with the same reason only some.
    pub packets: Vec<ExplainedPacket>,
    /// Packets on the wire by reason since somebody asked, those of which no details are here included.
    pub reasons: Vec<ReasonTotal>,
    /// Packets whose details were lost since then, because nobody read them in time.
    pub lost: u64,
    /// Why nothing can be said.
    pub problem: Option<String>,
}

/// How many packets had a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonTotal {
    /// The reason.
    pub reason: Reason,
    /// Packets on the wire.
    pub packets: u64,
}

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// On a tunnel device: the inner packet.
    Tunnel,
    /// On the device below: the outer packet.
    Underlay,
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Out of the node.
    Tx,
    /// Into it.
    Rx,
}

/// One packet, or the packets of one buffer. What it does not have, or what could not be read of it, is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedPacket {
    /// Monotonic clock.
    pub at: Duration,
    /// Where it was seen, which decides what the rest is about.
    pub seen: Seen,
    /// Which way it went.
    pub direction: Direction,
    /// Interface index of the device that it was seen on.
    pub ifindex: u32,
    /// Interface index of its tunnel; none for an outer packet of no tunnel here.
    pub tunnel: Option<u32>,
    /// Why, in the order of [`Reason::ALL`]; at least one.
    pub reasons: Vec<Reason>,
    /// Packets on the wire.
    pub packets: u64,
    /// Bytes of the IP packet; of the largest where there are several. On the underlay, the mean.
    pub bytes: u32,
    /// Bytes of the largest inner packet that fits in the tunnel.
    pub budget: Option<u32>,
    /// MAC address of the remote end of the tunnel.
    pub mac: Option<Mac>,
    /// What follows the link header.
    pub ethertype: Option<u16>,
    /// The innermost VLAN that was read.
    pub vlan: Option<u16>,
    /// Source address.
    pub source: Option<IpAddr>,
    /// Destination address.
    pub destination: Option<IpAddr>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// UDP or TCP port.
    pub source_port: Option<u16>,
    /// UDP or TCP port.
    pub destination_port: Option<u16>,
    /// VXLAN network identifier of an outer packet.
    pub vni: Option<u32>,
    /// Type of the WireGuard message of an outer packet.
    pub message: Option<u32>,
}
