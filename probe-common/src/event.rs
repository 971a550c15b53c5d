//! Rare events that go through the ring buffer one by one.

use crate::keys::Address;

/// Somebody told us that an outer packet of a tunnel was too big: ICMP "fragmentation needed" (RFC 792, RFC 1191)
/// or ICMPv6 "packet too big" (RFC 4443 section 3.2), received on the underlay device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PmtuEvent {
    /// `bpf_ktime_get_ns` at reception.
    pub at: u64,
    /// Who sent the ICMP message.
    pub reporter: Address,
    /// Where the quoted packet was going: the remote node.
    pub destination: Address,
    /// The MTU that the message asks for, in bytes of the outer IP packet; 0 when an old router names none.
    pub mtu: u32,
    /// Length of the quoted outer IP packet in bytes, from its header.
    pub quoted_bytes: u32,
    /// Tunnel slot.
    pub tunnel: u32,
    /// Interface that received the message.
    pub ifindex: u32,
    /// Keeps the size a multiple of 8, which the ring buffer aligns records to.
    pub reserved: u64,
}
