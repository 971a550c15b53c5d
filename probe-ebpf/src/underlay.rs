//! The programs on an underlay device: outer packets, by tunnel and remote node, complaints about their size, and packets of
//! pods that are in no tunnel.

use core::hint::cold_path;

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::classifier, programs::TcContext};
use probe_common::{
    counters::{Losses, OuterCounters},
    event::PmtuEvent,
    keys::{FragmentKey, FragmentOwner, RX, TX, VNI_ANY},
    limits::{DIRECT, EVENTS_PER_SECOND, TUNNELS},
    table::{Key, NODE_ADDRESS, PEER_OUTER, TUNNEL_LISTEN},
};
use probe_ebpf::wireguard::Kind;

use crate::{
    NEXT,
    datagram::{self, Datagram},
    maps::{
        EVENTS, FRAGMENTS, LOSSES, PEER_COUNTS, RATE_LIMIT, TUNNEL_COUNTS, UNDER_IFACES, add, iface,
        pod_network, slot,
    },
    recent::{self, Found},
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
    let datagram = datagram::parse(skb, DIRECTION, config)?;
    let mut kind = Kind::Data;
    let far = if DIRECTION == TX { datagram.destination.words() } else { datagram.source.words() };
    let outer = match datagram.what {
        datagram::VXLAN => vxlan_word(datagram),
        datagram::WIREGUARD => {
            let Some(of_message) = datagram.kind() else {
                in_clear::<DIRECTION>(datagram);
                return Some(());
            };
            kind = of_message;
            wireguard_word(datagram)
        }
        datagram::LATER_FRAGMENT => {
            if !later_fragment::<DIRECTION>(datagram) && !in_clear::<DIRECTION>(datagram) {
                lost(|losses| add!(losses.unknown_fragments => 1));
            }
            return Some(());
        }
        datagram::TOO_BIG => {
            if DIRECTION == RX {
                complaint(datagram, skb.ifindex());
            }
            return Some(());
        }
        _ => {
            in_clear::<DIRECTION>(datagram);
            return Some(());
        }
    };
    let ends = [outer, far[0], far[1]];
    let generation = recent::generation(config);
    if !datagram.recent.is(&ends, generation) {
        cold_path();
        if look_up(datagram, DIRECTION) == 0 {
            in_clear::<DIRECTION>(datagram);
            return Some(());
        }
        datagram.recent.keep(&ends, generation);
    }
    let Found { peer, other: tunnel, .. } = datagram.recent.found;
    if datagram.is_first_fragment != 0 {
        cold_path();
        // A full table evicts the oldest datagram; its fragments are then counted as unknown.
        let _ = FRAGMENTS.insert(&fragment_key(datagram), &FragmentOwner { tunnel, peer }, 0);
    }
    let is_fragment = datagram.is_first_fragment != 0;
    count::<DIRECTION>(datagram, FragmentOwner { tunnel, peer }, is_fragment, kind);
    Some(())
}

/// What tells VXLAN packets of different tunnels apart.
#[inline(always)]
fn vxlan_word(datagram: &Datagram) -> u64 {
    let [word, _] = Key::outer(datagram.destination_port as u16, datagram.version as u8, datagram.vni).words;
    word
}

/// The same of WireGuard messages, and not equal to one of VXLAN: their VNI has 24 bits.
#[inline(always)]
fn wireguard_word(datagram: &Datagram) -> u64 {
    1 << 63 | u64::from(datagram.source_port) << 16 | u64::from(datagram.destination_port)
}

/// Looks up tunnel and peer; 0 when it is of no tunnel. A function of its own, so that most packets do not pay for it, and the
/// verifier does not follow each answer through the counting.
#[inline(never)]
fn look_up(datagram: *mut Datagram, direction: u32) -> u32 {
    // SAFETY: a live map value.
    let datagram = unsafe { &mut *datagram };
    let (far, own_port, far_port) = if direction == TX {
        (datagram.destination.words(), datagram.source_port, datagram.destination_port)
    } else {
        (datagram.source.words(), datagram.destination_port, datagram.source_port)
    };
    let is_vxlan = datagram.what == datagram::VXLAN;
    let tunnel = if is_vxlan { vxlan(datagram) } else { wireguard(own_port) };
    let Some(tunnel) = tunnel else { return 0 };
    let key = if is_vxlan {
        Key::address(PEER_OUTER | tunnel, far)
    } else {
        // Address and port name the peer: two may share an address behind a NAT.
        Key::endpoint(tunnel, far, far_port as u16)
    };
    let peer = slot(&key).unwrap_or(tunnel);
    let found = Found { peer, other: tunnel, overhead: 0, reserved: 0 };
    datagram.recent.found = found;
    1
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

/// Tunnel slot of the WireGuard device that listens on a port.
#[inline(always)]
fn wireguard(port: u32) -> Option<u32> {
    slot(&Key::number(TUNNEL_LISTEN, u64::from(port))).filter(|&slot| slot < TUNNELS)
}

/// False when the first fragment is not known.
#[inline(always)]
fn later_fragment<const DIRECTION: u32>(datagram: &Datagram) -> bool {
    // SAFETY: the value is copied at once; entries are inserted whole.
    let owner = unsafe { FRAGMENTS.get(&fragment_key(datagram)) }.copied();
    if let Some(owner) = owner {
        // Only data is long enough to be cut.
        count::<DIRECTION>(datagram, owner, true, Kind::Data);
    }
    owner.is_some()
}

/// A packet that is in no tunnel: counted when its far end is a pod and its near end is not the node itself. True when its far
/// end is a pod.
#[inline(always)]
fn in_clear<const DIRECTION: u32>(datagram: &Datagram) -> bool {
    count_in_clear(datagram, DIRECTION) != 0
}

/// A function of its own, so that the verifier walks it once and not once for each way that leads here.
#[inline(never)]
fn count_in_clear(datagram: *const Datagram, direction: u32) -> u64 {
    // SAFETY: a live map value.
    let datagram = unsafe { &*datagram };
    let (near, far) = if direction == TX {
        (&datagram.source, &datagram.destination)
    } else {
        (&datagram.destination, &datagram.source)
    };
    let Some(network) = pod_network(far) else { return 0 };
    if slot(&Key::address(NODE_ADDRESS, near.words())).is_some() {
        return 1;
    }
    let (packets, bytes) = (datagram.packets, datagram.packet_bytes);
    let Some(whole) = of_tunnel(network.tunnel * 2 + direction) else { return 1 };
    if network.tunnel == DIRECT {
        add!(whole.packets => packets, whole.bytes => bytes);
        return 1;
    }
    add!(whole.in_clear => packets, whole.in_clear_bytes => bytes);
    if let Some(peer) = of_peer(network.peer * 2 + direction) {
        add!(peer.in_clear => packets, peer.in_clear_bytes => bytes);
    }
    1
}

/// What the underlay counts for a tunnel.
#[inline(always)]
fn of_tunnel(index: u32) -> Option<&'static mut OuterCounters> {
    // SAFETY: a live per-CPU map value, only this CPU writes it.
    TUNNEL_COUNTS.get_ptr_mut(index).map(|counters| unsafe { &mut (*counters).outer })
}

/// What the underlay counts for a peer.
#[inline(always)]
fn of_peer(index: u32) -> Option<&'static mut OuterCounters> {
    // SAFETY: as above.
    PEER_COUNTS.get_ptr_mut(index).map(|counters| unsafe { &mut (*counters).outer })
}

#[inline(always)]
fn fragment_key(datagram: &Datagram) -> FragmentKey {
    FragmentKey { source: datagram.source, destination: datagram.destination, id: datagram.id, reserved: 0 }
}

#[inline(always)]
fn count<const DIRECTION: u32>(datagram: &Datagram, owner: FragmentOwner, is_fragment: bool, kind: Kind) {
    let (packets, bytes) = (datagram.packets, datagram.packet_bytes);
    for counters in [of_tunnel(owner.tunnel * 2 + DIRECTION), of_peer(owner.peer * 2 + DIRECTION)] {
        let Some(counters) = counters else { return };
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
