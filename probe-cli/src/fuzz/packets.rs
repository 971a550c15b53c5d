//! Packets: the parsers of the kernel side on the host. The fast view of a packet and the whole one say the same, bytes are counted
//! once, and a packet that is cut says less and never something else.

use probe_ebpf::{
    icmp,
    inner::{self, End, Headers, Meta},
    ip::{self, Fragment},
    link, outer,
    packet::{Packet, Short},
    tcp, wireguard,
};

/// The first bytes of an input are what the kernel says of the buffer; then comes the packet.
const META: usize = 8;
/// The bytes that an outer packet has beside the inner one: none but Ethernet (VFs), IPIP, VXLAN and WireGuard by either family.
const OVERHEADS: [u32; 6] = [14, 20, 50, 60, 70, 80];

/// Any packet in any buffer.
pub(super) fn any(bytes: &[u8]) {
    let Some((said, packet)) = bytes.split_first_chunk::<META>() else { return };
    let &[flags, gso_low, gso_high, gso_segs, more_low, more_high, cut, choice] = said;
    let meta = Meta {
        len: length(packet) + u32::from(u16::from_le_bytes([more_low, more_high])),
        vlan: flags & 2 != 0,
        gso_size: u32::from(u16::from_le_bytes([gso_low, gso_high])),
        gso_segs: u32::from(gso_segs),
        l3: flags & 1 != 0,
    };
    let end = [End::Source, End::Destination, End::Neither][usize::from(flags >> 2) % 3];
    tunnel(packet, &meta, end, choice);
    let cut = packet.get(..usize::from(cut)).unwrap_or(packet);
    cut_says_less(packet, cut, &meta, end);
    underlay(packet, if meta.l3 { link::bare(packet, 0) } else { link::ethernet(packet, 0) });
    // As it is quoted somewhere in another one.
    underlay(
        packet,
        Ok(link::Link { bytes: u32::from(choice) % 64, version: if choice < 128 { 4 } else { 6 } }),
    );
}

fn length(packet: &[u8]) -> u32 {
    u32::try_from(packet.len()).unwrap_or(u32::MAX)
}

/// A packet on a tunnel device, whose inner packets are counted.
fn tunnel(packet: &[u8], meta: &Meta, end: End, choice: u8) {
    let Some(headers) = read(packet, meta, end) else { return };
    let mut fast = Headers::NONE;
    if inner::read(&Plain(packet), meta, end, &mut fast) == Ok(()) {
        assert_eq!(fast.lengths, headers.lengths, "the fast view has other lengths");
        assert_eq!(
            (fast.version, fast.transport, fast.fragment),
            (headers.version, headers.transport, headers.fragment),
            "the fast view has another packet"
        );
        assert_eq!(
            (fast.address, fast.remote),
            (headers.address, headers.remote),
            "the fast view, other ends"
        );
    }
    let found = headers.lengths.inner(meta);
    let segments = found.segments;
    assert!(segments.packets >= 1, "a buffer without a packet");
    let payload = u64::from(meta.len - headers.lengths.link);
    let repeated = (segments.packets - 1) * u64::from(headers.lengths.repeated);
    assert_eq!(segments.bytes - repeated + u64::from(found.trailer), payload, "bytes are not counted once");
    if meta.gso_size == 0 {
        assert_eq!(segments.packets, 1, "many packets without segmentation");
    } else if meta.gso_size < 0xffff {
        let rebuilt = (segments.packets - 1) * u64::from(segments.full) + u64::from(segments.last);
        assert_eq!(rebuilt, segments.bytes, "segments are not the whole");
    }
    let overhead = OVERHEADS[usize::from(choice) % OVERHEADS.len()];
    let outer = found.outer_bytes(overhead, meta.l3);
    assert!(
        outer >= segments.bytes + u64::from(found.trailer),
        "an outer packet is smaller than the inner one"
    );
    for mtu in [0, 1280, u32::from(choice) * 8] {
        let padded = wireguard::outer_bytes(&segments, found.trailer, overhead, mtu);
        assert!(padded >= segments.bytes + u64::from(found.trailer), "padding takes bytes away");
    }
}

/// What the whole view reads; it reads any packet.
fn read(packet: &[u8], meta: &Meta, end: End) -> Option<Headers> {
    let mut headers = Headers::NONE;
    let result = inner::read(packet, meta, end, &mut headers);
    assert_eq!(result, Ok(()), "a packet that is not read");
    result.is_ok().then_some(headers)
}

fn cut_says_less(packet: &[u8], cut: &[u8], meta: &Meta, end: End) {
    let (Some(whole), Some(part)) = (read(packet, meta, end), read(cut, meta, end)) else { return };
    assert!(part.version == 0 || part.version == whole.version, "a cut packet has another version");
    assert!(part.transport == 0 || part.transport == whole.transport, "a cut packet has another transport");
    assert!(part.fragment == 0 || part.fragment == whole.fragment, "a cut packet is a fragment");
    let is_whole = part.version != 0 && part.version == whole.version;
    assert!(!is_whole || part.address == whole.address, "a cut packet has another address");
}

/// A packet on the device below: ports, VNI, kinds of messages, complaints about its size.
fn underlay(packet: &[u8], link: Result<link::Link, Short>) {
    let Ok(link) = link else { return };
    let fast = ip::parse(&Plain(packet), link.bytes, link.version);
    let Ok(ip) = ip::parse(packet, link.bytes, link.version) else {
        assert!(fast.is_err(), "the fast view reads what is none");
        return;
    };
    assert!(fast.is_err() || fast == Ok(ip), "the fast view has another header");
    // With extension headers as long as they say, which may be longer than the packet: then nothing is read behind them.
    assert!(ip.header >= 20, "a header that is none");
    assert!(ip.id == 0 || ip.fragment != Fragment::None, "an identification of a whole packet");
    let _ = (ip.source(packet), ip.destination(packet));
    let _ = (outer::source_port(packet, &ip), outer::destination_port(packet, &ip));
    if let Ok(Some(vni)) = outer::vni(packet, &ip) {
        assert!(vni < 1 << 24, "a VNI of more than 24 bits");
    }
    let frame = ip.start + ip.header + outer::UDP_BYTES + outer::VXLAN_BYTES;
    if let Ok(bytes) = outer::frame_header_bytes(packet, frame) {
        assert!(bytes > link::ETHERNET_BYTES, "headers without those of the inner packet");
    }
    if let Ok((message, bytes)) = wireguard::message(packet, &ip) {
        let kind = wireguard::kind(message, bytes);
        assert!(kind.is_none() || (1..=4).contains(&message), "a message of no kind");
    }
    let _ = tcp::announced_mss(packet, ip.start + ip.header);
    if let Ok(Some(found)) = icmp::too_big(packet, &ip) {
        assert_eq!(found.quoted.version, ip.version, "a quote of the other family");
    }
}

/// The view that the programs try first, of plain headers only.
struct Plain<'a>(&'a [u8]);

impl Packet for Plain<'_> {
    const COMPLETE: bool = false;

    fn u8(&self, offset: u32) -> Result<u8, Short> {
        self.0.u8(offset)
    }

    fn u16(&self, offset: u32) -> Result<u16, Short> {
        self.0.u16(offset)
    }

    fn u32_raw(&self, offset: u32) -> Result<u32, Short> {
        self.0.u32_raw(offset)
    }
}
