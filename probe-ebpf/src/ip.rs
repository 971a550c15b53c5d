//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers: protocol, fragmentation, lengths, addresses.

use probe_common::keys::Address;

use crate::{
    extensions::is_extension,
    packet::{Packet, Short},
    tcp,
};

/// TCP, as in the IP header.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMP for IPv4.
pub const ICMP: u8 = 1;
/// ICMP for IPv6.
pub const ICMPV6: u8 = 58;

/// An IPv4 header without options.
pub const IPV4_BYTES: u32 = 20;
/// Fixed part of an IPv6 header.
pub const IPV6_BYTES: u32 = 40;

/// How a packet relates to fragmentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// Whole.
    None,
    /// The first fragment: it has the transport header.
    First,
    /// A later one: it has none.
    Later,
}

/// What the IP header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// 4 or 6.
    pub version: u8,
    /// Where the header starts.
    pub start: u32,
    /// Bytes up to the transport header, options and extension headers included.
    pub header: u32,
    /// Transport protocol; 0 (reserved there) when extension headers go on too long or cannot be read on.
    pub protocol: u8,
    /// Whole packet, first fragment, later fragment.
    pub fragment: Fragment,
    /// Identification that the fragments of one datagram share, as it stands in the packet; 0 when whole.
    pub id: u32,
    /// Bytes of the whole packet as the header tells; 0 when it does not (jumbo or BIG TCP, RFC 2675).
    pub total: u32,
}

/// Why there is no [`Ip`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotIp {
    /// The bytes end too early: look where there are more, or count it as not IP.
    Short,
    /// The header contradicts itself.
    Broken,
}

impl From<Short> for NotIp {
    #[inline(always)]
    fn from(_: Short) -> Self {
        Self::Short
    }
}

/// Reads the header of `version` that starts at `start`.
#[inline(always)]
pub fn parse<P: Packet + ?Sized>(packet: &P, start: u32, version: u8) -> Result<Ip, NotIp> {
    let ip = match version {
        4 => ipv4(packet, start),
        6 => ipv6(packet, start),
        _ => Err(NotIp::Broken),
    }?;
    Ok(ip.forgotten(packet)?)
}

#[inline(always)]
fn ipv4<P: Packet + ?Sized>(packet: &P, start: u32) -> Result<Ip, NotIp> {
    let first = packet.u8(start)?;
    // The whole fixed header must be there: the last four bytes are the destination.
    packet.u32_raw(start + 16)?;
    let header = u32::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < IPV4_BYTES {
        return Err(NotIp::Broken);
    }
    if header != IPV4_BYTES && !P::COMPLETE {
        return Err(NotIp::Short);
    }
    // Said again for the compiler: a constant for the plain view.
    let header = if P::COMPLETE { header } else { IPV4_BYTES };
    let total = u32::from(packet.u16(start + 2)?);
    let flags = packet.u16(start + 6)?;
    let more = flags & 0x2000 != 0;
    let offset = flags & 0x1fff;
    let (fragment, id) = if offset != 0 {
        (Fragment::Later, u32::from(packet.u16(start + 4)?))
    } else if more {
        (Fragment::First, u32::from(packet.u16(start + 4)?))
    } else {
        (Fragment::None, 0)
    };
    let protocol = packet.u8(start + 9)?;
    Ok(Ip { version: 4, start, header, protocol, fragment, id, total })
}

#[inline(always)]
fn ipv6<P: Packet + ?Sized>(packet: &P, start: u32) -> Result<Ip, NotIp> {
    let first = packet.u8(start)?;
    packet.u32_raw(start + 36)?;
    if first >> 4 != 6 {
        return Err(NotIp::Broken);
    }
    let payload = u32::from(packet.u16(start + 4)?);
    let mut ip = Ip {
        version: 6,
        start,
        header: IPV6_BYTES,
        protocol: packet.u8(start + 6)?,
        fragment: Fragment::None,
        id: 0,
        total: if payload == 0 { 0 } else { payload + IPV6_BYTES },
    };
    if is_extension(ip.protocol) {
        if !P::COMPLETE {
            return Err(NotIp::Short);
        }
        let extensions = packet.extensions(start + IPV6_BYTES, ip.protocol)?;
        ip.header += extensions.bytes();
        ip.protocol = extensions.protocol();
        ip.fragment = extensions.fragment();
        if !matches!(ip.fragment, Fragment::None) {
            ip.id = packet.u32_raw(start + IPV6_BYTES + extensions.id_offset())?;
        }
    }
    Ok(ip)
}

impl Ip {
    /// The same, by way of [`Packet::forget`]: each kind of header is one more that the verifier tells apart.
    #[inline(always)]
    fn forgotten<P: Packet + ?Sized>(self, packet: &P) -> Result<Self, Short> {
        let fragment = match self.fragment {
            Fragment::None => 0,
            Fragment::First => 1,
            Fragment::Later => 2,
        };
        let kinds = u32::from_le_bytes([self.version, self.protocol, fragment, 0]);
        let [kinds, header] = packet.forget([kinds, self.header])?;
        let [version, protocol, fragment, _] = kinds.to_le_bytes();
        let [id, total] = packet.forget([self.id, self.total])?;
        Ok(Self {
            version,
            start: self.start,
            header,
            protocol,
            fragment: match fragment {
                0 => Fragment::None,
                1 => Fragment::First,
                _ => Fragment::Later,
            },
            id,
            total,
        })
    }

    /// Bytes of the transport header, for a segment to repeat; 0 when the protocol has none that we know or the
    /// packet is a later fragment.
    #[inline(always)]
    pub fn transport_bytes<P: Packet + ?Sized>(&self, packet: &P) -> Result<u32, Short> {
        if matches!(self.fragment, Fragment::Later) {
            return Ok(0);
        }
        match self.protocol {
            TCP => {
                let bytes = tcp::data_offset(packet, self.start + self.header)?;
                Ok(if bytes < tcp::HEADER_BYTES { 0 } else { bytes })
            }
            UDP => Ok(8),
            // SCTP's common header, RFC 9260 section 3.1.
            132 => Ok(12),
            _ => Ok(0),
        }
    }

    /// The source address, or the destination.
    #[inline(always)]
    pub fn address<P: Packet + ?Sized>(&self, packet: &P, is_source: bool) -> Result<Address, Short> {
        if is_source { self.source(packet) } else { self.destination(packet) }
    }

    /// The source address.
    #[inline(always)]
    pub fn source<P: Packet + ?Sized>(&self, packet: &P) -> Result<Address, Short> {
        address(packet, self.version, if self.version == 4 { self.start + 12 } else { self.start + 8 })
    }

    /// The destination address.
    #[inline(always)]
    pub fn destination<P: Packet + ?Sized>(&self, packet: &P) -> Result<Address, Short> {
        address(packet, self.version, if self.version == 4 { self.start + 16 } else { self.start + 24 })
    }
}

/// An address as the maps have it: IPv4 mapped into IPv6.
#[inline(always)]
fn address<P: Packet + ?Sized>(packet: &P, version: u8, at: u32) -> Result<Address, Short> {
    let words = if version == 4 {
        [0, word([u32::from_be(0xffff), packet.u32_raw(at)?])]
    } else {
        let first = word([packet.u32_raw(at)?, packet.u32_raw(at + 4)?]);
        [first, word([packet.u32_raw(at + 8)?, packet.u32_raw(at + 12)?])]
    };
    // SAFETY: both are 16 bytes of plain integers.
    Ok(Address { octets: unsafe { core::mem::transmute::<[u64; 2], [u8; 16]>(words) } })
}

/// Eight bytes at once: what is stored in parts and read whole soon after makes the processor wait until it is in the cache.
#[inline(always)]
fn word(halves: [u32; 2]) -> u64 {
    // SAFETY: both are 8 bytes of plain integers.
    unsafe { core::mem::transmute(halves) }
}
