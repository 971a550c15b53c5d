//! The programs on a tunnel device: inner packets, by tunnel, peer and pod.

use core::hint::cold_path;

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use probe_common::{
    counters::{Counters, TunnelCounters},
    keys::{AllowedPeer, IfaceConfig, RX, TX},
    limits::TUNNELS,
    sizes,
    table::{Key, POD_ADDRESS, POD_IFINDEX},
};
use probe_ebpf::{inner::End, ip, tcp};

use crate::{
    NEXT,
    frame::{self, Frame},
    maps::{PEER_COUNTS, POD_COUNTS, POD_SYNS, TUNNEL_COUNTS, TUNNEL_IFACES, add, allowed, iface, slot},
    recent::{self, Found},
    skb::Skb,
};

/// Before encapsulation.
#[classifier]
pub(crate) fn ovp_tunnel_tx(ctx: TcContext) -> i32 {
    count::<TX>(Skb(ctx.skb.skb));
    NEXT
}

/// After decapsulation.
#[classifier]
pub(crate) fn ovp_tunnel_rx(ctx: TcContext) -> i32 {
    count::<RX>(Skb(ctx.skb.skb));
    NEXT
}

/// Slot of everything that belongs to no known pod.
const OTHER_POD: u32 = 0;

#[inline(always)]
fn count<const DIRECTION: u32>(skb: Skb) -> Option<()> {
    let config = iface(&TUNNEL_IFACES, skb.ifindex())?;
    let tunnel_slot = config.tunnel;
    if tunnel_slot >= TUNNELS {
        return None;
    }
    let end = if DIRECTION == TX { End::Source } else { End::Destination };
    let frame = frame::parse(skb, DIRECTION, end, config.l3.into())?;
    let tunnel = TUNNEL_COUNTS.get_ptr_mut(tunnel_slot * 2 + DIRECTION)?;
    // SAFETY: a live per-CPU map value, only this CPU writes it.
    let tunnel = unsafe { &mut *tunnel };
    let from = if DIRECTION == TX { skb.ingress_ifindex() } else { 0 };
    let [remote, more] = if config.l3 == 0 { [frame.mac, 0] } else { frame.remote().words() };
    let [address, rest] = frame.address().words();
    let ends = [u64::from(tunnel_slot) << 32 | u64::from(from), remote, more, address, rest];
    let generation = recent::generation(config);
    if !frame.recent.is(&ends, generation) {
        cold_path();
        if look_up(skb.0, frame, config, DIRECTION) == 0 {
            add!(tunnel.unsent => frame.segments().packets);
            return Some(());
        }
        frame.recent.keep(&ends, generation);
    }
    let Found { peer, other: pod, overhead, .. } = frame.recent.found;
    let mut copies = 1;
    if DIRECTION == TX && frame.to_group() {
        cold_path();
        copies = u64::from(config.flood);
        if copies == 0 {
            add!(tunnel.unsent => 1);
            return Some(());
        }
    }
    let outer = if config.wireguard_mtu == 0 {
        frame.outer_bytes(config.overhead, config.l3 != 0) * copies
    } else {
        frame.wireguard_bytes(overhead, config.wireguard_mtu)
    };
    let amount = Amount::of(frame, config, outer, copies);
    // SAFETY: as above.
    unsafe {
        amount.add_to(&mut (*PEER_COUNTS.get_ptr_mut(peer * 2 + DIRECTION)?).inner);
        amount.add_to(&mut *POD_COUNTS.get_ptr_mut(pod * 2 + DIRECTION)?);
    }
    amount.add_to(&mut tunnel.all);
    add_kinds(tunnel, frame, amount.packets);
    add_sizes(tunnel, frame, config.budget, copies);
    if frame.may_be_syn() {
        cold_path();
        add_syn(skb.0, frame, config.budget, pod * 2 + DIRECTION);
    }
    Some(())
}

/// Counts the segment if it is a SYN. A function of its own, which few packets pay for.
#[inline(never)]
fn add_syn(skb: *mut __sk_buff, frame: *const Frame, budget: u32, index: u32) -> u32 {
    // SAFETY: a live map value, see the caller.
    let frame = unsafe { &*frame };
    let Ok(Some(mss)) = tcp::announced_mss(&Skb(skb).whole(), frame.transport_at()) else { return 0 };
    let Some(syns) = POD_SYNS.get_ptr_mut(index) else { return 0 };
    // SAFETY: a live per-CPU map value, only this CPU writes it.
    let syns = unsafe { &mut *syns };
    let headers = tcp::HEADER_BYTES + if frame.version() == 4 { ip::IPV4_BYTES } else { ip::IPV6_BYTES };
    add!(
        syns.segments => 1,
        syns.over_budget => u64::from(mss + headers > budget),
    );
    if u64::from(mss) > syns.largest_mss {
        syns.largest_mss = mss.into();
    }
    1
}

/// Looks up the pod, and the peer that a packet goes to or comes from. 0 when the device drops it for want of a peer, which
/// happens on transmit of WireGuard only: what arrives was let in for its source address.
///
/// A function of its own, so that most packets do not pay for it, and the verifier does not follow each answer through the counting.
#[inline(never)]
fn look_up(skb: *mut __sk_buff, frame: *mut Frame, config: *const IfaceConfig, direction: u32) -> u32 {
    // SAFETY: live map values.
    let (frame, config) = unsafe { (&mut *frame, &*config) };
    let is_tx = direction == TX;
    let pod = pod(Skb(skb), frame, is_tx);
    let found = if config.wireguard_mtu == 0 {
        let peer = slot(&Key::mac(config.tunnel, frame.mac)).unwrap_or(config.tunnel);
        AllowedPeer { peer, overhead: 0 }
    } else {
        let Some(found) = allowed_peer(frame, config, is_tx) else { return 0 };
        found
    };
    let found = Found { peer: found.peer, other: pod, overhead: found.overhead, reserved: 0 };
    frame.recent.found = found;
    1
}

#[inline(always)]
fn allowed_peer(frame: &Frame, config: &IfaceConfig, is_tx: bool) -> Option<AllowedPeer> {
    let other = AllowedPeer { peer: config.tunnel, overhead: config.overhead };
    // What is not IP: `-EPROTONOSUPPORT` in `wg_xmit`.
    if is_tx && frame.version() == 0 {
        return None;
    }
    match allowed(config.tunnel, frame.remote()) {
        // Without an endpoint: `-EDESTADDRREQ`.
        Some(peer) if is_tx && peer.overhead == 0 => None,
        Some(peer) if peer.overhead == 0 => Some(AllowedPeer { overhead: config.overhead, ..peer }),
        Some(peer) => Some(peer),
        // Nobody's: `-ENOKEY`.
        None if is_tx && config.allowed_complete != 0 => None,
        None => Some(other),
    }
}

/// On transmit the interface that a packet came in by names the pod exactly (`skb_iif`); a bridge in between or the
/// node's own traffic does not, and the address decides, as it does on receive.
#[inline(always)]
fn pod(skb: Skb, frame: &Frame, is_tx: bool) -> u32 {
    if is_tx {
        let ifindex = skb.ingress_ifindex();
        if ifindex != 0
            && let Some(slot) = slot(&Key::number(POD_IFINDEX, u64::from(ifindex)))
        {
            return slot;
        }
    }
    slot(&Key::address(POD_ADDRESS, frame.address().words())).unwrap_or(OTHER_POD)
}

/// What one socket buffer adds to the counters.
struct Amount {
    packets: u64,
    inner: u64,
    outer: u64,
    oversize: u64,
    fragments: u64,
}

impl Amount {
    #[inline(always)]
    fn of(frame: &Frame, config: &IfaceConfig, outer: u64, copies: u64) -> Self {
        let segments = frame.segments();
        let mut oversize = 0;
        if segments.full > config.budget {
            oversize = segments.packets - 1;
        }
        if segments.last > config.budget {
            oversize += 1;
        }
        Self {
            packets: segments.packets * copies,
            inner: segments.bytes * copies,
            outer,
            oversize: oversize * copies,
            fragments: if frame.is_fragment() { copies } else { 0 },
        }
    }

    #[inline(always)]
    fn add_to(&self, counters: &mut Counters) {
        add!(
            counters.skbs => 1,
            counters.packets => self.packets,
            counters.inner_bytes => self.inner,
            counters.outer_bytes => self.outer,
        );
        if self.oversize | self.fragments != 0 {
            cold_path();
            add!(
                counters.oversize => self.oversize,
                counters.fragments => self.fragments,
            );
        }
    }
}

#[inline(always)]
fn add_kinds(tunnel: &mut TunnelCounters, frame: &Frame, packets: u64) {
    match frame.version() {
        4 => add!(tunnel.ipv4 => packets),
        6 => add!(tunnel.ipv6 => packets),
        _ => {
            add!(tunnel.not_ip => packets);
            return;
        }
    }
    if frame.transport() == u32::from(ip::TCP) {
        add!(tunnel.tcp => packets);
    } else if frame.transport() == u32::from(ip::UDP) {
        add!(tunnel.udp => packets);
    } else {
        add!(tunnel.other_protocol => packets);
    }
}

#[inline(always)]
fn add_sizes(tunnel: &mut TunnelCounters, frame: &Frame, budget: u32, copies: u64) {
    let segments = frame.segments();
    if let Some(count) = tunnel.sizes.get_mut(sizes::bucket(segments.last, budget)) {
        add!(*count => copies);
    }
    if segments.packets > 1
        && let Some(count) = tunnel.sizes.get_mut(sizes::bucket(segments.full, budget))
    {
        add!(*count => (segments.packets - 1) * copies);
    }
}
