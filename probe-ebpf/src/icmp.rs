//! ICMP "fragmentation needed" (RFC 792, RFC 1191) and ICMPv6 "packet too big" (RFC 4443 section 3.2), and the
//! packet that such a message quotes.

use crate::{
    ip::{self, Ip, NotIp},
    packet::Packet,
};

const DESTINATION_UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
const PACKET_TOO_BIG: u8 = 2;

/// Bytes before the quoted packet, in both versions.
const HEADER_BYTES: u32 = 8;

/// A message that somebody could not forward a packet for its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBig {
    /// The MTU of the next hop in bytes; 0 when an old router names none.
    pub mtu: u32,
    /// The quoted packet's IP header.
    pub quoted: Ip,
}

/// Reads the ICMP message behind `ip`; none when it is another message.
#[inline(always)]
pub fn too_big<P: Packet + ?Sized>(packet: &P, ip: &Ip) -> Result<Option<TooBig>, NotIp> {
    let at = ip.start + ip.header;
    let kind = packet.u8(at)?;
    let code = packet.u8(at + 1)?;
    let mtu = match (ip.version, kind, code) {
        (4, DESTINATION_UNREACHABLE, FRAGMENTATION_NEEDED) => u32::from(packet.u16(at + 6)?),
        (6, PACKET_TOO_BIG, _) => u32::from_be(packet.u32_raw(at + 4)?),
        _ => return Ok(None),
    };
    let quoted = ip::parse(packet, at + HEADER_BYTES, ip.version)?;
    Ok(Some(TooBig { mtu, quoted }))
}
