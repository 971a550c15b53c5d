//! What the kernel side sends for a packet, and what it counts for each reason.

use probe_common::keys::Address;

/// The packet was seen on a tunnel device: what it says is of the inner packet.
pub const TUNNEL: u32 = 0;
/// The packet was seen on the device below: what it says is of the outer packet.
pub const UNDERLAY: u32 = 1;

/// In place of a tunnel slot: the packet is of no tunnel of this node.
pub const NO_TUNNEL: u32 = u32::MAX;

/// Records that each CPU sends in one second for one reason; the packets behind them are counted all the same.
pub const RECORDS_PER_SECOND: u64 = 8;

/// One packet. Zero stands for what it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// `bpf_ktime_get_ns`.
    pub at: u64,
    /// MAC address of the remote end, the first byte in the highest bits of 48.
    pub mac: u64,
    /// Packets on the wire: a GSO buffer has several.
    pub packets: u64,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// [`crate::Reason::bit`] of each reason.
    pub reasons: u32,
    /// The reason that was found first, by its number: the one that limits the rate.
    pub first: u32,
    /// [`TUNNEL`] or [`UNDERLAY`].
    pub place: u32,
    /// `probe_common::keys::TX` or `RX`.
    pub direction: u32,
    /// Tunnel slot, or [`NO_TUNNEL`].
    pub tunnel: u32,
    /// Interface that it was seen on.
    pub ifindex: u32,
    /// Bytes of the IP packet; of the largest where there are several. On the underlay, the mean.
    pub bytes: u32,
    /// Largest inner packet that fits in the tunnel.
    pub budget: u32,
    /// What follows the link header.
    pub ethertype: u32,
    /// The innermost VLAN tag that was read (12 bits of VLAN identifier and 4 of priority) with [`HAS_VLAN`].
    pub vlan: u32,
    /// IP version.
    pub version: u32,
    /// IP protocol number.
    pub protocol: u32,
    /// UDP or TCP port.
    pub source_port: u32,
    /// See `source_port`.
    pub destination_port: u32,
    /// VXLAN network identifier, of an outer packet.
    pub vni: u32,
    /// Type of a WireGuard message, of an outer packet.
    pub message: u32,
}

/// In [`Record::vlan`]: there is a tag.
pub const HAS_VLAN: u32 = 1 << 16;

/// Counts of one reason on one CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ReasonCount {
    /// Packets on the wire that had it. They only grow.
    pub packets: u64,
    /// Start of the running second, `bpf_ktime_get_ns`.
    pub since: u64,
    /// Records sent in it.
    pub sent: u64,
    /// Records that found the ring full.
    pub lost: u64,
}

// No padding: the size is the sum of the fields.
const _: () = assert!(size_of::<Record>() == 3 * 8 + 2 * 16 + 16 * 4);
const _: () = assert!(size_of::<ReasonCount>() == 4 * 8);

/// Implements `aya::Pod`.
#[cfg(feature = "user")]
mod user {
    // SAFETY: repr(C), integers only, no padding (asserted above), any bit pattern valid.
    unsafe impl aya::Pod for super::ReasonCount {}
}
