//! What a socket buffer on a tunnel device holds: the inner packets, as they will be, or were, on the wire.

use probe_common::keys::Address;

use crate::{
    ip::{self, Fragment, Ip},
    link::{self, ETHERNET_BYTES, Link, VLAN_BYTES},
    packet::{Packet, Short},
    segments::Segments,
};

/// What the kernel says of the buffer beside its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meta {
    /// Bytes of the buffer, link header included.
    pub len: u32,
    /// A VLAN tag is kept beside the packet and will be on the wire (`vlan_present`).
    pub vlan: bool,
    /// Payload bytes of each segment, 0 when the buffer is one packet.
    pub gso_size: u32,
    /// Segments, as far as the kernel knows.
    pub gso_segs: u32,
    /// The device carries bare IP packets.
    pub l3: bool,
}

/// Which end of the packet is the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The source: on transmit.
    Source,
    /// The destination: on receive.
    Destination,
    /// It is known already.
    Neither,
}

/// Transport protocols that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Anything else, also what cannot be read.
    Other,
}

/// The inner packets of one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner {
    /// IP version, 0 when it is not IP or its header is broken.
    pub version: u8,
    /// Transport protocol of an IP packet.
    pub transport: Transport,
    /// It is a fragment, first or later.
    pub fragment: bool,
    /// The inner IP packets.
    pub segments: Segments,
    /// Bytes of link header that each of them carries through the tunnel, VLAN tags included.
    pub link: u32,
    /// Bytes behind the IP packet (Ethernet padding): they travel, and are no part of it.
    pub trailer: u32,
    /// Address of the asked end; zero when there is none.
    pub address: Address,
    /// Address of the other end, read on devices of bare IP packets only: there it names the peer.
    pub remote: Address,
}

/// Reads the inner packets.
///
/// [`Short`] comes only from a view that is not complete. What a complete packet does not hold is counted as what is
/// certain: not IP, other protocol.
#[inline(always)]
pub fn read<P: Packet + ?Sized>(packet: &P, meta: &Meta, end: End) -> Result<Inner, Short> {
    let link = match if meta.l3 { link::bare(packet, 0) } else { link::ethernet(packet, 0) } {
        Ok(link) => link,
        Err(Short) if !P::COMPLETE => return Err(Short),
        Err(Short) => {
            // Not even a whole header: a runt. Nothing of it is IP.
            let whole = if meta.l3 { 0 } else { ETHERNET_BYTES };
            Link { bytes: if meta.len < whole { meta.len } else { whole }, version: 0 }
        }
    };
    let ip_bytes = meta.len.saturating_sub(link.bytes);
    let on_wire = link.bytes + if meta.vlan { VLAN_BYTES } else { 0 };
    let mut inner = Inner {
        version: 0,
        transport: Transport::Other,
        fragment: false,
        segments: Segments::one(ip_bytes),
        link: on_wire,
        trailer: 0,
        address: Address { octets: [0; 16] },
        remote: Address { octets: [0; 16] },
    };
    if link.version == 0 {
        return Ok(inner);
    }
    match ip::parse(packet, link.bytes, link.version) {
        Ok(ip) => describe(packet, meta, end, &ip, ip_bytes, &mut inner)?,
        Err(ip::NotIp::Short) if !P::COMPLETE => return Err(Short),
        Err(_) => {}
    }
    Ok(inner)
}

#[inline(always)]
fn describe<P: Packet + ?Sized>(
    packet: &P,
    meta: &Meta,
    end: End,
    ip: &Ip,
    ip_bytes: u32,
    inner: &mut Inner,
) -> Result<(), Short> {
    inner.version = ip.version;
    inner.fragment = !matches!(ip.fragment, Fragment::None);
    inner.transport = match (ip.fragment, ip.protocol) {
        (Fragment::Later, _) => Transport::Other,
        (_, ip::TCP) => Transport::Tcp,
        (_, ip::UDP) => Transport::Udp,
        _ => Transport::Other,
    };
    if meta.gso_size == 0 {
        // The header's own length leaves out Ethernet padding. It is not believed when it contradicts the buffer.
        if ip.total >= ip.header && ip.total < ip_bytes {
            inner.trailer = ip_bytes - ip.total;
            inner.segments = Segments::one(ip.total);
        }
    } else {
        let transport = match ip.transport_bytes(packet) {
            Ok(bytes) => bytes,
            Err(Short) if !P::COMPLETE => return Err(Short),
            Err(Short) => 0,
        };
        let header = if transport == 0 { 0 } else { ip.header + transport };
        inner.segments = Segments::split(ip_bytes, header, meta.gso_size, meta.gso_segs);
    }
    let is_source = match end {
        End::Source => true,
        End::Destination => false,
        End::Neither => return Ok(()),
    };
    let ends = if meta.l3 {
        (ip.address(packet, is_source), ip.address(packet, !is_source))
    } else {
        (ip.address(packet, is_source), Ok(inner.remote))
    };
    match ends {
        (Ok(address), Ok(remote)) => {
            inner.address = address;
            inner.remote = remote;
        }
        _ if !P::COMPLETE => return Err(Short),
        _ => {}
    }
    Ok(())
}

impl Transport {
    /// Its number in an IP header; 0 for those that are not told apart.
    #[inline(always)]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => ip::TCP,
            Self::Udp => ip::UDP,
            Self::Other => 0,
        }
    }
}

impl Inner {
    /// Bytes of the outer IP packets, see [`outer_bytes`].
    #[inline(always)]
    pub fn outer_bytes(&self, overhead: u32, l3: bool) -> u64 {
        outer_bytes(&self.segments, self.link, self.trailer, overhead, l3)
    }
}

/// Bytes of the outer IP packets around `segments`, each with `link` bytes of link header and `trailer` bytes behind.
/// `overhead` is what the outer packet adds to the inner IP packet, an untagged Ethernet header included where the
/// tunnel carries frames.
#[inline(always)]
pub fn outer_bytes(segments: &Segments, link: u32, trailer: u32, overhead: u32, l3: bool) -> u64 {
    let untagged = if l3 { 0 } else { ETHERNET_BYTES };
    let each = u64::from(overhead) + u64::from(link) - u64::from(untagged);
    segments.bytes + segments.packets * each + u64::from(trailer)
}
