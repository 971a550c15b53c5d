//! TCP segments that ask for a connection nobody waits for, and the resets that answer them: one flow for each source port. What
//! distributes flows over several ways looks at ports: the source port of VXLAN's outer packets follows from those inside
//! (`udp_flow_src_port`), and echo requests have none. Unlike messages about datagrams, resets are not limited to a few.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    icmp::{IPV4_HEADER, IPV6_HEADER, Key, SIGNATURE, checksum, packet_v4, port, split_v4, word},
    prober::Input,
};

/// Protocol number.
pub(super) const TCP: u8 = 6;
const TCP_HEADER: usize = 20;
/// Where the checksum is in a TCP header: for IPv6 the kernel fills it in.
pub(super) const CHECKSUM: usize = 16;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// The source port of the first flow; those of others follow.
pub(super) fn first_port(key: Key) -> u16 {
    0x8000 | (key.identifier % 0x7f00)
}

/// The segment of a probe, of so many bytes as an IP packet: with its header for IPv4, and without for IPv6.
pub(super) fn segment(
    from: Option<Ipv4Addr>,
    to: IpAddr,
    key: Key,
    flow: u16,
    probe: u16,
    size: u32,
) -> Vec<u8> {
    let size = usize::try_from(size).unwrap_or(usize::from(u16::MAX)).min(usize::from(u16::MAX));
    let header = if to.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
    let mut message = Vec::with_capacity(size);
    message.extend(first_port(key).saturating_add(flow).to_be_bytes());
    message.extend(port(key).to_be_bytes());
    // What answers it says how many bytes came, after this.
    message.extend((u32::from(probe) << 16).to_be_bytes());
    message.extend([0, 0, 0, 0, 5 << 4, SYN, 4, 0, 0, 0, 0, 0]);
    message.extend(SIGNATURE);
    message.resize(size.saturating_sub(header).max(TCP_HEADER), 0);
    let (IpAddr::V4(to), Some(from)) = (to, from) else { return message };
    let mut summed = [from.octets(), to.octets()].concat();
    summed.extend([0, TCP]);
    summed.extend(u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes());
    summed.extend(&message);
    message.splice(CHECKSUM..CHECKSUM + 2, checksum(&summed).to_be_bytes());
    packet_v4(from, to, TCP, message)
}

/// What an IPv4 packet says of a probe of this run; none when it is about something else.
pub(super) fn answer_v4(packet: &[u8], key: Key) -> Option<Input> {
    let (header, message) = split_v4(packet)?;
    (header.protocol == TCP).then(|| answer(message, header.source, IPV4_HEADER, key))?
}

/// The same of a TCP segment over IPv6.
pub(super) fn answer_v6(message: &[u8], from: IpAddr, key: Key) -> Option<Input> {
    answer(message, from, IPV6_HEADER, key)
}

/// A reset acknowledges the bytes that came (`tcp_v4_send_reset`): so it says which probe it was, and how large.
fn answer(message: &[u8], from: IpAddr, header: usize, key: Key) -> Option<Input> {
    let is_own = word(message, 0)? == port(key) && is_of_flow(word(message, 2)?, key);
    let flags = *message.get(13)?;
    if !is_own || flags & (SYN | RST | ACK) != RST | ACK {
        return None;
    }
    let acknowledged = u32::from_be_bytes(message.get(8..12)?.try_into().ok()?).wrapping_sub(1);
    let probe = u16::try_from(acknowledged >> 16).ok()?;
    let size = (acknowledged & 0xffff) + u32::try_from(header + TCP_HEADER).ok()?;
    Some(Input::Reply { probe, from, size, fragment: None })
}

/// The number of the probe that a message quotes, of which eight bytes are there at least.
pub(super) fn quoted(segment: &[u8], key: Key) -> Option<u16> {
    (is_of_flow(word(segment, 0)?, key) && word(segment, 2)? == port(key)).then(|| word(segment, 4))?
}

fn is_of_flow(port: u16, key: Key) -> bool {
    port.checked_sub(first_port(key)).is_some_and(|flow| flow < key.flows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: Key = Key { identifier: 0x1234, flows: 4, token: 1 };

    fn there() -> IpAddr {
        "192.0.2.2".parse().unwrap()
    }

    fn sent(flow: u16, probe: u16, size: u32) -> Vec<u8> {
        segment(Some([192, 0, 2, 1].into()), there(), KEY, flow, probe, size)
    }

    /// What a kernel answers to a segment.
    fn reset(packet: &[u8]) -> Vec<u8> {
        let message = &packet[20..];
        let payload = u32::try_from(message.len() - 20).unwrap();
        let sequence = u32::from_be_bytes(message[4..8].try_into().unwrap());
        let mut answer = [&message[2..4], &message[..2], &[0; 4]].concat();
        answer.extend(sequence.wrapping_add(1 + payload).to_be_bytes());
        answer.extend([5 << 4, RST | ACK, 0, 0, 0, 0, 0, 0]);
        packet_v4([192, 0, 2, 2].into(), [192, 0, 2, 1].into(), TCP, answer)
    }

    #[test]
    fn a_segment_has_the_size_that_is_asked_for_and_a_sum_that_is_right() {
        for size in [96, 1499, 1500, 9000] {
            let packet = sent(3, 7, size);
            assert_eq!(packet.len(), usize::try_from(size).unwrap());
            assert_eq!(word(&packet, 20), Some(first_port(KEY) + 3));
            let mut summed = packet[12..20].to_vec();
            summed.extend([0, TCP]);
            summed.extend(u16::try_from(packet.len() - 20).unwrap().to_be_bytes());
            summed.extend(&packet[20..]);
            assert_eq!(checksum(&summed), 0);
            let v6 = segment(None, "2001:db8::2".parse().unwrap(), KEY, 3, 7, size);
            assert_eq!(v6.len() + 40, usize::try_from(size).unwrap());
        }
    }

    #[test]
    fn a_reset_says_which_probe_came_and_how_large() {
        for (flow, probe, size) in [(0, 7, 1450), (3, u16::MAX, 96), (1, 0, 65_000)] {
            let expected = Input::Reply { probe, from: there(), size, fragment: None };
            let answer = reset(&sent(flow, probe, size));
            assert_eq!(answer_v4(&answer, KEY), Some(expected.clone()));
            assert!(answer_v6(&answer[20..], there(), KEY).is_some());
            assert_eq!(quoted(&sent(flow, probe, size)[20..28], KEY), Some(probe));
        }
        // Of a flow that there is not, of another run, no reset, and what was sent itself.
        let other = Key { identifier: 0x1235, ..KEY };
        assert_eq!(answer_v4(&reset(&sent(4, 7, 1450)), KEY), None);
        assert_eq!(answer_v4(&reset(&sent(0, 7, 1450)), other), None);
        let mut accepted = reset(&sent(0, 7, 1450));
        accepted[33] = SYN | ACK;
        assert_eq!(answer_v4(&accepted, KEY), None);
        assert_eq!(answer_v4(&sent(0, 7, 1450), KEY), None);
        assert_eq!(quoted(&sent(0, 7, 1450)[20..25], KEY), None);
    }

    #[test]
    fn ports_of_flows_are_ports() {
        for identifier in [0, 0x7eff, 0x7f00, u16::MAX] {
            let first = first_port(Key { identifier, ..KEY });
            assert!(first >= 0x8000 && first.checked_add(64).is_some(), "{first}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..80), at in 0_usize..40) {
            let _ = answer_v4(&bytes, KEY);
            let _ = answer_v6(&bytes, there(), KEY);
            let answer = reset(&sent(0, 7, 96));
            prop_assert_eq!(answer_v4(&answer[..at.min(33)], KEY), None);
        }
    }
}
