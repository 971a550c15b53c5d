//! The outer datagram of a tunnel on the underlay: ports, VNI, and the headers that each of its segments repeats.
//! What is WireGuard's alone is in `wireguard`.

use crate::{
    ip::{self, Ip, NotIp},
    link,
    packet::{Packet, Short},
};

/// Bytes of a UDP header.
pub const UDP_BYTES: u32 = 8;
/// Bytes of a VXLAN header, RFC 7348 section 5.
pub const VXLAN_BYTES: u32 = 8;

/// UDP source port of the datagram, host byte order.
#[inline(always)]
pub fn source_port<P: Packet + ?Sized>(packet: &P, ip: &Ip) -> Result<u16, Short> {
    packet.u16(ip.start + ip.header)
}

/// UDP destination port of the datagram, host byte order.
#[inline(always)]
pub fn destination_port<P: Packet + ?Sized>(packet: &P, ip: &Ip) -> Result<u16, Short> {
    packet.u16(ip.start + ip.header + 2)
}

/// The VXLAN network identifier; none when the flag that makes it valid is not set.
#[inline(always)]
pub fn vni<P: Packet + ?Sized>(packet: &P, ip: &Ip) -> Result<Option<u32>, Short> {
    let at = ip.start + ip.header + UDP_BYTES;
    let flags = packet.u8(at)?;
    let word = u32::from_be(packet.u32_raw(at + 4)?);
    Ok((flags & 0x08 != 0).then_some(word >> 8))
}

/// Bytes from the IP header at `start` to the payload of its TCP segment or UDP datagram, which every segment of a GSO buffer
/// repeats.
#[inline(always)]
pub fn plain_header_bytes<P: Packet + ?Sized>(packet: &P, start: u32, version: u8) -> Result<u32, NotIp> {
    let ip = ip::parse(packet, start, version)?;
    let transport = ip.transport_bytes(packet)?;
    if transport == 0 {
        return Err(NotIp::Broken);
    }
    Ok(ip.header + transport)
}

/// Bytes from the VXLAN frame at `frame` to its payload, which every segment of a GSO buffer repeats behind the outer headers
/// (`skb_udp_tunnel_segment` in net/ipv4/udp_offload.c).
#[inline(always)]
pub fn frame_header_bytes<P: Packet + ?Sized>(packet: &P, frame: u32) -> Result<u32, NotIp> {
    let link = link::ethernet(packet, frame)?;
    Ok(link.bytes + plain_header_bytes(packet, frame + link.bytes, link.version)?)
}
