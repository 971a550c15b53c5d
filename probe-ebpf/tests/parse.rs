//! Packets by hand against the parsers: what an outside reader of the RFCs would count.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use probe_common::keys::Address;
use probe_ebpf::{
    icmp,
    inner::{self, End, Headers, Inner, Meta},
    ip::{self, Fragment},
    link, outer,
    packet::Short,
    tcp,
};
use proptest::prelude::*;

/// Grows a packet front to back.
#[derive(Clone, Default)]
struct Builder(Vec<u8>);

impl Builder {
    fn ethernet(ethertype: u16) -> Self {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        bytes.extend(ethertype.to_be_bytes());
        Self(bytes)
    }

    fn vlan(mut self, ethertype: u16) -> Self {
        self.0.extend([0, 7]);
        self.0.extend(ethertype.to_be_bytes());
        self
    }

    /// `total` is what the header says; options are zero bytes.
    fn ipv4(mut self, protocol: u8, total: u16, flags: u16, option_words: u8) -> Self {
        let mut header = vec![0x45 + option_words, 0];
        header.extend(total.to_be_bytes());
        header.extend([0xab, 0xcd]);
        header.extend(flags.to_be_bytes());
        header.extend([64, protocol, 0, 0, 10, 42, 1, 2, 10, 42, 2, 3]);
        header.resize(20 + usize::from(option_words) * 4, 0);
        self.0.extend(header);
        self
    }

    fn ipv6(mut self, next: u8, payload: u16) -> Self {
        self.0.extend([0x60, 0, 0, 0]);
        self.0.extend(payload.to_be_bytes());
        self.0.extend([next, 64]);
        self.0.extend([0xfd, 0, 0, 0x42, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        self.0.extend([0xfd, 0, 0, 0x42, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn tcp(self, header_words: u8) -> Self {
        let mut header = vec![0; usize::from(header_words) * 4];
        header[12] = header_words << 4;
        self.bytes(&header)
    }

    fn udp(self, port: u16) -> Self {
        let [a, b] = port.to_be_bytes();
        self.bytes(&[0x80, 0, a, b, 0, 0, 0, 0])
    }

    fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    fn read(&self, gso_size: u32, end: End) -> (Headers, Inner) {
        let meta = Meta { len: u32::try_from(self.0.len()).unwrap(), gso_size, ..Meta::default() };
        read(&self.0, &meta, end)
    }
}

fn read(bytes: &[u8], meta: &Meta, end: End) -> (Headers, Inner) {
    let mut headers = Headers::NONE;
    inner::read(bytes, meta, end, &mut headers).unwrap();
    (headers, headers.lengths.inner(meta))
}

fn v4(a: u8, b: u8, c: u8, d: u8) -> Address {
    Address { octets: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] }
}

/// One line of the table: version, transport, fragment, packets, inner bytes, link bytes, trailer.
type Line = (u32, u32, u32, u64, u64, u32, u32);

fn line((headers, inner): &(Headers, Inner)) -> Line {
    (
        headers.version,
        headers.transport,
        headers.fragment,
        inner.segments.packets,
        inner.segments.bytes,
        inner.link,
        inner.trailer,
    )
}

#[test]
fn inner_packets_are_read_as_the_wire_has_them() {
    const TCP: u32 = 6;
    const UDP: u32 = 17;
    let eth4 = || Builder::ethernet(0x0800);
    let eth6 = || Builder::ethernet(0x86dd);
    let cases: Vec<(&str, Builder, u32, Line)> = vec![
        ("udp", eth4().ipv4(17, 92, 0x4000, 0).udp(53).zeros(64), 0, (4, UDP, 0, 1, 92, 14, 0)),
        ("tcp", eth4().ipv4(6, 40, 0, 0).tcp(5), 0, (4, TCP, 0, 1, 40, 14, 0)),
        ("padded to 60", eth4().ipv4(6, 40, 0, 0).tcp(5).zeros(6), 0, (4, TCP, 0, 1, 40, 14, 6)),
        ("options", eth4().ipv4(17, 36, 0, 2).udp(1).zeros(0), 0, (4, UDP, 0, 1, 36, 14, 0)),
        ("first fragment", eth4().ipv4(17, 60, 0x2000, 0).udp(1).zeros(32), 0, (4, UDP, 1, 1, 60, 14, 0)),
        ("later fragment", eth4().ipv4(17, 60, 0x2005, 0).zeros(40), 0, (4, 0, 1, 1, 60, 14, 0)),
        ("icmp", eth4().ipv4(1, 28, 0, 0).zeros(8), 0, (4, 0, 0, 1, 28, 14, 0)),
        ("total too small", eth4().ipv4(17, 10, 0, 0).zeros(8), 0, (4, UDP, 0, 1, 28, 14, 0)),
        ("total too large", eth4().ipv4(17, 999, 0, 0).zeros(8), 0, (4, UDP, 0, 1, 28, 14, 0)),
        ("header too short", eth4().bytes(&[0x44; 40]), 0, (0, 0, 0, 1, 40, 14, 0)),
        (
            "one tag",
            Builder::ethernet(0x8100).vlan(0x0800).ipv4(6, 40, 0, 0).tcp(5),
            0,
            (4, TCP, 0, 1, 40, 18, 0),
        ),
        (
            "two tags",
            Builder::ethernet(0x88a8).vlan(0x8100).vlan(0x86dd).ipv6(17, 8).udp(1),
            0,
            (6, UDP, 0, 1, 48, 22, 0),
        ),
        ("arp", Builder::ethernet(0x0806).zeros(28), 0, (0, 0, 0, 1, 28, 14, 0)),
        ("v6 tcp", eth6().ipv6(6, 20).tcp(5), 0, (6, TCP, 0, 1, 60, 14, 0)),
        (
            "v6 hop-by-hop and destination options",
            eth6().ipv6(0, 32).bytes(&[60, 0, 0, 0, 0, 0, 0, 0]).bytes(&[17, 1]).zeros(14).udp(1),
            0,
            (6, UDP, 0, 1, 72, 14, 0),
        ),
        (
            "v6 first fragment",
            eth6().ipv6(44, 16).bytes(&[17, 0, 0, 1, 0, 0, 0, 9]).udp(1),
            0,
            (6, UDP, 1, 1, 56, 14, 0),
        ),
        (
            "v6 later fragment",
            eth6().ipv6(44, 16).bytes(&[17, 0, 0, 9, 0, 0, 0, 9]).zeros(8),
            0,
            (6, 0, 1, 1, 56, 14, 0),
        ),
        (
            "v6 atomic fragment",
            eth6().ipv6(44, 16).bytes(&[17, 0, 0, 0, 0, 0, 0, 9]).udp(1),
            0,
            (6, UDP, 0, 1, 56, 14, 0),
        ),
        (
            "v6 authentication header",
            eth6().ipv6(51, 44).bytes(&[6, 4]).zeros(22).tcp(5),
            0,
            (6, TCP, 0, 1, 84, 14, 0),
        ),
        ("v6 headers without end", eth6().ipv6(0, 80).bytes(&[0; 80]), 0, (6, 0, 0, 1, 120, 14, 0)),
        // 3 segments: 1398 + 1398 + 4, each with 20 + 32 bytes of headers.
        ("tcp gso", eth4().ipv4(6, 0, 0, 0).tcp(8).zeros(2800), 1398, (4, TCP, 0, 3, 2800 + 3 * 52, 14, 0)),
        ("udp gso v6", eth6().ipv6(17, 0).udp(1).zeros(3000), 1000, (6, UDP, 0, 3, 3000 + 3 * 48, 14, 0)),
    ];
    for (name, packet, gso_size, expected) in cases {
        assert_eq!(line(&packet.read(gso_size, End::Neither)), expected, "{name}");
    }
}

#[test]
fn addresses_are_those_of_the_asked_end() {
    let packet = Builder::ethernet(0x0800).ipv4(17, 28, 0, 0).udp(1);
    assert_eq!(packet.read(0, End::Source).0.address, v4(10, 42, 1, 2));
    assert_eq!(packet.read(0, End::Destination).0.address, v4(10, 42, 2, 3));
    assert_eq!(packet.read(0, End::Neither).0.address, Address::default());
    let packet = Builder::ethernet(0x86dd).ipv6(17, 8).udp(1);
    assert_eq!(packet.read(0, End::Source).0.address.octets[7], 1);
    assert_eq!(packet.read(0, End::Destination).0.address.octets[7], 2);
}

#[test]
fn the_outer_packet_adds_what_its_family_costs() {
    let packet = Builder::ethernet(0x0800).ipv4(6, 0, 0, 0).tcp(8).zeros(2800).read(1398, End::Neither).1;
    assert_eq!(packet.outer_bytes(50, false), packet.segments.bytes + 3 * 50);
    assert_eq!(packet.outer_bytes(70, false), packet.segments.bytes + 3 * 70);
    let tagged = Builder::ethernet(0x8100).vlan(0x0800).ipv4(6, 40, 0, 0).tcp(5).read(0, End::Neither).1;
    assert_eq!(tagged.outer_bytes(50, false), 40 + 54, "the tag travels inside the tunnel");
    let padded = Builder::ethernet(0x0800).ipv4(6, 40, 0, 0).tcp(5).zeros(6).read(0, End::Neither).1;
    assert_eq!(padded.outer_bytes(50, false), 40 + 6 + 50, "so does padding");
}

#[test]
fn a_vxlan_datagram_names_its_tunnel_and_what_its_segments_repeat() {
    let packet = Builder::ethernet(0x0800)
        .ipv4(17, 0, 0, 0)
        .udp(8472)
        .bytes(&[8, 0, 0, 0, 0, 0, 42, 0])
        .bytes(&Builder::ethernet(0x86dd).ipv6(6, 0).tcp(8).0);
    let bytes = packet.0.as_slice();
    let header = ip::parse(bytes, 14, 4).unwrap();
    assert_eq!(outer::destination_port(bytes, &header), Ok(8472));
    assert_eq!(outer::vni(bytes, &header), Ok(Some(42)));
    assert_eq!(outer::frame_header_bytes(bytes, header.start + header.header + 16), Ok(14 + 40 + 32));
}

#[test]
fn a_vni_without_its_flag_is_none() {
    let packet = Builder::ethernet(0x0800).ipv4(17, 36, 0, 0).udp(8472).bytes(&[0, 0, 0, 0, 0, 0, 42, 0]);
    let header = ip::parse(packet.0.as_slice(), 14, 4).unwrap();
    assert_eq!(outer::vni(packet.0.as_slice(), &header), Ok(None));
}

#[test]
fn icmp_that_complains_about_size_is_told_from_other_icmp() {
    let quoted = Builder::default().ipv4(17, 1500, 0x4000, 0).udp(8472);
    let message = |kind: u8, code: u8| {
        let head = Builder::ethernet(0x0800).ipv4(1, 56, 0, 0);
        head.bytes(&[kind, code, 0, 0, 0, 0, 0x05, 0x78]).bytes(&quoted.0)
    };
    let read = |packet: &Builder| {
        let bytes = packet.0.as_slice();
        icmp::too_big(bytes, &ip::parse(bytes, 14, 4).unwrap()).unwrap()
    };
    let found = read(&message(3, 4)).unwrap();
    assert_eq!((found.mtu, found.quoted.total, found.quoted.protocol), (1400, 1500, ip::UDP));
    assert_eq!(read(&message(3, 3)), None, "port unreachable");
    assert_eq!(read(&message(8, 0)), None, "echo");

    let quoted = Builder::default().ipv6(17, 1460).udp(8472);
    let packet =
        Builder::ethernet(0x86dd).ipv6(58, 56).bytes(&[2, 0, 0, 0, 0, 0, 0x05, 0x00]).bytes(&quoted.0);
    let bytes = packet.0.as_slice();
    let found = icmp::too_big(bytes, &ip::parse(bytes, 14, 6).unwrap()).unwrap().unwrap();
    assert_eq!((found.mtu, found.quoted.total), (1280, 1500));
}

#[test]
fn a_syn_announces_the_segments_that_may_come_back() {
    const SYN: u8 = 2;
    const ACK: u8 = 16;
    let segment = |flags: u8, options: &[u8]| {
        let mut bytes = vec![0; 20];
        bytes[12] = u8::try_from(5 + options.len() / 4).unwrap() << 4;
        bytes[13] = flags;
        bytes.extend(options);
        bytes
    };
    // As Linux sends it: MSS, SACK permitted, timestamps, no operation, window scale.
    let linux = [2, 4, 5, 130, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
    let cases: [(u8, &[u8], _); 10] = [
        (SYN, &linux, Ok(Some(1410))),
        (SYN | ACK, &linux, Ok(Some(1410))),
        (ACK, &linux, Ok(None)),
        (SYN, &[], Ok(Some(0))),
        // Behind others.
        (SYN, &[1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 5, 180], Ok(Some(1460))),
        // Behind the end of the options, and where no further option is looked at.
        (SYN, &[0, 0, 0, 0, 2, 4, 5, 180], Ok(Some(0))),
        (SYN, &[1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 5, 180], Ok(Some(0))),
        // An option that says of itself that it has no bytes.
        (SYN, &[8, 0, 0, 0], Ok(Some(0))),
        // One that says that it is longer than the header.
        (SYN, &[8, 40, 0, 0], Ok(Some(0))),
        (SYN, &[1, 1, 1, 2], Err(Short)),
    ];
    for (flags, options, expected) in cases {
        assert_eq!(tcp::announced_mss(segment(flags, options).as_slice(), 0), expected, "{options:?}");
    }
    assert_eq!(tcp::announced_mss(&segment(SYN, &linux)[..13], 0), Err(Short));
}

#[test]
fn what_each_segment_repeats_without_a_tunnel() {
    let tcp = Builder::ethernet(0x0800).ipv4(6, 1500, 0, 0).tcp(8).0;
    let udp = Builder::ethernet(0x86dd).ipv6(17, 1200).bytes(&[0; 8]).0;
    let icmp = Builder::ethernet(0x0800).ipv4(1, 84, 0, 0).bytes(&[8, 0, 0, 0]).0;
    let bytes = |packet: &[u8], version| outer::plain_header_bytes(packet, 14, version);
    assert_eq!([bytes(&tcp, 4), bytes(&udp, 6)], [Ok(20 + 32), Ok(40 + 8)]);
    assert_eq!(bytes(&icmp, 4), Err(ip::NotIp::Broken));
}

proptest! {
    /// Whatever the bytes: no panic, no more packets than one without GSO, and never more inner bytes than there are.
    #[test]
    fn any_bytes_are_counted_once(bytes in prop::collection::vec(any::<u8>(), 0..200), l3: bool) {
        let len = u32::try_from(bytes.len()).unwrap();
        let meta = Meta { len, l3, ..Meta::default() };
        let (_, inner) = read(&bytes, &meta, End::Source);
        prop_assert_eq!(inner.segments.packets, 1);
        prop_assert!(inner.segments.bytes + u64::from(inner.link) + u64::from(inner.trailer) == u64::from(len));
    }

    /// Segments of any GSO size: each but the last is full, and the payload is all there.
    #[test]
    fn gso_payload_is_conserved(payload in 1_u16..60_000, gso in 1_u32..9000, words in 5_u8..16) {
        let header = 20 + u32::from(words) * 4;
        let packet = Builder::ethernet(0x0800).ipv4(6, 0, 0, 0).tcp(words).zeros(usize::from(payload));
        let segments = packet.read(gso, End::Neither).1.segments;
        let headers = segments.packets * u64::from(header);
        prop_assert_eq!(segments.bytes - headers, u64::from(payload));
        let rebuilt = (segments.packets - 1) * u64::from(segments.full) + u64::from(segments.last);
        prop_assert_eq!(rebuilt, segments.bytes);
        prop_assert!(segments.full - header <= gso || segments.packets == 1);
    }

    /// A truncated packet says less, never something else: the same version and transport, or none.
    #[test]
    fn truncation_never_changes_the_story(cut in 0_usize..86) {
        let packet = Builder::ethernet(0x86dd).ipv6(44, 16).bytes(&[6, 0, 0, 1, 0, 0, 0, 9]).tcp(6);
        let cut = &packet.0[..cut.min(packet.0.len())];
        let meta = Meta { len: u32::try_from(cut.len()).unwrap(), ..Meta::default() };
        let (headers, _) = read(cut, &meta, End::Destination);
        prop_assert!(matches!(headers.version, 6 | 0));
        prop_assert!(matches!(headers.transport, 6 | 0));
    }

    #[test]
    fn parsers_survive_anything(bytes in prop::collection::vec(any::<u8>(), 0..160), start in 0_u32..40) {
        let packet = bytes.as_slice();
        let _ = link::ethernet(packet, start);
        let _ = tcp::announced_mss(packet, start);
        for version in [0, 4, 6] {
            if let Ok(header) = ip::parse(packet, start, version) {
                prop_assert!(header.header >= 20);
                prop_assert!(header.fragment == Fragment::None || header.version != 0);
                let _ = outer::destination_port(packet, &header);
                let _ = outer::vni(packet, &header);
                let _ = outer::frame_header_bytes(packet, header.start + header.header + 16);
                let _ = icmp::too_big(packet, &header);
            }
        }
    }
}
