//! The programs on a tunnel device. What they look up, and when, is as in `probe-ebpf/src/tunnel.rs`; a test holds the packets
//! of each reason against the counts there.

use aya_ebpf::{bindings::__sk_buff, macros::classifier, programs::TcContext};
use probe_common::{
    keys::{IfaceConfig, RX, TX},
    limits::TUNNELS,
    table::{Key, POD_ADDRESS, POD_IFINDEX},
};
use probe_ebpf::inner::End;
use probe_explain::{
    Reason, Record, read,
    record::{HAS_VLAN, TUNNEL},
};

use crate::{
    NEXT,
    frame::{self, Frame},
    maps::{TUNNEL_IFACES, allowed, iface, slot},
    send::{begin, note, note_index, send},
    skb::Skb,
};

/// Before encapsulation.
#[classifier]
pub(crate) fn ovp_why_tun_tx(ctx: TcContext) -> i32 {
    explain::<TX>(Skb(ctx.skb.skb));
    NEXT
}

/// After decapsulation.
#[classifier]
pub(crate) fn ovp_why_tun_rx(ctx: TcContext) -> i32 {
    explain::<RX>(Skb(ctx.skb.skb));
    NEXT
}

#[inline(always)]
fn explain<const DIRECTION: u32>(skb: Skb) -> Option<()> {
    let config = iface(&TUNNEL_IFACES, skb.ifindex())?;
    if config.tunnel >= TUNNELS {
        return None;
    }
    let end = if DIRECTION == TX { End::Source } else { End::Destination };
    let frame = frame::parse(skb, DIRECTION, end, config.l3.into())?;
    let record = begin(skb, TUNNEL, DIRECTION)?;
    let segments = frame.segments();
    record.tunnel = config.tunnel;
    record.budget = config.budget;
    record.mac = frame.mac;
    record.packets = segments.packets;
    record.bytes = if segments.full > segments.last { segments.full } else { segments.last };
    let copies = copies::<DIRECTION>(frame, config);
    let is_sent = copies != 0 && peer::<DIRECTION>(record, frame, config, copies);
    if copies == 0 {
        note(record, Reason::NoFlood, 1);
    }
    if is_sent {
        if frame.version() != 0 && !has_pod::<DIRECTION>(skb, frame) {
            note(record, Reason::NoPod, segments.packets * copies);
        }
        size(record, frame, config, copies);
    }
    // What the parser gives up on has no version, or no protocol.
    let is_unread =
        frame.version() == 0 || frame.transport() == 0 && (frame.is_fragment() || frame.version() == 6);
    if is_unread || record.reasons != 0 {
        let found = read_packet(skb.0, record, config.l3.into());
        // What is not sent has that reason alone, unless WireGuard does not send it for what it is.
        if found < Reason::COUNT && (is_sent || record.reasons == 0) {
            note_index(record, found, segments.packets * copies);
        }
    }
    send(record);
    Some(())
}

/// Copies of a frame that leave the node; 0 when the device has no destination for it.
#[inline(always)]
fn copies<const DIRECTION: u32>(frame: &Frame, config: &IfaceConfig) -> u64 {
    if DIRECTION == TX && frame.to_group() { config.flood.into() } else { 1 }
}

/// Says when the peer is "other". False when the device drops the packet for want of one.
#[inline(always)]
fn peer<const DIRECTION: u32>(record: &mut Record, frame: &Frame, config: &IfaceConfig, copies: u64) -> bool {
    let packets = record.packets * copies;
    if config.wireguard_mtu == 0 {
        if DIRECTION == TX && frame.to_group() {
            note(record, Reason::Group, packets);
        } else if slot(&Key::mac(config.tunnel, frame.mac)).is_none() {
            note(record, Reason::NoPeerMac, packets);
        }
        return true;
    }
    // The packet itself says why, when it is read.
    if DIRECTION == TX && frame.version() == 0 {
        return false;
    }
    let peer = allowed(config.tunnel, frame.remote());
    let (reason, is_sent) = match peer {
        Some(peer) if DIRECTION == TX && peer.overhead == 0 => (Reason::NoEndpoint, false),
        // A peer without counters of its own has those of the tunnel's "other".
        Some(peer) if peer.peer >= TUNNELS => return true,
        None if DIRECTION == TX && config.allowed_complete != 0 => (Reason::NotAllowed, false),
        _ => (Reason::NoPeerAllowed, true),
    };
    note(record, reason, packets);
    is_sent
}

#[inline(always)]
fn has_pod<const DIRECTION: u32>(skb: Skb, frame: &Frame) -> bool {
    if DIRECTION == TX {
        let ifindex = skb.ingress_ifindex();
        if ifindex != 0 && slot(&Key::number(POD_IFINDEX, u64::from(ifindex))).is_some() {
            return true;
        }
    }
    slot(&Key::address(POD_ADDRESS, frame.address().words())).is_some()
}

#[inline(always)]
fn size(record: &mut Record, frame: &Frame, config: &IfaceConfig, copies: u64) {
    let segments = frame.segments();
    let mut oversize = 0;
    if segments.full > config.budget {
        oversize = segments.packets - 1;
    }
    if segments.last > config.budget {
        oversize += 1;
    }
    if oversize != 0 {
        note(record, Reason::OverBudget, oversize * copies);
    }
}

/// The number of the reason why the parser could not read all of the packet; [`Reason::COUNT`] when it could. By helper calls,
/// which take any offset; a function of its own, which the verifier walks once.
#[inline(never)]
fn read_packet(skb: *mut __sk_buff, record: *mut Record, l3: u32) -> u32 {
    // SAFETY: the caller's live record.
    let record = unsafe { &mut *record };
    // SAFETY: the kernel passes a valid context; the verifier checks the accesses.
    let (is_tagged, tag) = unsafe { ((*skb).vlan_present, (*skb).vlan_tci) };
    if is_tagged != 0 {
        record.vlan = tag | HAS_VLAN;
    }
    match read::read(&Skb(skb).whole(), l3 != 0, record) {
        Some(reason) => reason.index(),
        None => Reason::COUNT,
    }
}
