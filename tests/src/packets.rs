//! Valid packets of many kinds, by hand, with what they are known to be.

/// Bytes of an Ethernet header without a tag.
pub const ETHERNET: usize = 14;
/// UDP port of the tunnel that the outer packets are of.
pub const PORT: u16 = 8472;
/// Its VNI.
pub const VNI: u32 = 7;

/// Grows a packet front to back; lengths in its headers are right once it is whole.
#[derive(Clone, Default)]
pub struct Packet(pub Vec<u8>);

impl Packet {
    fn ethernet(ethertype: u16) -> Self {
        Self(vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]).word(ethertype)
    }

    fn word(self, word: u16) -> Self {
        self.bytes(&word.to_be_bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    /// One tag, and the type of what follows it.
    fn tag(self, ethertype: u16) -> Self {
        self.word(7).word(ethertype)
    }

    /// `behind`: bytes after the header.
    fn ipv4(self, protocol: u8, behind: usize, flags: u16, options: usize) -> Self {
        let header = 20 + options;
        self.bytes(&[0x40 | u8::try_from(header / 4).unwrap(), 0])
            .word(u16::try_from(header + behind).unwrap())
            .word(0xabcd)
            .word(flags)
            .bytes(&[64, protocol, 0, 0, 10, 42, 1, 2, 10, 42, 2, 3])
            .zeros(options)
    }

    fn ipv6(self, next: u8, behind: usize) -> Self {
        self.bytes(&[0x60, 0, 0, 0])
            .word(u16::try_from(behind).unwrap())
            .bytes(&[next, 64, 0xfd, 0x42])
            .zeros(13)
            .bytes(&[2, 0xfd, 0x42])
            .zeros(13)
            .bytes(&[3])
    }

    fn udp(self, port: u16, payload: usize) -> Self {
        self.word(40_000).word(port).word(u16::try_from(8 + payload).unwrap()).word(0)
    }

    fn vxlan(self) -> Self {
        self.bytes(&[8, 0, 0, 0]).bytes(&(VNI << 8).to_be_bytes())
    }
}

/// A valid packet, how long its headers are up to the end of IP, and what it counts as.
pub struct Inner {
    /// For messages.
    pub name: &'static str,
    /// All of it.
    pub packet: Packet,
    /// Bytes before the IP header.
    pub link: usize,
    /// Bytes up to the end of the fixed IP header: with fewer it is no IP packet yet.
    pub ip: usize,
    /// Bytes up to the end of the extension headers, where there are any.
    pub chain: usize,
    /// 4 or 6.
    pub version: u8,
    /// tcp, udp, other, of the whole packet.
    pub transport: [u64; 3],
    /// 1 when it is a fragment.
    pub fragments: u64,
}

/// Packets as a tunnel device carries them.
pub fn inner_packets() -> Vec<Inner> {
    let (v4, v6) = (|| Packet::ethernet(0x0800), || Packet::ethernet(0x86dd));
    let packet = |name, packet, link, version, transport, fragments| Inner {
        name,
        packet,
        link,
        ip: link + if version == 4 { 20 } else { 40 },
        chain: link + if version == 4 { 20 } else { 40 },
        version,
        transport,
        fragments,
    };
    let (tcp, udp, other) = ([1, 0, 0], [0, 1, 0], [0, 0, 1]);
    let tcp_header = |packet: Packet| packet.zeros(12).bytes(&[0x50]).zeros(7);
    vec![
        packet("v4 udp", v4().ipv4(17, 40, 0x4000, 0).udp(53, 32).zeros(32), 14, 4, udp, 0),
        packet("v4 tcp", tcp_header(v4().ipv4(6, 30, 0, 0)).zeros(10), 14, 4, tcp, 0),
        packet("v4 icmp", v4().ipv4(1, 8, 0, 0).bytes(&[8, 0]).zeros(6), 14, 4, other, 0),
        packet("v4 with options", v4().ipv4(17, 18, 0, 12).udp(53, 10).zeros(10), 14, 4, udp, 0),
        packet("v4 first fragment", v4().ipv4(17, 24, 0x2000, 0).udp(53, 16).zeros(16), 14, 4, udp, 1),
        packet("v4 later fragment", v4().ipv4(17, 24, 0x2003, 0).zeros(24), 14, 4, other, 1),
        packet("v6 udp", v6().ipv6(17, 40).udp(53, 32).zeros(32), 14, 6, udp, 0),
        Inner {
            chain: 78,
            ..packet(
                "v6 with hop-by-hop and destination options",
                v6().ipv6(0, 38).bytes(&[60, 0]).zeros(6).bytes(&[17, 1]).zeros(14).udp(53, 6).zeros(6),
                14,
                6,
                udp,
                0,
            )
        },
        Inner {
            chain: 62,
            ..packet(
                "v6 first fragment",
                v6().ipv6(44, 24).bytes(&[17, 0, 0, 1, 0, 0, 0, 9]).udp(53, 8).zeros(8),
                14,
                6,
                udp,
                1,
            )
        },
        packet("v6 no next header", v6().ipv6(59, 4).zeros(4), 14, 6, other, 0),
        packet(
            "one tag",
            Packet::ethernet(0x8100).tag(0x0800).ipv4(17, 12, 0, 0).udp(53, 4).zeros(4),
            18,
            4,
            udp,
            0,
        ),
        packet(
            "two tags",
            tcp_header(Packet::ethernet(0x88a8).tag(0x8100).tag(0x86dd).ipv6(6, 20)),
            22,
            6,
            tcp,
            0,
        ),
    ]
}

/// A valid outer packet, from how many bytes on it is known for one of the tunnel, and whether it is a fragment.
pub fn outer_packets() -> Vec<(&'static str, Packet, Option<usize>, u64)> {
    let inside = Packet::ethernet(0x0800).ipv4(17, 20, 0, 0).udp(53, 12).zeros(12);
    let payload = 8 + inside.0.len();
    let datagram = |packet: Packet| packet.udp(PORT, payload).vxlan().bytes(&inside.0);
    let (v4, v6) = (|| Packet::ethernet(0x0800), || Packet::ethernet(0x86dd));
    let udp = 8 + payload;
    let mut unknown = v4().ipv4(17, 40, 0x2001, 0).zeros(40);
    unknown.0[ETHERNET + 4] ^= 0xff;
    let too_big4 = |quoted: Packet| {
        v4().ipv4(1, 8 + quoted.0.len(), 0, 0).bytes(&[3, 4, 0, 0, 0, 0, 5, 0x78]).bytes(&quoted.0)
    };
    vec![
        ("v4", datagram(v4().ipv4(17, udp, 0x4000, 0)), Some(14 + 20 + 16), 0),
        ("v4 with options", datagram(v4().ipv4(17, udp, 0, 8)), Some(14 + 28 + 16), 0),
        ("v4 first fragment", datagram(v4().ipv4(17, udp, 0x2000, 0)), Some(14 + 20 + 16), 1),
        // The one before named the tunnel: addresses and identification are enough for this one.
        ("v4 later fragment", v4().ipv4(17, 40, 0x2001, 0).zeros(40), Some(14 + 20), 1),
        ("v4 of an unknown datagram", unknown, None, 0),
        (
            "another VNI",
            v4().ipv4(17, 24, 0, 0).udp(PORT, 16).bytes(&[8, 0, 0, 0, 0, 0, 99, 0]).zeros(8),
            None,
            0,
        ),
        ("v6", datagram(v6().ipv6(17, udp)), Some(14 + 40 + 16), 0),
        (
            "v6 with hop-by-hop options",
            datagram(v6().ipv6(0, udp + 8).bytes(&[17, 0]).zeros(6)),
            Some(14 + 48 + 16),
            0,
        ),
        ("one tag", datagram(Packet::ethernet(0x8100).tag(0x0800).ipv4(17, udp, 0, 0)), Some(18 + 36), 0),
        ("another port", v4().ipv4(17, 24, 0, 0).udp(53, 16).vxlan().zeros(8), None, 0),
        ("another protocol", datagram(v4().ipv4(6, udp, 0, 0)), None, 0),
        ("no VNI flag", v4().ipv4(17, 24, 0, 0).udp(PORT, 16).zeros(16), None, 0),
        ("fragmentation needed", too_big4(datagram(Packet::default().ipv4(17, udp, 0x4000, 0))), None, 0),
        (
            "packet too big",
            v6().ipv6(58, 8 + 40 + udp)
                .bytes(&[2, 0, 0, 0, 0, 0, 5, 0])
                .bytes(&datagram(Packet::default().ipv6(17, udp)).0),
            None,
            0,
        ),
    ]
}
