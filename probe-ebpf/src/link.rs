//! The link layer: where the network layer starts and what it is.

use crate::packet::{Packet, Short};

/// Bytes of an Ethernet header without tags.
pub const ETHERNET_BYTES: u32 = 14;
/// Bytes of one VLAN tag, IEEE 802.1Q.
pub const VLAN_BYTES: u32 = 4;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88a8;

/// What the link layer says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Bytes before the network layer, in-band VLAN tags included; 0 on a device of bare IP packets.
    pub bytes: u32,
    /// IP version, 4 or 6; 0 for anything else.
    pub version: u8,
}

/// Reads an Ethernet header that starts at `start`, with up to two VLAN tags in the packet. A tag that the kernel
/// keeps beside the packet (`vlan_tci` of the socket buffer) is not seen here.
#[inline(always)]
pub fn ethernet<P: Packet + ?Sized>(packet: &P, start: u32) -> Result<Link, Short> {
    let mut bytes = ETHERNET_BYTES;
    let mut ethertype = packet.u16(start + 12)?;
    if is_vlan(ethertype) {
        if !P::COMPLETE {
            return Err(Short);
        }
        ethertype = packet.u16(start + 16)?;
        bytes += VLAN_BYTES;
        if is_vlan(ethertype) {
            ethertype = packet.u16(start + 20)?;
            bytes += VLAN_BYTES;
        }
    }
    let version = match ethertype {
        ETHERTYPE_IPV4 => 4,
        ETHERTYPE_IPV6 => 6,
        _ => 0,
    };
    let [bytes, _] = packet.forget([bytes, 0])?;
    Ok(Link { bytes, version })
}

/// Reads the start of a bare IP packet: the version is its first four bits.
#[inline(always)]
pub fn bare<P: Packet + ?Sized>(packet: &P, start: u32) -> Result<Link, Short> {
    let version = match packet.u8(start)? >> 4 {
        4 => 4,
        6 => 6,
        _ => 0,
    };
    Ok(Link { bytes: 0, version })
}

#[inline(always)]
const fn is_vlan(ethertype: u16) -> bool {
    ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ
}
