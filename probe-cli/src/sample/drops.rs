//! What the kernel dropped on the overlay's devices, while somebody asks.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// What was dropped since counting began. Reasons that say nothing about the overlay are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// By device and reason.
    pub rows: Vec<DropRow>,
    /// Packets that found no room among these.
    pub uncounted: u64,
    /// Reasons that this kernel knows, as `enum skb_drop_reason` has them without `SKB_DROP_REASON_`: of others it never drops.
    pub known: Vec<String>,
}

/// Packets that were dropped on one device for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropRow {
    /// Interface index of the device that the packets were on.
    pub ifindex: u32,
    /// The reason; its number where the kernel has no name for it.
    pub reason: String,
    /// What makes them outer packets of a tunnel; none of others.
    pub outer: Option<OuterKind>,
    /// They were to a group or to everybody.
    pub to_group: bool,
    /// Packets on the wire.
    pub packets: u64,
    /// One of the last of them.
    pub last: DroppedPacket,
}

/// What makes a packet one that a tunnel sends or receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OuterKind {
    /// It is of IPv6.
    pub is_ipv6: bool,
    /// IP protocol number.
    pub protocol: u8,
    /// The UDP port that is a tunnel's; none of other protocols.
    pub port: Option<u16>,
}

/// A packet that was dropped. What it does not have, or what could not be read of it, is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedPacket {
    /// Destination MAC address.
    pub mac: Option<Mac>,
    /// Source address.
    pub source: Option<IpAddr>,
    /// Destination address.
    pub destination: Option<IpAddr>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// UDP destination port.
    pub port: Option<u16>,
    /// VXLAN network identifier of an outer packet.
    pub vni: Option<u32>,
}
