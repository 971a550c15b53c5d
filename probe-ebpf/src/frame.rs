//! The parsing of a packet on a tunnel device, apart from the counting.
//!
//! A function of its own that passes its result through a map value. The verifier follows every known value through
//! every branch that it decides; it knows nothing of what comes out of a map. So it looks at the counting once, and not
//! once for each kind of packet: that is a tenth of the work.

use core::hint::cold_path;

use aya_ebpf::bindings::__sk_buff;
use probe_common::keys::{Address, TX};
use probe_ebpf::{
    inner::{self, End, Headers, Inner, Meta},
    ip,
    packet::{Packet, Short},
    segments::Segments,
    tcp, wireguard,
};

use crate::{maps::FRAME, recent::Recent, skb::Skb};

/// An inner packet with the remote end's link-layer address. Integers only, no padding: it lives in a map.
#[repr(C)]
pub(crate) struct Frame {
    /// Whose the last packet was.
    pub(crate) recent: Recent<5>,
    headers: Headers,
    packets: u64,
    bytes: u64,
    /// The remote end's MAC address, the first byte in the highest bits of 48.
    pub(crate) mac: u64,
    full: u32,
    last: u32,
    link: u32,
    trailer: u32,
}

/// Reads the packet into [`FRAME`]. None when that is not possible, which does not happen.
#[inline(always)]
pub(crate) fn parse(skb: Skb, direction: u32, end: End, l3: u32) -> Option<&'static mut Frame> {
    let frame = FRAME.get_ptr_mut(direction)?;
    // SAFETY: a live per-CPU map value, only this CPU uses it, and only until the program ends.
    let frame = unsafe { &mut *frame };
    let meta = meta(skb, l3);
    if read(&skb.linear(), &meta, end, direction, frame).is_err() {
        cold_path();
        if read_whole(skb.0, frame, direction, u32::from(matches!(end, End::Source)), l3) == 0 {
            return None;
        }
    }
    // SAFETY: a live reference; volatile, so that it is really read back: what follows looks the same for every packet.
    let lengths = unsafe { (&raw const frame.headers.lengths).read_volatile() };
    frame.set(&lengths.inner(&meta));
    Some(frame)
}

#[inline(always)]
fn meta(skb: Skb, l3: u32) -> Meta {
    Meta {
        len: skb.len(),
        vlan: skb.vlan_present() != 0,
        gso_size: skb.gso_size(),
        gso_segs: skb.gso_segs(),
        l3: l3 != 0,
    }
}

/// Reads what is not as nearly all packets are. A function of its own, which those do not pay for.
#[inline(never)]
fn read_whole(skb: *mut __sk_buff, frame: *mut Frame, direction: u32, is_source: u32, l3: u32) -> u32 {
    // SAFETY: see the caller.
    let frame = unsafe { &mut *frame };
    let skb = Skb(skb);
    let end = if is_source == 0 { End::Destination } else { End::Source };
    u32::from(read(&skb.whole(), &meta(skb, l3), end, direction, frame).is_ok())
}

#[inline(always)]
fn read<P: Packet>(
    packet: &P,
    meta: &Meta,
    end: End,
    direction: u32,
    frame: &mut Frame,
) -> Result<(), Short> {
    inner::read(packet, meta, end, &mut frame.headers)?;
    frame.mac = 0;
    if !meta.l3 && meta.len >= 14 {
        let at = if direction == TX { 0 } else { 6 };
        let high = u32::from_be(packet.u32_raw(at)?);
        frame.mac = (u64::from(high) << 16) | u64::from(packet.u16(at + 4)?);
    }
    Ok(())
}

impl Frame {
    #[inline(always)]
    fn set(&mut self, inner: &Inner) {
        self.packets = inner.segments.packets;
        self.bytes = inner.segments.bytes;
        self.full = inner.segments.full;
        self.last = inner.segments.last;
        self.link = inner.link;
        self.trailer = inner.trailer;
    }

    /// The inner packets.
    #[inline(always)]
    pub(crate) fn segments(&self) -> Segments {
        Segments { packets: self.packets, bytes: self.bytes, full: self.full, last: self.last }
    }

    /// IP version, 0 for none.
    #[inline(always)]
    pub(crate) fn version(&self) -> u32 {
        self.headers.version
    }

    /// IP protocol number of TCP or UDP, else 0.
    #[inline(always)]
    pub(crate) fn transport(&self) -> u32 {
        self.headers.transport
    }

    /// The segment is as small as a SYN without data. Most others are told from one by their size alone.
    #[inline(always)]
    pub(crate) fn may_be_syn(&self) -> bool {
        self.headers.transport == u32::from(ip::TCP)
            && self.packets == 1
            && self.last.wrapping_sub(self.headers.lengths.ip) <= tcp::LONGEST_HEADER
    }

    /// Where the header behind those of IP begins.
    #[inline(always)]
    pub(crate) fn transport_at(&self) -> u32 {
        self.headers.lengths.link + self.headers.lengths.ip
    }

    /// It is a fragment.
    #[inline(always)]
    pub(crate) fn is_fragment(&self) -> bool {
        self.headers.fragment != 0
    }

    /// The destination is a group address: multicast or broadcast.
    #[inline(always)]
    pub(crate) fn to_group(&self) -> bool {
        self.mac >> 40 & 1 != 0
    }

    /// The pod's address.
    #[inline(always)]
    pub(crate) fn address(&self) -> &Address {
        &self.headers.address
    }

    /// The remote end's address, on a device of bare IP packets.
    #[inline(always)]
    pub(crate) fn remote(&self) -> &Address {
        &self.headers.remote
    }

    /// Bytes of the outer IP packets of WireGuard, see [`wireguard::outer_bytes`].
    #[inline(always)]
    pub(crate) fn wireguard_bytes(&self, overhead: u32, mtu: u32) -> u64 {
        wireguard::outer_bytes(&self.segments(), self.trailer, overhead, mtu)
    }

    /// Bytes of the outer IP packets, see [`Inner::outer_bytes`].
    #[inline(always)]
    pub(crate) fn outer_bytes(&self, overhead: u32, l3: bool) -> u64 {
        inner::outer_bytes(&self.segments(), self.link, self.trailer, overhead, l3)
    }
}
