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

/// What the headers of a buffer say. Integers only, no padding: the kernel programs have it in a map, and it is read into its
/// place, so that the verifier does not carry each kind of packet to the end of the reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Headers {
    /// Address of the asked end; zero when there is none.
    pub address: Address,
    /// Address of the other end, written on devices of bare IP packets only: there it names the peer.
    pub remote: Address,
    /// What tells how many packets it holds.
    pub lengths: Lengths,
    /// IP version, 0 when it is not IP or its header is broken.
    pub version: u32,
    /// IP protocol number of TCP or UDP; 0 for any other, also for what cannot be read.
    pub transport: u32,
    /// 1 for a fragment, first or later.
    pub fragment: u32,
    reserved: u32,
}

/// Lengths that the headers of a buffer have and tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Lengths {
    /// Bytes of link header in the buffer.
    pub link: u32,
    /// Bytes of IP header, options and extension headers included; 0 when it is not IP.
    pub ip: u32,
    /// Bytes from the IP header to the payload, which every segment of a GSO buffer repeats; 0 when they are not known.
    pub repeated: u32,
    /// Bytes of the IP packet as its header tells; 0 when it does not.
    pub total: u32,
}

/// The inner packets of one buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inner {
    /// The inner IP packets.
    pub segments: Segments,
    /// Bytes of link header that each of them carries through the tunnel, VLAN tags included.
    pub link: u32,
    /// Bytes behind the IP packet (Ethernet padding): they travel, and are no part of it.
    pub trailer: u32,
}

/// Reads the headers.
///
/// [`Short`] comes only from a view that is not complete. What a complete packet does not hold is counted as what is
/// certain: not IP, other protocol.
#[inline(always)]
pub fn read<P: Packet + ?Sized>(packet: &P, meta: &Meta, end: End, into: &mut Headers) -> Result<(), Short> {
    let link = match if meta.l3 { link::bare(packet, 0) } else { link::ethernet(packet, 0) } {
        Ok(link) => link,
        Err(Short) if !P::COMPLETE => return Err(Short),
        Err(Short) => {
            // Not even a whole header: a runt. Nothing of it is IP.
            let whole = if meta.l3 { 0 } else { ETHERNET_BYTES };
            Link { bytes: if meta.len < whole { meta.len } else { whole }, version: 0 }
        }
    };
    into.lengths.link = link.bytes;
    if link.version == 0 {
        into.set_not_ip();
        return Ok(());
    }
    match ip::parse(packet, link.bytes, link.version) {
        Ok(ip) => into.set_ip(packet, meta, end, &ip)?,
        Err(ip::NotIp::Short) if !P::COMPLETE => return Err(Short),
        Err(_) => into.set_not_ip(),
    }
    Ok(())
}

impl Headers {
    /// Of no packet.
    pub const NONE: Self = Self {
        address: Address { octets: [0; 16] },
        remote: Address { octets: [0; 16] },
        lengths: Lengths { link: 0, ip: 0, repeated: 0, total: 0 },
        version: 0,
        transport: 0,
        fragment: 0,
        reserved: 0,
    };

    /// All but the link header.
    #[inline(always)]
    fn set_not_ip(&mut self) {
        clear(&mut self.address);
        clear(&mut self.remote);
        self.lengths.ip = 0;
        self.lengths.repeated = 0;
        self.lengths.total = 0;
        self.version = 0;
        self.transport = 0;
        self.fragment = 0;
    }

    #[inline(always)]
    fn set_ip<P: Packet + ?Sized>(
        &mut self,
        packet: &P,
        meta: &Meta,
        end: End,
        ip: &Ip,
    ) -> Result<(), Short> {
        self.set_addresses(packet, meta, end, ip)?;
        self.version = ip.version.into();
        self.fragment = u32::from(!matches!(ip.fragment, Fragment::None));
        self.transport = match (ip.fragment, ip.protocol) {
            (Fragment::First | Fragment::None, ip::TCP | ip::UDP) => ip.protocol.into(),
            _ => 0,
        };
        self.lengths.ip = ip.header;
        self.lengths.total = ip.total;
        self.lengths.repeated = 0;
        if meta.gso_size != 0 {
            let transport = match ip.transport_bytes(packet) {
                Ok(bytes) => bytes,
                Err(Short) if !P::COMPLETE => return Err(Short),
                Err(Short) => 0,
            };
            if transport != 0 {
                self.lengths.repeated = ip.header + transport;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn set_addresses<P: Packet + ?Sized>(
        &mut self,
        packet: &P,
        meta: &Meta,
        end: End,
        ip: &Ip,
    ) -> Result<(), Short> {
        let is_source = match end {
            End::Source => true,
            End::Destination => false,
            End::Neither => {
                clear(&mut self.address);
                return Ok(());
            }
        };
        set_address(&mut self.address, packet, ip, is_source)?;
        if meta.l3 {
            set_address(&mut self.remote, packet, ip, !is_source)?;
        }
        Ok(())
    }
}

#[inline(always)]
fn set_address<P: Packet + ?Sized>(
    into: &mut Address,
    packet: &P,
    ip: &Ip,
    is_source: bool,
) -> Result<(), Short> {
    match ip.address(packet, is_source) {
        Ok(address) => *into = address,
        Err(Short) if !P::COMPLETE => return Err(Short),
        Err(Short) => clear(into),
    }
    Ok(())
}

/// Volatile, word by word: the compiler would have a function fill it byte by byte, for the verifier to follow.
#[inline(always)]
fn clear(address: &mut Address) {
    let words = (&raw mut *address).cast::<u64>();
    // SAFETY: 16 live bytes, aligned to 8.
    unsafe {
        words.write_volatile(0);
        words.add(1).write_volatile(0);
    }
}

impl Lengths {
    /// The packets of a buffer whose headers these are.
    #[inline(always)]
    pub const fn inner(&self, meta: &Meta) -> Inner {
        let bytes = meta.len.saturating_sub(self.link);
        let link = self.link + if meta.vlan { VLAN_BYTES } else { 0 };
        // The header's own length leaves out Ethernet padding. It is not believed when it contradicts the buffer.
        if meta.gso_size == 0 && self.total != 0 && self.total >= self.ip && self.total < bytes {
            return Inner { segments: Segments::one(self.total), link, trailer: bytes - self.total };
        }
        let segments = Segments::split(bytes, self.repeated, meta.gso_size, meta.gso_segs);
        Inner { segments, link, trailer: 0 }
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
