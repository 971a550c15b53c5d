//! Answers to probes as the fuzzer makes them up. Compiled for the fuzzer and for tests.

use std::net::{IpAddr, Ipv6Addr};

use super::{
    icmp::{self, Key},
    prober::Input,
    segment,
};

/// Where the identifier of an echo message may be: of an answer, and of what a router quotes.
const PLACES: [usize; 4] = [24, 52, 4, 52 - 4];

/// Takes the bytes for an IPv4 packet and for an ICMPv6 message, of a run whose probes look like what is in them.
pub(crate) fn answers(bytes: &[u8]) {
    for at in PLACES {
        let part = |from: usize, to: usize| bytes.get(at + from..at + to);
        let (Some(&[high, low]), Some(token)) = (part(0, 2), part(4, 12)) else { continue };
        let identifier = u16::from_be_bytes([high, low]);
        let token = token.try_into().map_or(0, u64::from_be_bytes);
        let key = Key { identifier, flows: 1, token };
        check(icmp::answer_v4(bytes, key, None).as_ref(), bytes.len());
        let from = IpAddr::V6(Ipv6Addr::LOCALHOST);
        check(icmp::answer_v6(bytes, from, key, None).as_ref(), 40 + bytes.len());
        check(segment::answer_v4(bytes, key).as_ref(), usize::MAX);
        check(segment::answer_v6(bytes, from, key).as_ref(), usize::MAX);
        let cut = bytes.get(..at + 2).unwrap_or_default();
        assert_eq!(icmp::answer_v4(cut, key, None), None, "half a message is an answer");
    }
}

fn check(input: Option<&Input>, most: usize) {
    if let Some(Input::Reply { size, .. }) = input {
        assert!(usize::try_from(*size).is_ok_and(|size| size <= most), "an answer larger than what came");
    }
}
