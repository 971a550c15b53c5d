//! The programs on an underlay device: outer packets, by tunnel and remote node, and complaints about their size.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::classifier, programs::TcContext};
use probe_common::{
    counters::{Losses, OuterCounters},
    event::PmtuEvent,
    keys::{FragmentKey, FragmentOwner, RX, TX, VNI_ANY, VNI_UNKNOWN},
    limits::{EVENTS_PER_SECOND, TUNNELS},
    table::{Key, PEER_OUTER},
};
use probe_ebpf::{
    icmp,
    ip::{self, Fragment, Ip, NotIp},
    link::{self, Link},
    outer,
    packet::Packet,
    segments::Segments,
};

use crate::{
    NEXT,
    maps::{
        EVENTS, FRAGMENTS, LOSSES, OUTER_COUNTS, OUTER_PEERS, OUTER_PORTS, RATE_LIMIT, UNDER_IFACES, add,
        iface, slot,
    },
    skb::Skb,
};

/// After encapsulation and fragmentation.
#[classifier]
pub(crate) fn ovp_underlay_tx(ctx: TcContext) -> i32 {
    run::<TX>(Skb(ctx.skb.skb));
    NEXT
}

/// Before reassembly and decapsulation.
#[classifier]
pub(crate) fn ovp_underlay_rx(ctx: TcContext) -> i32 {
    run::<RX>(Skb(ctx.skb.skb));
    NEXT
}

#[inline(always)]
fn run<const DIRECTION: u32>(skb: Skb) {
    let Some(config) = iface(&UNDER_IFACES, skb.ifindex()) else { return };
    let l3 = config.l3 != 0;
    if let Err(NotIp::Short) = packet::<_, DIRECTION>(&skb.linear(), skb, l3) {
        // A packet that ends early even here is no whole datagram of ours.
        let _ = packet::<_, DIRECTION>(&skb.whole(), skb, l3);
    }
}

/// `Short` comes before anything is counted, so that looking again counts once.
#[inline(always)]
fn packet<P: Packet, const DIRECTION: u32>(packet: &P, skb: Skb, l3: bool) -> Result<(), NotIp> {
    let link = if l3 { link::bare(packet, 0) } else { link::ethernet(packet, 0) }?;
    if link.version == 0 {
        return Ok(());
    }
    let ip = ip::parse(packet, link.bytes, link.version)?;
    match (ip.protocol, ip.fragment) {
        (ip::UDP, Fragment::Later) => later_fragment::<P, DIRECTION>(packet, skb, link, &ip),
        (ip::UDP, _) => datagram::<P, DIRECTION>(packet, skb, link, &ip),
        (ip::ICMP | ip::ICMPV6, Fragment::None) if DIRECTION == RX => complaint(packet, skb, &ip),
        _ => Ok(()),
    }
}

#[inline(always)]
fn datagram<P: Packet, const DIRECTION: u32>(packet: &P, skb: Skb, link: Link, ip: &Ip) -> Result<(), NotIp> {
    let port = outer::destination_port(packet, ip)?;
    let known = match OUTER_PORTS.get(u32::from(port) >> 6) {
        Some(bits) => bits >> (port & 63) & 1 != 0,
        None => false,
    };
    if !known {
        return Ok(());
    }
    let Some(vni) = outer::vni(packet, ip)? else { return Ok(()) };
    let Some(tunnel) = tunnel(port, ip.version, vni) else { return Ok(()) };
    let peer = peer::<P, DIRECTION>(packet, ip, tunnel)?;
    let bytes = skb.len().saturating_sub(link.bytes);
    let gso_size = skb.gso_size();
    let segments = if gso_size == 0 {
        Segments::one(bytes)
    } else {
        let header = match outer::segment_header_bytes(packet, ip) {
            Ok(header) => header,
            Err(NotIp::Short) if !P::COMPLETE => return Err(NotIp::Short),
            Err(_) => 0,
        };
        Segments::split(bytes, header, gso_size, skb.gso_segs())
    };
    let mut fragments = 0;
    if matches!(ip.fragment, Fragment::First) {
        fragments = 1;
        let key = fragment_key(packet, ip)?;
        // A full table evicts the oldest datagram; its fragments are then counted as unknown.
        let _ = FRAGMENTS.insert(&key, &FragmentOwner { tunnel, peer }, 0);
    }
    count::<DIRECTION>(tunnel, peer, segments.packets, segments.bytes, fragments);
    Ok(())
}

#[inline(always)]
fn later_fragment<P: Packet, const DIRECTION: u32>(
    packet: &P,
    skb: Skb,
    link: Link,
    ip: &Ip,
) -> Result<(), NotIp> {
    let key = fragment_key(packet, ip)?;
    // SAFETY: the value is copied at once; entries are inserted whole.
    match unsafe { FRAGMENTS.get(&key) }.copied() {
        Some(owner) => {
            let bytes = u64::from(skb.len().saturating_sub(link.bytes));
            count::<DIRECTION>(owner.tunnel, owner.peer, 1, bytes, 1);
        }
        None => lost(|losses| add!(losses.unknown_fragments => 1)),
    }
    Ok(())
}

#[inline(always)]
fn fragment_key<P: Packet>(packet: &P, ip: &Ip) -> Result<FragmentKey, NotIp> {
    Ok(FragmentKey {
        source: ip.source(packet)?,
        destination: ip.destination(packet)?,
        id: ip.id,
        reserved: 0,
    })
}

/// Tunnel slot of an outer packet; a collect-metadata device takes every VNI of its port.
#[inline(always)]
fn tunnel(port: u16, version: u8, vni: u32) -> Option<u32> {
    let found = match slot(&Key::outer(port, version, vni)) {
        None => slot(&Key::outer(port, version, VNI_ANY)),
        found => found,
    };
    found.filter(|&slot| slot < TUNNELS)
}

#[inline(always)]
fn peer<P: Packet, const DIRECTION: u32>(packet: &P, ip: &Ip, tunnel: u32) -> Result<u32, NotIp> {
    let address = if DIRECTION == TX { ip.destination(packet)? } else { ip.source(packet)? };
    Ok(slot(&Key::address(PEER_OUTER | tunnel, address.words())).unwrap_or(tunnel))
}

#[inline(always)]
fn count<const DIRECTION: u32>(tunnel: u32, peer: u32, packets: u64, bytes: u64, fragments: u64) {
    for counters in
        [OUTER_COUNTS.get_ptr_mut(tunnel * 2 + DIRECTION), OUTER_PEERS.get_ptr_mut(peer * 2 + DIRECTION)]
    {
        let Some(counters) = counters else { return };
        // SAFETY: a live per-CPU map value, only this CPU writes it.
        let counters: &mut OuterCounters = unsafe { &mut *counters };
        add!(counters.packets => packets, counters.bytes => bytes, counters.fragments => fragments);
    }
}

/// An ICMP message: an event when it is about the size of a packet that one of our tunnels sent.
#[inline(always)]
fn complaint<P: Packet>(packet: &P, skb: Skb, ip: &Ip) -> Result<(), NotIp> {
    let Some(too_big) = icmp::too_big(packet, ip)? else { return Ok(()) };
    let quoted = &too_big.quoted;
    if quoted.protocol != ip::UDP || matches!(quoted.fragment, Fragment::Later) {
        return Ok(());
    }
    let port = outer::destination_port(packet, quoted)?;
    // RFC 792 asks for no more than the ports; where the quote goes on, the VNI tells tunnels apart.
    let vni = match outer::vni(packet, quoted) {
        Ok(Some(vni)) => vni,
        Err(_) if !P::COMPLETE => return Err(NotIp::Short),
        _ => VNI_UNKNOWN,
    };
    let Some(tunnel) = tunnel(port, quoted.version, vni) else { return Ok(()) };
    let event = PmtuEvent {
        // SAFETY: no arguments, no preconditions.
        at: unsafe { bpf_ktime_get_ns() },
        reporter: ip.source(packet)?,
        destination: quoted.destination(packet)?,
        mtu: too_big.mtu,
        quoted_bytes: quoted.total,
        tunnel,
        ifindex: skb.ifindex(),
        reserved: 0,
    };
    send(&event);
    Ok(())
}

#[inline(always)]
fn send(event: &PmtuEvent) {
    const SECOND: u64 = 1_000_000_000;
    let Some(limit) = RATE_LIMIT.get_ptr_mut(0) else { return };
    // SAFETY: a live per-CPU map value, only this CPU writes it.
    let limit = unsafe { &mut *limit };
    if event.at.wrapping_sub(limit.since) >= SECOND {
        limit.since = event.at;
        limit.sent = 0;
    }
    if limit.sent >= u64::from(EVENTS_PER_SECOND) {
        lost(|losses| add!(losses.rate_limited => 1));
        return;
    }
    limit.sent += 1;
    if EVENTS.output::<PmtuEvent>(event, 0).is_err() {
        lost(|losses| add!(losses.ring_full => 1));
    }
}

#[inline(always)]
fn lost(change: impl FnOnce(&mut Losses)) {
    if let Some(losses) = LOSSES.get_ptr_mut(0) {
        // SAFETY: a live per-CPU map value, only this CPU writes it.
        change(unsafe { &mut *losses });
    }
}
