//! What a packet on a tunnel device says of itself, and why the parser of `probe-ebpf` does not read all of it.

use probe_common::keys::Address;
use probe_ebpf::{
    ip::{self, Fragment, Ip, NotIp},
    link::VLAN_BYTES,
    packet::{Packet, Short},
};

use crate::{
    reason::Reason,
    record::{HAS_VLAN, Record},
};

/// Where an untagged Ethernet header has its type.
const ETHERTYPE_AT: u32 = 12;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;

/// Tags that `probe_ebpf::link::ethernet` follows.
const TAGS: u32 = 2;

/// Where the network layer starts, and its IP version; 0 for anything else.
struct Link {
    at: u32,
    version: u8,
}

/// Writes into `record` what the packet says. Gives the reason when the parser could not read all of it.
#[inline(always)]
pub fn read<P: Packet + ?Sized>(packet: &P, l3: bool, record: &mut Record) -> Option<Reason> {
    let link = match if l3 { bare(packet) } else { ethernet(packet, record) } {
        Ok(link) => link,
        Err(reason) => return Some(reason),
    };
    if link.version == 0 {
        return Some(Reason::NotIp);
    }
    let ip = match ip::parse(packet, link.at, link.version) {
        Ok(ip) => ip,
        Err(NotIp::Short) => return Some(Reason::HeaderShort),
        Err(NotIp::Broken) => return Some(Reason::HeaderBroken),
    };
    record.version = ip.version.into();
    record.protocol = ip.protocol.into();
    record.source = ip.source(packet).unwrap_or(Address { octets: [0; 16] });
    record.destination = ip.destination(packet).unwrap_or(Address { octets: [0; 16] });
    if matches!(ip.fragment, Fragment::Later) {
        return Some(Reason::LaterFragment);
    }
    // Zero is an extension header itself, and stands for a chain that goes on too long.
    if ip.version == 6 && ip.protocol == 0 {
        return Some(Reason::Extensions);
    }
    if matches!(ip.protocol, ip::TCP | ip::UDP) {
        // Ports that are cut off stay 0.
        let _ = ports(packet, &ip, record);
    }
    None
}

#[inline(always)]
fn ports<P: Packet + ?Sized>(packet: &P, ip: &Ip, record: &mut Record) -> Result<(), Short> {
    record.source_port = packet.u16(ip.start + ip.header)?.into();
    record.destination_port = packet.u16(ip.start + ip.header + 2)?.into();
    Ok(())
}

#[inline(always)]
fn bare<P: Packet + ?Sized>(packet: &P) -> Result<Link, Reason> {
    let version = match packet.u8(0).map_err(|Short| Reason::HeaderShort)? >> 4 {
        4 => 4,
        6 => 6,
        _ => 0,
    };
    Ok(Link { at: 0, version })
}

#[inline(always)]
fn ethernet<P: Packet + ?Sized>(packet: &P, record: &mut Record) -> Result<Link, Reason> {
    let short = |Short| Reason::HeaderShort;
    let mut at = ETHERTYPE_AT;
    let mut ethertype = packet.u16(at).map_err(short)?;
    for _ in 0..TAGS {
        if is_vlan(ethertype) {
            record.vlan = u32::from(packet.u16(at + 2).map_err(short)?) | HAS_VLAN;
            at += VLAN_BYTES;
            ethertype = packet.u16(at).map_err(short)?;
        }
    }
    record.ethertype = ethertype.into();
    if is_vlan(ethertype) {
        return Err(Reason::Vlan);
    }
    let version = match ethertype {
        IPV4 => 4,
        IPV6 => 6,
        _ => 0,
    };
    Ok(Link { at: at + 2, version })
}

#[inline(always)]
const fn is_vlan(ethertype: u16) -> bool {
    ethertype == VLAN || ethertype == QINQ
}
