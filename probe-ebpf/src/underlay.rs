//! The programs on an underlay device: outer packets, by tunnel and remote node, and complaints about their size.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::classifier, programs::TcContext};
use probe_common::{
    counters::{Losses, OuterCounters},
    event::PmtuEvent,
    keys::{FragmentKey, FragmentOwner, RX, TX, VNI_ANY},
    limits::{EVENTS_PER_SECOND, TUNNELS},
    table::{Key, PEER_OUTER, TUNNEL_LISTEN},
};
use probe_ebpf::wireguard::Kind;

use crate::{
    NEXT,
    datagram::{self, Datagram},
    maps::{
        EVENTS, FRAGMENTS, LOSSES, OUTER_COUNTS, OUTER_PEERS, RATE_LIMIT, UNDER_IFACES, add, iface, slot,
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
fn run<const DIRECTION: u32>(skb: Skb) -> Option<()> {
    let config = iface(&UNDER_IFACES, skb.ifindex())?;
    let datagram = datagram::parse(skb, DIRECTION, config.l3)?;
    let mut kind = Kind::Data;
    let (tunnel, peer) = match datagram.what {
        datagram::VXLAN => {
            let tunnel = vxlan(datagram)?;
            (tunnel, vxlan_peer::<DIRECTION>(datagram, tunnel))
        }
        datagram::WIREGUARD => {
            kind = datagram.kind()?;
            let own = if DIRECTION == TX { datagram.source_port } else { datagram.destination_port };
            let tunnel = wireguard(own)?;
            (tunnel, wireguard_peer::<DIRECTION>(datagram, tunnel))
        }
        datagram::LATER_FRAGMENT => {
            later_fragment::<DIRECTION>(datagram);
            return Some(());
        }
        _ => {
            if DIRECTION == RX {
                complaint(datagram, skb.ifindex());
            }
            return Some(());
        }
    };
    if datagram.is_first_fragment != 0 {
        // A full table evicts the oldest datagram; its fragments are then counted as unknown.
        let _ = FRAGMENTS.insert(&fragment_key(datagram), &FragmentOwner { tunnel, peer }, 0);
    }
    let is_fragment = datagram.is_first_fragment != 0;
    count::<DIRECTION>(datagram, FragmentOwner { tunnel, peer }, is_fragment, kind);
    Some(())
}

/// Tunnel slot of a VXLAN packet; a collect-metadata device takes every VNI of its port.
#[inline(always)]
fn vxlan(datagram: &Datagram) -> Option<u32> {
    let (port, version) = (datagram.destination_port as u16, datagram.version as u8);
    let found = match slot(&Key::outer(port, version, datagram.vni)) {
        None => slot(&Key::outer(port, version, VNI_ANY)),
        found => found,
    };
    found.filter(|&slot| slot < TUNNELS)
}

#[inline(always)]
fn vxlan_peer<const DIRECTION: u32>(datagram: &Datagram, tunnel: u32) -> u32 {
    let address = if DIRECTION == TX { &datagram.destination } else { &datagram.source };
    slot(&Key::address(PEER_OUTER | tunnel, address.words())).unwrap_or(tunnel)
}

/// Tunnel slot of the WireGuard device that listens on a port.
#[inline(always)]
fn wireguard(port: u32) -> Option<u32> {
    slot(&Key::number(TUNNEL_LISTEN, u64::from(port))).filter(|&slot| slot < TUNNELS)
}

/// Address and port name the peer: two may share an address behind a NAT.
#[inline(always)]
fn wireguard_peer<const DIRECTION: u32>(datagram: &Datagram, tunnel: u32) -> u32 {
    let (address, port) = if DIRECTION == TX {
        (&datagram.destination, datagram.destination_port)
    } else {
        (&datagram.source, datagram.source_port)
    };
    slot(&Key::endpoint(tunnel, address.words(), port as u16)).unwrap_or(tunnel)
}

#[inline(always)]
fn later_fragment<const DIRECTION: u32>(datagram: &Datagram) {
    // SAFETY: the value is copied at once; entries are inserted whole.
    match unsafe { FRAGMENTS.get(&fragment_key(datagram)) }.copied() {
        // Only data is long enough to be cut.
        Some(owner) => count::<DIRECTION>(datagram, owner, true, Kind::Data),
        None => lost(|losses| add!(losses.unknown_fragments => 1)),
    }
}

#[inline(always)]
fn fragment_key(datagram: &Datagram) -> FragmentKey {
    FragmentKey { source: datagram.source, destination: datagram.destination, id: datagram.id, reserved: 0 }
}

#[inline(always)]
fn count<const DIRECTION: u32>(datagram: &Datagram, owner: FragmentOwner, is_fragment: bool, kind: Kind) {
    let (packets, bytes) = (datagram.packets, datagram.packet_bytes);
    for counters in [
        OUTER_COUNTS.get_ptr_mut(owner.tunnel * 2 + DIRECTION),
        OUTER_PEERS.get_ptr_mut(owner.peer * 2 + DIRECTION),
    ] {
        let Some(counters) = counters else { return };
        // SAFETY: a live per-CPU map value, only this CPU writes it.
        let counters: &mut OuterCounters = unsafe { &mut *counters };
        add!(counters.packets => packets, counters.bytes => bytes);
        if is_fragment {
            add!(counters.fragments => packets);
        }
        match kind {
            Kind::Data => {}
            Kind::Keepalive => add!(counters.keepalives => packets, counters.keepalive_bytes => bytes),
            Kind::Handshake => add!(counters.handshakes => packets, counters.handshake_bytes => bytes),
        }
    }
}

/// An ICMP message: an event when it is about the size of a packet that one of our tunnels sent.
#[inline(always)]
fn complaint(datagram: &Datagram, ifindex: u32) {
    let found = match vxlan(datagram) {
        None => wireguard(datagram.source_port),
        found => found,
    };
    let Some(tunnel) = found else { return };
    let event = PmtuEvent {
        // SAFETY: no arguments, no preconditions.
        at: unsafe { bpf_ktime_get_ns() },
        reporter: datagram.source,
        destination: datagram.destination,
        mtu: datagram.mtu,
        quoted_bytes: datagram.quoted_bytes,
        tunnel,
        ifindex,
        reserved: 0,
    };
    send(&event);
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
