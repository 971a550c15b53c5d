//! Keys, values and settings. Every one is of integers without padding.

use probe_common::keys::Address;

/// A tunnel device: what it drops are inner packets, but for what it has not unwrapped yet or has wrapped already.
pub const TUNNEL: u32 = 1;
/// A device below tunnels: of interest are tunnels' packets only.
pub const UNDERLAY: u32 = 2;
/// The node's end of a pod's interface.
pub const POD: u32 = 3;

/// A device of the node whose drops are counted, by its interface index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Device {
    /// [`TUNNEL`], [`UNDERLAY`] or [`POD`].
    pub role: u32,
    /// 1 when its packets have an Ethernet header.
    pub ethernet: u32,
}

/// In [`DropKey::flags`]: to a group or to everybody.
pub const GROUP: u32 = 1;

/// What packets are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C)]
pub struct DropKey {
    /// Interface index of the device that the packet was on.
    pub ifindex: u32,
    /// `enum skb_drop_reason`.
    pub reason: u32,
    /// [`GROUP`].
    pub flags: u32,
    /// What makes it a tunnel's outer packet, see [`outer`], with [`IPV6`]; 0 of others.
    pub outer: u32,
    /// The CPU that counted: no other writes the value.
    pub cpu: u32,
}

/// How many there were, and what the last of them said of itself. Zero stands for what it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct DropCount {
    /// Packets on the wire: a GSO buffer has several.
    pub packets: u64,
    /// Destination MAC address, the first byte in the highest bits of 48.
    pub mac: u64,
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// IP version.
    pub version: u32,
    /// IP protocol number.
    pub protocol: u32,
    /// UDP destination port.
    pub port: u32,
    /// VXLAN network identifier with [`HAS_VNI`], of an outer packet.
    pub vni: u32,
}

/// In [`DropCount::vni`]: there is one.
pub const HAS_VNI: u32 = 1 << 24;

/// What makes an outer packet: a protocol, and a UDP port of it in the lower half; of others 0.
pub const fn outer(protocol: u8, port: u16) -> u32 {
    ((protocol as u32) << 16) | port as u32
}

/// In [`DropKey::outer`]: of IPv6.
pub const IPV6: u32 = 1 << 31;

/// Value of [`outer`] in its map: the destination port tells.
pub const BY_DESTINATION: u32 = 1;
/// The source port tells as well.
pub const BY_SOURCE: u32 = 2;

/// Where the running kernel has what is read of a socket buffer, in bytes, as its type information (BTF) says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Offsets {
    /// `sk_buff.dev`.
    pub dev: u32,
    /// `sk_buff.head`.
    pub head: u32,
    /// `sk_buff.end`, an offset from `head` of 32 bits.
    pub end: u32,
    /// `sk_buff.mac_header`, an offset from `head` of 16 bits.
    pub mac_header: u32,
    /// `sk_buff.network_header`, likewise.
    pub network_header: u32,
    /// `skb_shared_info.gso_segs`, 16 bits.
    pub gso_segs: u32,
    /// `net_device.ifindex`.
    pub ifindex: u32,
    /// `net_device.nd_net.net`.
    pub net: u32,
    /// `net.ns.inum`.
    pub inum: u32,
    /// Number of the network namespace whose devices are meant: `ns_common.inum`, the inode of `/proc/self/ns/net`.
    pub netns: u32,
}

/// Reasons with a lower number can be left out; those with a higher are counted.
pub const REASONS: u32 = 256;

// No padding: sizes are the sums of the fields.
const _: () = assert!(size_of::<DropKey>() == 5 * 4);
const _: () = assert!(size_of::<DropCount>() == 2 * 8 + 2 * 16 + 4 * 4);
const _: () = assert!(size_of::<Device>() == 2 * 4);
const _: () = assert!(size_of::<Offsets>() == 10 * 4);

/// Implements `aya::Pod`.
#[cfg(feature = "user")]
mod user {
    use super::{Device, DropCount, DropKey, Offsets};

    // SAFETY: repr(C), integers only, no padding (asserted above), any bit pattern valid.
    unsafe impl aya::Pod for DropKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for DropCount {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Device {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Offsets {}
}
