//! The programs on an underlay device. What they look up, and when, is as in `probe-ebpf/src/underlay.rs`.

use aya_ebpf::{macros::classifier, programs::TcContext};
use probe_common::{
    keys::{Address, FragmentKey, FragmentOwner, RX, TX, VNI_ANY},
    limits::TUNNELS,
    table::{Key, PEER_OUTER, TUNNEL_LISTEN},
};
use probe_explain::{
    Reason, Record,
    record::{NO_TUNNEL, UNDERLAY},
};

use crate::{
    NEXT,
    datagram::{self, Datagram},
    maps::{FRAGMENTS, UNDER_IFACES, iface, pod_network, slot},
    send::{begin, note, send, tracks_fragments},
    skb::Skb,
};

/// After encapsulation and fragmentation.
#[classifier]
pub(crate) fn ovp_why_und_tx(ctx: TcContext) -> i32 {
    explain::<TX>(Skb(ctx.skb.skb));
    NEXT
}

/// Before reassembly and decapsulation.
#[classifier]
pub(crate) fn ovp_why_und_rx(ctx: TcContext) -> i32 {
    explain::<RX>(Skb(ctx.skb.skb));
    NEXT
}

#[inline(always)]
fn explain<const DIRECTION: u32>(skb: Skb) -> Option<()> {
    let config = iface(&UNDER_IFACES, skb.ifindex())?;
    let datagram = datagram::parse(skb, DIRECTION, config)?;
    let record = begin(skb, UNDERLAY, DIRECTION)?;
    record.tunnel = NO_TUNNEL;
    let (address, port) = remote::<DIRECTION>(datagram);
    match datagram.what {
        datagram::VXLAN => match vxlan(datagram) {
            None => note(record, Reason::NoTunnel, datagram.packets),
            Some(tunnel) => {
                record.tunnel = tunnel;
                let peer = slot(&Key::address(PEER_OUTER | tunnel, address.words()));
                of_tunnel(record, datagram, tunnel, peer, Reason::NoPeerAddress);
            }
        },
        datagram::WIREGUARD => {
            let own = if DIRECTION == TX { datagram.source_port } else { datagram.destination_port };
            let tunnel = slot(&Key::number(TUNNEL_LISTEN, u64::from(own))).filter(|&slot| slot < TUNNELS)?;
            record.tunnel = tunnel;
            if datagram.kind().is_none() {
                note(record, Reason::NotWireguard, datagram.packets);
            } else {
                let peer = slot(&Key::endpoint(tunnel, address.words(), port as u16));
                of_tunnel(record, datagram, tunnel, peer, Reason::NoPeerEndpoint);
            }
        }
        datagram::LATER_FRAGMENT => {
            // SAFETY: only whether there is one is asked; entries are inserted whole.
            let is_known = unsafe { FRAGMENTS.get(&fragment_key(datagram)) }.is_some();
            // One of a pod in no tunnel is counted as that.
            if !is_known && tracks_fragments() && pod_network(address).is_none() {
                note(record, Reason::LaterFragment, datagram.packets);
            }
        }
        _ => return None,
    }
    if record.reasons != 0 {
        describe(record, datagram);
    }
    send(record);
    Some(())
}

/// A packet of a tunnel: the peer may be "other", and later fragments are looked for.
#[inline(always)]
fn of_tunnel(record: &mut Record, datagram: &Datagram, tunnel: u32, peer: Option<u32>, missing: Reason) {
    if datagram.is_first_fragment != 0 {
        let owner = FragmentOwner { tunnel, peer: peer.unwrap_or(tunnel) };
        // A full table evicts the oldest datagram, there as in the counting programs.
        let _ = FRAGMENTS.insert(&fragment_key(datagram), &owner, 0);
    }
    if peer.is_none() {
        note(record, missing, datagram.packets);
    }
}

/// Address and port of the other end.
#[inline(always)]
fn remote<const DIRECTION: u32>(datagram: &Datagram) -> (&Address, u32) {
    if DIRECTION == TX {
        (&datagram.destination, datagram.destination_port)
    } else {
        (&datagram.source, datagram.source_port)
    }
}

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
fn fragment_key(datagram: &Datagram) -> FragmentKey {
    FragmentKey { source: datagram.source, destination: datagram.destination, id: datagram.id, reserved: 0 }
}

#[inline(always)]
fn describe(record: &mut Record, datagram: &Datagram) {
    record.packets = datagram.packets;
    // Never 0: there is a buffer.
    record.bytes = if datagram.packets != 0 { (datagram.packet_bytes / datagram.packets) as u32 } else { 0 };
    record.source = datagram.source;
    record.destination = datagram.destination;
    record.version = datagram.version;
    record.protocol = probe_ebpf::ip::UDP.into();
    // The map value that it is read into keeps what an earlier packet had.
    if datagram.what != datagram::LATER_FRAGMENT {
        record.source_port = datagram.source_port;
        record.destination_port = datagram.destination_port;
    }
    if datagram.what == datagram::VXLAN {
        record.vni = datagram.vni;
    }
    if datagram.what == datagram::WIREGUARD {
        record.message = datagram.message;
    }
}
