//! The reading of a packet for its record: what it says of valid and of broken ones, and that it agrees with the parser that
//! counts.
#![allow(clippy::unwrap_used, reason = "a test states what must hold by panicking")]

use probe_common::keys::Address;
use probe_ebpf::{
    inner::{self, End, Headers, Meta},
    ip::{TCP, UDP},
};
use probe_explain::{Reason, Record, read::read, record::HAS_VLAN};
use proptest::prelude::*;

const ETHERNET: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

/// A frame; `types`: the words from the Ethernet type on, tags among them.
fn frame(types: &[u16], packet: &[u8]) -> Vec<u8> {
    let types = types.iter().flat_map(|word| word.to_be_bytes());
    ETHERNET.into_iter().chain(types).chain(packet.iter().copied()).collect()
}

fn ipv4(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 20 + u8::try_from(payload.len()).unwrap(), 0xab, 0xcd];
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 42, 1, 2, 10, 42, 2, 3]);
    packet.extend(payload);
    packet
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, u8::try_from(payload.len()).unwrap(), next, 64];
    packet.extend([0xfd; 16]);
    packet.extend([0xfe; 16]);
    packet.extend(payload);
    packet
}

const PORTS: [u8; 8] = [0x9c, 0x40, 0x01, 0xbb, 0, 8, 0, 0];

fn mapped(octets: [u8; 4]) -> Address {
    Address { octets: core::net::Ipv4Addr::from(octets).to_ipv6_mapped().octets() }
}

fn of(packet: &[u8], l3: bool) -> (Option<Reason>, Record) {
    let mut record = Record::default();
    (read(packet, l3, &mut record), record)
}

#[test]
fn what_a_whole_packet_says() {
    let ends =
        Record { source: mapped([10, 42, 1, 2]), destination: mapped([10, 42, 2, 3]), ..Record::default() };
    let v4 = Record { version: 4, source_port: 40_000, destination_port: 443, ..ends };
    let packet = ipv4(TCP, 0, &PORTS);
    let on_ethernet = Record { ethertype: 0x0800, protocol: 6, ..v4 };
    assert_eq!(of(&frame(&[0x0800], &packet), false), (None, on_ethernet));
    assert_eq!(of(&packet, true), (None, Record { protocol: 6, ..v4 }), "bare");
    let tagged = frame(&[0x88a8, 0x0005, 0x8100, 0xe007, 0x0800], &ipv4(UDP, 0, &PORTS));
    let inner_tag = Record { vlan: HAS_VLAN | 0xe007, protocol: 17, ..on_ethernet };
    assert_eq!(of(&tagged, false), (None, inner_tag));
    let (reason, record) = of(&frame(&[0x86dd], &ipv6(58, &[0; 8])), false);
    assert_eq!((reason, record.version, record.protocol, record.source_port), (None, 6, 58, 0));
    assert_eq!(record.source.octets, [0xfd; 16]);
}

#[test]
fn why_a_packet_is_not_read() {
    let short = &ipv4(TCP, 0, &PORTS)[..19];
    let chain: Vec<u8> = [60, 0, 0, 0, 0, 0, 0, 0].repeat(12);
    for (packet, l3, wanted) in [
        (frame(&[0x0806], &[0; 28]), false, Some(Reason::NotIp)),
        (vec![0; 20], true, Some(Reason::NotIp)),
        (frame(&[0x8100, 1, 0x8100, 2, 0x8100, 3, 0x0800], &[0; 40]), false, Some(Reason::Vlan)),
        (ETHERNET.to_vec(), false, Some(Reason::HeaderShort)),
        (frame(&[0x8100], &[0]), false, Some(Reason::HeaderShort)),
        (frame(&[0x0800], short), false, Some(Reason::HeaderShort)),
        (short.to_vec(), true, Some(Reason::HeaderShort)),
        (Vec::new(), true, Some(Reason::HeaderShort)),
        (frame(&[0x0800], &ipv6(6, &PORTS)), false, Some(Reason::HeaderBroken)),
        (frame(&[0x0800], &[&[0x44][..], &[0; 30]].concat()), false, Some(Reason::HeaderBroken)),
        (frame(&[0x0800], &ipv4(UDP, 3, &PORTS)), false, Some(Reason::LaterFragment)),
        (frame(&[0x0800], &ipv4(UDP, 0x2000, &PORTS)), false, None),
        (frame(&[0x86dd], &ipv6(60, &chain)), false, Some(Reason::Extensions)),
    ] {
        let (reason, record) = of(&packet, l3);
        assert_eq!(reason, wanted, "{packet:x?}");
        let is_read = matches!(wanted, None | Some(Reason::LaterFragment | Reason::Extensions));
        assert_eq!(record.version != 0, is_read, "{packet:x?}");
    }
}

/// Bytes that are often nearly a packet.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let types = prop_oneof![
        Just(vec![0x0800]),
        Just(vec![0x86dd]),
        Just(vec![0x8100, 7, 0x0800]),
        Just(vec![0x88a8, 7, 0x8100, 7, 0x86dd]),
        proptest::collection::vec(any::<u16>(), 1..4),
    ];
    let packet = prop_oneof![
        (any::<u8>(), any::<u16>()).prop_map(|(protocol, fragment)| ipv4(protocol, fragment, &PORTS)),
        (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(next, rest)| ipv6(next, &rest)),
        proptest::collection::vec(any::<u8>(), 0..80),
    ];
    (types, packet, any::<proptest::sample::Index>()).prop_map(|(types, packet, cut)| {
        let mut frame = frame(&types, &packet);
        let length = cut.index(frame.len() + 1);
        // Most are whole.
        if length % 3 == 0 {
            frame.truncate(length);
        }
        frame
    })
}

proptest! {
    #[test]
    fn it_gives_a_reason_when_the_parser_that_counts_gives_up(packet in nearly(), l3: bool) {
        let bytes = if l3 { packet.get(14..).unwrap_or_default() } else { &packet[..] };
        let (reason, record) = of(bytes, l3);
        let meta = Meta { len: u32::try_from(bytes.len()).unwrap(), l3, ..Meta::default() };
        let mut headers = Headers::NONE;
        inner::read(bytes, &meta, End::Source, &mut headers).unwrap();
        let unread = [Reason::NotIp, Reason::Vlan, Reason::HeaderShort, Reason::HeaderBroken];
        prop_assert_eq!(headers.version == 0, reason.is_some_and(|reason| unread.contains(&reason)));
        prop_assert_eq!(headers.version, record.version);
        prop_assert_eq!(headers.address.octets, record.source.octets);
        // The programs read only these again, so no other may have a reason.
        let is_suspect = headers.version == 0
            || headers.transport == 0 && (headers.fragment != 0 || headers.version == 6);
        prop_assert!(reason.is_none() || is_suspect, "{reason:?}");
    }
}
