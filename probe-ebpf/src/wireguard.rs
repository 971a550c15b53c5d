//! WireGuard: what an inner packet becomes outside, and what kind of message an outer packet is.
//!
//! Message formats are those of drivers/net/wireguard/messages.h, unchanged since Linux 5.6.

use crate::{
    ip::Ip,
    outer::UDP_BYTES,
    packet::{Packet, Short},
    segments::Segments,
};

/// `MESSAGE_PADDING_MULTIPLE`.
const PADDING: u32 = 16;
/// `MESSAGE_MINIMUM_LENGTH`: a data message without data, which is a keepalive.
const KEEPALIVE_BYTES: u32 = 32;
/// `struct message_handshake_initiation`, `_response`, `_cookie`.
const INITIATION_BYTES: u32 = 148;
const RESPONSE_BYTES: u32 = 92;
const COOKIE_BYTES: u32 = 64;

/// Kinds of messages that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Carries an inner packet.
    Data,
    /// Carries none.
    Keepalive,
    /// Initiation, response or cookie reply.
    Handshake,
}

/// Bytes of an inner packet of `bytes` after padding: a multiple of 16, but not beyond the device's MTU; what is larger
/// than the MTU is padded in its last part only (`calculate_skb_padding` in drivers/net/wireguard/send.c).
#[inline(always)]
pub const fn padded(bytes: u32, mtu: u32) -> u32 {
    let unit = if mtu == 0 || bytes <= mtu { bytes } else { bytes % mtu };
    let aligned = (unit + PADDING - 1) & !(PADDING - 1);
    let aligned = if mtu != 0 && aligned > mtu { mtu } else { aligned };
    bytes - unit + aligned
}

/// Bytes of the outer IP packets around `segments`, which `wg_xmit` makes of a GSO buffer itself and pads one by one.
/// `trailer` bytes behind the last packet travel with it; `overhead` is added to each.
#[inline(always)]
pub const fn outer_bytes(segments: &Segments, trailer: u32, overhead: u32, mtu: u32) -> u64 {
    let last = segments.last + trailer;
    let full = padded(segments.full, mtu) - segments.full;
    let padding = (segments.packets - 1) * full as u64 + (padded(last, mtu) - last) as u64;
    segments.bytes + trailer as u64 + padding + segments.packets * overhead as u64
}

/// The start of the UDP payload behind `ip`, as a WireGuard message has it: its type, and the bytes of all of it as the
/// UDP header tells.
#[inline(always)]
pub fn message<P: Packet + ?Sized>(packet: &P, ip: &Ip) -> Result<(u32, u32), Short> {
    let udp = ip.start + ip.header;
    let bytes = u32::from(packet.u16(udp + 4)?);
    // A little-endian word, of which three bytes are reserved and zero.
    let message = u32::from_le(packet.u32_raw(udp + UDP_BYTES)?);
    Ok((message, bytes.saturating_sub(UDP_BYTES)))
}

/// The kind of a message of this type and length; none when it is none of WireGuard's. The lengths are those that
/// `validate_header_len` in drivers/net/wireguard/receive.c asks for.
#[inline(always)]
pub const fn kind(message: u32, bytes: u32) -> Option<Kind> {
    match (message, bytes) {
        (1, INITIATION_BYTES) | (2, RESPONSE_BYTES) | (3, COOKIE_BYTES) => Some(Kind::Handshake),
        (4, KEEPALIVE_BYTES) => Some(Kind::Keepalive),
        (4, length) if length > KEEPALIVE_BYTES => Some(Kind::Data),
        _ => None,
    }
}
