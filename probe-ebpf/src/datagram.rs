//! The parsing of a packet on an underlay device, apart from the counting. By way of a map value, for the reason that
//! `frame` gives.

use core::hint::cold_path;

use aya_ebpf::bindings::__sk_buff;
use probe_common::{
    keys::{Address, IfaceConfig, RX, TX, VNI_UNKNOWN},
    table::{PORTS_VXLAN, PORTS_WIREGUARD},
};
use probe_ebpf::{
    icmp,
    ip::{self, Fragment, Ip, NotIp},
    link,
    outer::{self, UDP_BYTES, VXLAN_BYTES},
    packet::Packet,
    segments::Segments,
    wireguard::{self, Kind},
};

use crate::{
    maps::{DATAGRAM, is_port, may_be_pod},
    recent::Recent,
    skb::Skb,
};

/// What a packet on the underlay may be to us.
pub(crate) const VXLAN: u32 = 1;
/// A WireGuard message.
pub(crate) const WIREGUARD: u32 = 2;
/// A later fragment of some UDP datagram.
pub(crate) const LATER_FRAGMENT: u32 = 3;
/// An ICMP message about the size of a packet that may be a tunnel's.
pub(crate) const TOO_BIG: u32 = 4;
/// Any other packet whose far end may be a pod.
const IN_CLEAR: u32 = 5;

/// An outer packet. Integers only, no padding: it lives in a map.
#[repr(C)]
pub(crate) struct Datagram {
    /// Whose the last packet of a tunnel was.
    pub(crate) recent: Recent<3>,
    /// Outer packets of the buffer.
    pub(crate) packets: u64,
    /// Their bytes together, from the outer IP header on.
    pub(crate) packet_bytes: u64,
    /// Outer source address; who complains about a size.
    pub(crate) source: Address,
    /// Outer destination address, of the quoted packet in a complaint.
    pub(crate) destination: Address,
    /// One of the constants above.
    pub(crate) what: u32,
    /// IP version.
    pub(crate) version: u32,
    /// UDP ports, of the quoted packet in a complaint.
    pub(crate) source_port: u32,
    /// See `source_port`.
    pub(crate) destination_port: u32,
    /// VXLAN network identifier.
    pub(crate) vni: u32,
    /// Type of a WireGuard message.
    pub(crate) message: u32,
    /// Its bytes.
    pub(crate) message_bytes: u32,
    /// Where the outer IP header starts.
    start: u32,
    /// Bytes of the buffer from there on.
    bytes: u32,
    /// Bytes before the tunnel's payload.
    header: u32,
    /// 1 for a first fragment.
    pub(crate) is_first_fragment: u32,
    /// Identification that fragments share.
    pub(crate) id: u32,
    /// The MTU that a complaint asks for.
    pub(crate) mtu: u32,
    /// Length of the packet that it quotes.
    pub(crate) quoted_bytes: u32,
}

/// Reads the packet into [`DATAGRAM`]; none when it is nothing to us.
#[inline(always)]
pub(crate) fn parse(skb: Skb, direction: u32, config: &IfaceConfig) -> Option<&'static mut Datagram> {
    let datagram = DATAGRAM.get_ptr_mut(direction)?;
    // SAFETY: a live per-CPU map value, only this CPU uses it, and only until the program ends.
    let datagram = unsafe { &mut *datagram };
    let is_ours = match read(&skb.linear(), skb, direction, config, datagram) {
        // A packet that ends early even there is no whole datagram of ours.
        Err(NotIp::Short) => {
            cold_path();
            read_whole(skb.0, datagram, direction, config) != 0
        }
        read => matches!(read, Ok(true)),
    };
    if !is_ours {
        return None;
    }
    // SAFETY: a live reference; volatile, so that it is really read back: what follows looks the same for every packet.
    let what = unsafe { (&raw const datagram.what).read_volatile() };
    if what != TOO_BIG {
        let segments = datagram.segments(skb);
        datagram.packets = segments.packets;
        datagram.packet_bytes = segments.bytes;
    }
    Some(datagram)
}

/// Reads what is not as nearly all packets are. A function of its own, which those do not pay for.
#[inline(never)]
fn read_whole(
    skb: *mut __sk_buff,
    datagram: *mut Datagram,
    direction: u32,
    config: *const IfaceConfig,
) -> u32 {
    // SAFETY: live map values, see the caller.
    let (datagram, config) = unsafe { (&mut *datagram, &*config) };
    let skb = Skb(skb);
    u32::from(matches!(read(&skb.whole(), skb, direction, config, datagram), Ok(true)))
}

/// True when it may be ours.
#[inline(always)]
fn read<P: Packet>(
    packet: &P,
    skb: Skb,
    direction: u32,
    config: &IfaceConfig,
    into: &mut Datagram,
) -> Result<bool, NotIp> {
    let link = if config.l3 != 0 { link::bare(packet, 0) } else { link::ethernet(packet, 0) }?;
    if link.version == 0 {
        return Ok(false);
    }
    let ip = ip::parse(packet, link.bytes, link.version)?;
    let is_known = match (ip.protocol, ip.fragment) {
        (ip::UDP, Fragment::Later) => {
            into.what = LATER_FRAGMENT;
            into.header = 0;
            true
        }
        (ip::UDP, _) => udp(packet, &ip, direction, config.vxlan_port, into)?,
        (ip::ICMP | ip::ICMPV6, Fragment::None) if direction == RX => {
            if too_big(packet, &ip, into)? {
                return Ok(true);
            }
            false
        }
        _ => false,
    };
    if !is_known {
        // Of traffic that is not a tunnel's this is the whole cost: one address.
        if !may_be_pod(&ip.address(packet, direction == RX)?) {
            return Ok(false);
        }
        into.what = IN_CLEAR;
    }
    into.start = link.bytes;
    into.bytes = skb.len().saturating_sub(link.bytes);
    into.version = ip.version.into();
    into.source = ip.source(packet)?;
    into.destination = ip.destination(packet)?;
    into.is_first_fragment = matches!(ip.fragment, Fragment::First).into();
    into.id = ip.id;
    Ok(true)
}

/// The two kinds cannot be taken for one another: VXLAN's flag is in a bit that WireGuard's types leave clear.
#[inline(always)]
fn udp<P: Packet>(
    packet: &P,
    ip: &Ip,
    direction: u32,
    vxlan_port: u16,
    into: &mut Datagram,
) -> Result<bool, NotIp> {
    let destination = outer::destination_port(packet, ip)?;
    let source = outer::source_port(packet, ip)?;
    into.source_port = source.into();
    into.destination_port = destination.into();
    // What is not as nearly all packets are has time for the bitmap.
    let is_usual = !P::COMPLETE && destination == vxlan_port;
    if (is_usual || is_port(PORTS_VXLAN, destination))
        && let Some(vni) = outer::vni(packet, ip)?
    {
        into.what = VXLAN;
        into.vni = vni;
        into.header = ip.header + UDP_BYTES + VXLAN_BYTES;
        return Ok(true);
    }
    let own = if direction == TX { source } else { destination };
    if is_port(PORTS_WIREGUARD, own) {
        into.what = WIREGUARD;
        into.header = ip.header + UDP_BYTES;
        (into.message, into.message_bytes) = wireguard::message(packet, ip)?;
        return Ok(true);
    }
    Ok(false)
}

#[inline(always)]
fn too_big<P: Packet>(packet: &P, ip: &Ip, into: &mut Datagram) -> Result<bool, NotIp> {
    let Some(too_big) = icmp::too_big(packet, ip)? else { return Ok(false) };
    let quoted = &too_big.quoted;
    if quoted.protocol != ip::UDP || matches!(quoted.fragment, Fragment::Later) {
        return Ok(false);
    }
    into.what = TOO_BIG;
    into.version = quoted.version.into();
    into.source_port = outer::source_port(packet, quoted)?.into();
    into.destination_port = outer::destination_port(packet, quoted)?.into();
    // RFC 792 asks for no more than the ports; where the quote goes on, the VNI tells tunnels apart.
    into.vni = match outer::vni(packet, quoted) {
        Ok(Some(vni)) => vni,
        Err(_) if !P::COMPLETE => return Err(NotIp::Short),
        _ => VNI_UNKNOWN,
    };
    into.source = ip.source(packet)?;
    into.destination = quoted.destination(packet)?;
    into.mtu = too_big.mtu;
    into.quoted_bytes = quoted.total;
    Ok(true)
}

/// Bytes from the VXLAN frame at `frame` to its payload, which every segment of the buffer repeats; 0 when they cannot be read.
/// A function of its own, so that the verifier walks the inner headers once and not once for each kind of outer packet.
#[inline(never)]
fn frame_header(skb: *mut __sk_buff, frame: u32) -> u32 {
    let skb = Skb(skb);
    if let Some(packet) = skb.linear_from(frame)
        && let Ok(bytes) = outer::frame_header_bytes(&packet, 0)
    {
        return bytes;
    }
    whole_frame_header(skb.0, frame)
}

/// The same of headers that are not as nearly all are.
#[inline(never)]
fn whole_frame_header(skb: *mut __sk_buff, frame: u32) -> u32 {
    outer::frame_header_bytes(&Skb(skb).whole(), frame).unwrap_or(0)
}

/// The same of a packet in no tunnel.
#[inline(never)]
fn plain_header(skb: *mut __sk_buff, start: u32, version: u32) -> u32 {
    outer::plain_header_bytes(&Skb(skb).whole(), start, version as u8).unwrap_or(0)
}

impl Datagram {
    /// The outer packets of the buffer.
    #[inline(always)]
    fn segments(&self, skb: Skb) -> Segments {
        if skb.gso_size() == 0 {
            return Segments::one(self.bytes);
        }
        let header = match self.what {
            VXLAN => match frame_header(skb.0, self.start + self.header) {
                0 => 0,
                inner => self.header + inner,
            },
            IN_CLEAR => plain_header(skb.0, self.start, self.version),
            _ => self.header,
        };
        Segments::split(self.bytes, header, skb.gso_size(), skb.gso_segs())
    }

    /// Kind of the WireGuard message that it is.
    #[inline(always)]
    pub(crate) fn kind(&self) -> Option<Kind> {
        wireguard::kind(self.message, self.message_bytes)
    }
}
