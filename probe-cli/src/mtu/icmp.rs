//! Echo requests and what comes back about them, as bytes. What comes is hostile: it is one of ours only if it has what only
//! ours have.

use std::net::{IpAddr, Ipv4Addr};

use super::{prober::Input, search::Quoted, segment};

pub(super) const IPV4_HEADER: usize = 20;
pub(super) const IPV6_HEADER: usize = 40;
const ICMP_HEADER: usize = 8;
const UDP_HEADER: usize = 8;
/// Protocol numbers.
const ICMP: u8 = 1;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// Types of ICMP (RFC 792) and ICMPv6 (RFC 4443).
pub(super) const ECHO_REPLY: u8 = 0;
pub(super) const UNREACHABLE: u8 = 3;
const ECHO_REQUEST: u8 = 8;
pub(super) const UNREACHABLE_V6: u8 = 1;
pub(super) const TOO_BIG_V6: u8 = 2;
const ECHO_REQUEST_V6: u8 = 128;
pub(super) const ECHO_REPLY_V6: u8 = 129;
/// Codes of "destination unreachable": nobody listens on the port (of ICMP and ICMPv6), and "fragmentation needed and DF set".
const NO_PORT: u8 = 3;
const NO_PORT_V6: u8 = 4;
const FRAGMENTATION_NEEDED: u8 = 4;
/// "Don't fragment", in the flags of the IPv4 header.
const DONT_FRAGMENT: u16 = 0x4000;
const TIME_TO_LIVE: u8 = 64;
/// For whoever finds such a packet on the wire.
pub(super) const SIGNATURE: &[u8] = b"overlay-probe mtu";

/// What the probes of one run have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The identifier of its echo requests.
    pub(super) identifier: u16,
    /// Flows to one address.
    pub(super) flows: u16,
    /// The first bytes of what is sent, and so of what is answered.
    pub(super) token: u64,
}

/// The echo request of a probe, of so many bytes as an IP packet: with its header for IPv4, which says that it may not be cut,
/// and without for IPv6, where the kernel makes it.
pub(super) fn request(to: IpAddr, key: Key, probe: u16, size: u32) -> Vec<u8> {
    let size = usize::try_from(size).unwrap_or(usize::from(u16::MAX)).min(usize::from(u16::MAX));
    let (header, kind) = match to {
        IpAddr::V4(_) => (IPV4_HEADER, ECHO_REQUEST),
        IpAddr::V6(_) => (IPV6_HEADER, ECHO_REQUEST_V6),
    };
    let mut message = vec![kind, 0, 0, 0];
    message.extend(key.identifier.to_be_bytes());
    message.extend(probe.to_be_bytes());
    message.extend(key.token.to_be_bytes());
    message.extend(SIGNATURE);
    message.resize(size.saturating_sub(header).max(ICMP_HEADER), 0);
    let IpAddr::V4(to) = to else { return message };
    let sum = checksum(&message).to_be_bytes();
    message.splice(2..4, sum);
    packet_v4(Ipv4Addr::UNSPECIFIED, to, ICMP, message)
}

/// The datagram of a probe, of so many bytes as an IP packet, as [`request`] has them. Its ports say whose it is. The kernel makes
/// the checksum for IPv6; for IPv4 there need be none (RFC 768).
pub(super) fn datagram(to: IpAddr, key: Key, probe: u16, size: u32) -> Vec<u8> {
    let size = usize::try_from(size).unwrap_or(usize::from(u16::MAX)).min(usize::from(u16::MAX));
    let header = if to.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
    let length = size.saturating_sub(header).max(UDP_HEADER);
    let mut message = Vec::with_capacity(length);
    message.extend(probe.to_be_bytes());
    message.extend(port(key).to_be_bytes());
    message.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    message.extend([0, 0]);
    message.extend(SIGNATURE);
    message.resize(length, 0);
    let IpAddr::V4(to) = to else { return message };
    packet_v4(Ipv4Addr::UNSPECIFIED, to, UDP, message)
}

/// A port that hardly anybody listens on, another one in each run.
pub(super) fn port(key: Key) -> u16 {
    key.identifier | 0x8000
}

/// An IPv4 packet that may not be cut. The kernel fills in what is zero here: the identification, the checksum, and the source if it
/// is not given (`raw_send_hdrinc`).
pub(super) fn packet_v4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, mut message: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(IPV4_HEADER + message.len()).unwrap_or(u16::MAX);
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(DONT_FRAGMENT.to_be_bytes());
    packet.extend([TIME_TO_LIVE, protocol, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.append(&mut message);
    packet
}

/// What an IPv4 packet says of a probe of this run; none when it is about something else.
pub(super) fn answer_v4(packet: &[u8], key: Key, fragment: Option<u32>) -> Option<Input> {
    let (header, message) = split_v4(packet)?;
    let from = header.source;
    let [kind, code, ..] = *message else { return None };
    if header.protocol != ICMP || checksum(message) != 0 {
        return None;
    }
    match (kind, code) {
        (ECHO_REPLY, 0) => {
            let size = u32::try_from(packet.len()).ok()?;
            let probe = own(message, key)?;
            Some(Input::Reply { probe, from, size, fragment })
        }
        (UNREACHABLE, code) => {
            let (quoted, start) = split_v4(message.get(ICMP_HEADER..)?)?;
            let probe = match quoted.protocol {
                ICMP => quoted_echo(start, ECHO_REQUEST, key),
                UDP => quoted_datagram(start, key),
                segment::TCP => segment::quoted(start, key),
                _ => None,
            }?;
            let about = Quoted { destination: quoted.destination, size: quoted.size };
            Some(if code == FRAGMENTATION_NEEDED {
                let mtu = u32::from(word(message, 6)?);
                Input::TooBig { probe, from, mtu, about }
            } else {
                Input::Unreachable { probe, from, about, no_port: code == NO_PORT }
            })
        }
        _ => None,
    }
}

/// What an ICMPv6 message says of a probe of this run; none when it is about something else. The kernel has verified its checksum
/// (`rawv6_rcv`).
pub(super) fn answer_v6(message: &[u8], from: IpAddr, key: Key, fragment: Option<u32>) -> Option<Input> {
    let kind = *message.first()?;
    match kind {
        ECHO_REPLY_V6 => {
            let size = u32::try_from(IPV6_HEADER + message.len()).ok()?;
            Some(Input::Reply { probe: own(message, key)?, from, size, fragment })
        }
        TOO_BIG_V6 | UNREACHABLE_V6 => {
            let quoted = message.get(ICMP_HEADER..)?;
            let (header, start) = quoted.split_at_checked(IPV6_HEADER)?;
            if header.first()? >> 4 != 6 {
                return None;
            }
            let probe = match *header.get(6)? {
                ICMPV6 => quoted_echo(start, ECHO_REQUEST_V6, key),
                UDP => quoted_datagram(start, key),
                segment::TCP => segment::quoted(start, key),
                _ => None,
            }?;
            let destination: [u8; 16] = header.get(24..)?.try_into().ok()?;
            let size = u32::from(word(header, 4)?) + u32::try_from(IPV6_HEADER).ok()?;
            let about = Quoted { destination: IpAddr::from(destination), size };
            Some(if kind == TOO_BIG_V6 {
                let mtu = u32::from_be_bytes(message.get(4..8)?.try_into().ok()?);
                Input::TooBig { probe, from, mtu, about }
            } else {
                let no_port = message.get(1) == Some(&NO_PORT_V6);
                Input::Unreachable { probe, from, about, no_port }
            })
        }
        _ => None,
    }
}

/// What is used of an IPv4 header.
pub(super) struct Header {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    pub(super) size: u32,
}

pub(super) fn split_v4(packet: &[u8]) -> Option<(Header, &[u8])> {
    let first = *packet.first()?;
    let length = usize::from(first & 0xf) * 4;
    if first >> 4 != 4 || length < IPV4_HEADER {
        return None;
    }
    let (header, rest) = packet.split_at_checked(length)?;
    let address = |at: usize| {
        let octets: [u8; 4] = header.get(at..at + 4)?.try_into().ok()?;
        Some(IpAddr::from(octets))
    };
    let header = Header {
        source: address(12)?,
        destination: address(16)?,
        protocol: *header.get(9)?,
        size: u32::from(word(header, 2)?),
    };
    Some((header, rest))
}

/// The number of the probe that a message answers.
fn own(message: &[u8], key: Key) -> Option<u16> {
    let token: [u8; 8] = message.get(ICMP_HEADER..ICMP_HEADER + 8)?.try_into().ok()?;
    (word(message, 4)? == key.identifier && u64::from_be_bytes(token) == key.token)
        .then(|| word(message, 6))?
}

/// The number of the probe that a message quotes. Routers quote eight bytes at least (RFC 792): the token may be cut off.
fn quoted_echo(echo: &[u8], kind: u8, key: Key) -> Option<u16> {
    (echo.get(..2)? == [kind, 0] && word(echo, 4)? == key.identifier).then(|| word(echo, 6))?
}

/// The same of a datagram.
fn quoted_datagram(datagram: &[u8], key: Key) -> Option<u16> {
    (word(datagram, 2)? == port(key)).then(|| word(datagram, 0))?
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// RFC 1071. Over what has its checksum in it, it is 0.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        let [high, low] = [0, 1].map(|at| pair.get(at).copied().unwrap_or(0));
        sum += u32::from(u16::from_be_bytes([high, low]));
        // Carries come back in, so that no sum overflows.
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = Key { identifier: 0x1234, flows: 1, token: 0x0102_0304_0506_0708 };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn there() -> IpAddr {
        ip("192.0.2.2")
    }

    fn there_v6() -> IpAddr {
        ip("2001:db8::2")
    }

    /// An IPv4 packet with this ICMP message, whose checksum is made right.
    fn packet(from: &str, mut message: Vec<u8>) -> Vec<u8> {
        message.splice(2..4, [0, 0]);
        let sum = checksum(&message).to_be_bytes();
        message.splice(2..4, sum);
        let mut packet = vec![0x45, 0];
        packet.extend(u16::try_from(20 + message.len()).unwrap().to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, ICMP, 0, 0]);
        for address in [ip(from), ip("192.0.2.1")] {
            let IpAddr::V4(address) = address else { unreachable!() };
            packet.extend(address.octets());
        }
        packet.extend(message);
        packet
    }

    /// The same message with another first byte.
    fn as_reply(mut message: Vec<u8>, kind: u8) -> Vec<u8> {
        message[0] = kind;
        message
    }

    fn quoting(kind: u8, code: u8, rest: u32, quoted: &[u8]) -> Vec<u8> {
        let mut message = vec![kind, code, 0, 0];
        message.extend(rest.to_be_bytes());
        message.extend(quoted);
        message
    }

    /// What a router quotes of an IPv6 probe.
    fn quoted_v6(protocol: u8, message: Vec<u8>) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
        packet.extend([protocol, 64]);
        for address in [ip("2001:db8::1"), there_v6()] {
            let IpAddr::V6(address) = address else { unreachable!() };
            packet.extend(address.octets());
        }
        packet.extend(message);
        packet
    }

    #[test]
    fn a_request_has_the_size_that_is_asked_for_and_may_not_be_cut() {
        for size in [68, 96, 1499, 1500, 9000, 65535] {
            let packet = request(there(), KEY, 7, size);
            assert_eq!(packet.len(), usize::try_from(size).unwrap());
            assert_eq!(packet[6..8], DONT_FRAGMENT.to_be_bytes());
            assert_eq!(packet[16..20], [192, 0, 2, 2]);
            assert_eq!(checksum(&packet[20..]), 0);
            assert_eq!(request(there_v6(), KEY, 7, size).len() + 40, usize::try_from(size).unwrap());
            let packet = datagram(there(), KEY, 7, size);
            assert_eq!((packet.len(), packet[9]), (usize::try_from(size).unwrap(), UDP));
            assert_eq!(packet[6..8], DONT_FRAGMENT.to_be_bytes());
            assert_eq!(datagram(there_v6(), KEY, 7, size).len() + 40, usize::try_from(size).unwrap());
        }
        let text = request(there(), KEY, 7, 96);
        assert!(text.windows(SIGNATURE.len()).any(|window| window == SIGNATURE));
    }

    #[test]
    fn answers_by_table() {
        let sent = request(there(), KEY, 7, 1500);
        let reply = as_reply(sent[20..].to_vec(), ECHO_REPLY);
        let about = Quoted { destination: there(), size: 1500 };
        let router = "198.51.100.1";
        let from = ip(router);
        let mut options = packet("192.0.2.2", reply.clone());
        options[0] = 0x46;
        options.splice(20..20, [1, 1, 1, 1]);
        let cases: Vec<(&str, Vec<u8>, Option<Input>)> = vec![
            (
                "reply",
                packet("192.0.2.2", reply.clone()),
                Some(Input::Reply { probe: 7, from: there(), size: 1500, fragment: None }),
            ),
            (
                "reply with options",
                options,
                Some(Input::Reply { probe: 7, from: there(), size: 1504, fragment: None }),
            ),
            (
                "too big",
                packet(router, quoting(UNREACHABLE, 4, 1400, &sent)),
                Some(Input::TooBig { probe: 7, from, mtu: 1400, about }),
            ),
            (
                "too big, eight bytes quoted",
                packet(router, quoting(UNREACHABLE, 4, 1400, &sent[..28])),
                Some(Input::TooBig { probe: 7, from, mtu: 1400, about }),
            ),
            (
                "too big, without MTU",
                packet(router, quoting(UNREACHABLE, 4, 0, &sent)),
                Some(Input::TooBig { probe: 7, from, mtu: 0, about }),
            ),
            (
                "host unreachable",
                packet(router, quoting(UNREACHABLE, 1, 0, &sent)),
                Some(Input::Unreachable { probe: 7, from, about, no_port: false }),
            ),
            (
                "no port",
                packet("192.0.2.2", quoting(UNREACHABLE, NO_PORT, 0, &datagram(there(), KEY, 8, 1500)[..28])),
                Some(Input::Unreachable { probe: 8, from: there(), about, no_port: true }),
            ),
            (
                "no port, of another run",
                packet("192.0.2.2", {
                    let mut other = datagram(there(), KEY, 8, 1500);
                    other[23] ^= 1;
                    quoting(UNREACHABLE, NO_PORT, 0, &other)
                }),
                None,
            ),
            ("too big, cut short", packet(router, quoting(UNREACHABLE, 4, 1400, &sent[..26])), None),
            ("a request", packet(router, sent[20..].to_vec()), None),
            ("time exceeded", packet(router, quoting(11, 0, 0, &sent)), None),
            (
                "of somebody's ping",
                packet("192.0.2.2", {
                    let mut other = reply.clone();
                    other[5] ^= 1;
                    other
                }),
                None,
            ),
            (
                "another token",
                packet("192.0.2.2", {
                    let mut other = reply.clone();
                    other[8] ^= 1;
                    other
                }),
                None,
            ),
            ("no room for a token", packet("192.0.2.2", reply[..12].to_vec()), None),
            (
                "about UDP",
                packet(router, {
                    let mut quoted = sent[..28].to_vec();
                    quoted[9] = 17;
                    quoting(UNREACHABLE, 4, 1400, &quoted)
                }),
                None,
            ),
            (
                "broken on the way",
                {
                    let mut broken = packet("192.0.2.2", reply);
                    broken[700] ^= 1;
                    broken
                },
                None,
            ),
            ("nothing", Vec::new(), None),
        ];
        for (name, bytes, expected) in cases {
            assert_eq!(answer_v4(&bytes, KEY, None), expected, "{name}");
        }
    }

    #[test]
    fn answers_of_ipv6_by_table() {
        let reply = as_reply(request(there_v6(), KEY, 9, 1500), ECHO_REPLY_V6);
        let router = ip("2001:db8::fe");
        let about = Quoted { destination: there_v6(), size: 1500 };
        let quoted = quoted_v6(ICMPV6, request(there_v6(), KEY, 9, 1500));
        let mut behind_a_header = quoted.clone();
        behind_a_header[6] = 44;
        let cases: Vec<(&str, IpAddr, Vec<u8>, Option<Input>)> = vec![
            (
                "reply",
                there_v6(),
                reply.clone(),
                Some(Input::Reply { probe: 9, from: there_v6(), size: 1500, fragment: Some(1280) }),
            ),
            (
                "too big",
                router,
                quoting(TOO_BIG_V6, 0, 1400, &quoted[..1232]),
                Some(Input::TooBig { probe: 9, from: router, mtu: 1400, about }),
            ),
            (
                "too big by far",
                router,
                quoting(TOO_BIG_V6, 0, u32::MAX, &quoted),
                Some(Input::TooBig { probe: 9, from: router, mtu: u32::MAX, about }),
            ),
            (
                "no route",
                router,
                quoting(UNREACHABLE_V6, 0, 0, &quoted),
                Some(Input::Unreachable { probe: 9, from: router, about, no_port: false }),
            ),
            (
                "no port",
                there_v6(),
                quoting(UNREACHABLE_V6, NO_PORT_V6, 0, &quoted_v6(UDP, datagram(there_v6(), KEY, 8, 1500))),
                Some(Input::Unreachable { probe: 8, from: there_v6(), about, no_port: true }),
            ),
            ("a fragment", router, quoting(TOO_BIG_V6, 0, 1400, &behind_a_header), None),
            ("cut short", router, quoting(TOO_BIG_V6, 0, 1400, &quoted[..46]), None),
            ("a request", there_v6(), as_reply(reply, ECHO_REQUEST_V6), None),
            ("nothing", there_v6(), Vec::new(), None),
        ];
        for (name, from, bytes, expected) in cases {
            assert_eq!(answer_v6(&bytes, from, KEY, Some(1280)), expected, "{name}");
        }
    }

    proptest! {
        /// Whatever comes: no panic, and what is shorter than a whole header is about nothing.
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..60) {
            let _ = answer_v4(&bytes, KEY, None);
            let _ = answer_v6(&bytes, there_v6(), KEY, None);
            // The same inside a message that is one of ours as far as it goes.
            let mut message = packet("192.0.2.2", quoting(UNREACHABLE, 4, 1400, &request(there(), KEY, 7, 96)));
            let end = (at + bytes.len()).min(message.len());
            message.splice(at..end, bytes.iter().copied().take(end - at));
            let _ = answer_v4(&message, KEY, None);
            prop_assert_eq!(answer_v4(&message[..at], KEY, None), None);
        }
    }
}
