//! The kernel's answers as the fuzzer makes them up: every table's decoder on every message, and what must hold of any bytes.
//! Compiled for the fuzzer and for tests.

use super::{
    decode::{self, FRAME_HEADER, Frame, Neighbour, WireguardDevice, frames},
    error::DecodeError,
    relevance::{ChangeKind, Relevance},
};

/// Interface index of the WireGuard device that answers.
const WIREGUARD: u32 = 3;

/// Decodes a datagram as every table would. Returns what somebody else chose the words of.
pub(crate) fn answer(datagram: &[u8]) -> Vec<String> {
    whole_or_nothing(datagram);
    let mut texts = Vec::new();
    let mut relevance = Relevance::new(Vec::new());
    let mut device = WireguardDevice::new(WIREGUARD);
    for frame in frames(datagram).flatten() {
        links(frame.payload, &mut texts);
        rows(frame.payload, &mut texts);
        generic(frame.payload, &mut texts);
        said(device.take(frame.payload), &mut texts);
        repeated(&mut relevance, &frame);
    }
    let (device, left_out) = device.finish();
    let allowed_ips: usize = device.peers.iter().map(|peer| peer.allowed_ips.len()).sum();
    assert!(device.peers.len() + allowed_ips + left_out <= datagram.len() / 4, "rows out of nothing");
    texts
}

/// A datagram that is cut has the first of its messages, then an error: half a message is none.
fn whole_or_nothing(datagram: &[u8]) {
    let places = |datagram: &[u8]| -> Vec<Option<(u16, usize)>> {
        frames(datagram).map(|frame| frame.ok().map(|frame| (frame.kind, frame.payload.len()))).collect()
    };
    let all = places(datagram);
    assert!(all.len() <= datagram.len() / FRAME_HEADER + 1, "more messages than there is room for");
    let last = all.len().saturating_sub(1);
    for cut in [datagram.len().saturating_sub(1), datagram.len() / 2] {
        let some = places(datagram.get(..cut).unwrap_or_default());
        let complete = some.iter().take_while(|frame| frame.is_some()).count();
        assert_eq!(some.get(..complete), all.get(..complete), "cut to {cut} bytes, other messages are in it");
        assert!(complete <= last || all.is_empty() || cut >= total(&all), "a message that is not all there");
        assert!(some.len() <= complete + 1, "something behind the end");
    }
}

/// Bytes of these messages, without what aligns the last one.
fn total(frames: &[Option<(u16, usize)>]) -> usize {
    let lengths = frames.iter().flatten().map(|(_, payload)| FRAME_HEADER + payload);
    let ends = lengths.scan(0_usize, |start, length| {
        let end = *start + length;
        *start = end.next_multiple_of(4);
        Some(end)
    });
    ends.last().unwrap_or(0)
}

/// Keeps the result's words.
fn said<T>(result: Result<T, DecodeError>, texts: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| texts.push(error.to_string())).ok()
}

fn links(payload: &[u8], texts: &mut Vec<String>) {
    if let Some(link) = said(decode::link(payload), texts).flatten() {
        texts.extend([Some(link.name), link.kind, link.parent_device].into_iter().flatten());
    }
    if let Some(list) = said(decode::vf_list(payload), texts) {
        assert!(list.vfs.len() <= payload.len() / 4, "VFs out of nothing");
        let listed = u32::try_from(list.vfs.len()).unwrap_or(u32::MAX);
        assert!(list.truncated || list.count.is_none_or(|count| count <= listed), "VFs are missing unsaid");
    }
    if let Some(found) = said(decode::bridge_vlans(payload), texts).flatten() {
        assert!(found.vlans.len() <= payload.len() / 4, "VLANs out of nothing");
    }
    said(decode::link_counters(payload), texts);
    said(decode::link_statistics(payload), texts);
    let programs = said(decode::xdp_programs(payload), texts).unwrap_or_default();
    assert!(programs.len() <= payload.len() / 4, "programs out of nothing");
    said(decode::filter_program(payload), texts);
}

fn rows(payload: &[u8], texts: &mut Vec<String>) {
    said(decode::address(payload), texts);
    let routes = said(decode::routes(payload), texts).unwrap_or_default();
    assert!(routes.len() <= payload.len() / 4, "routes out of nothing");
    let other = said(decode::routes_of(payload, 1), texts).unwrap_or_default();
    assert!(routes.is_empty() || other.is_empty(), "a route in two tables");
    let exception = said(decode::exception(payload), texts).flatten();
    assert!(exception.is_none() || (routes.is_empty() && other.is_empty()), "a route that is an exception");
    match said(decode::neighbour(payload), texts).flatten() {
        Some(Neighbour::Ip(fact)) => {
            let state = said(decode::neighbour_state(payload), texts).flatten();
            assert!(
                state.is_none_or(|state| (state.ifindex, state.address) == (fact.ifindex, fact.address)),
                "two readers, two neighbours"
            );
        }
        Some(Neighbour::Fdb(_)) | None => {
            said(decode::neighbour_state(payload), texts);
        }
    }
    said(decode::rule(payload), texts);
    said(decode::nsid(payload, 1), texts);
}

fn generic(payload: &[u8], texts: &mut Vec<String>) {
    let features = said(decode::features(payload, |_| true), texts).unwrap_or_default();
    texts.extend(features.into_keys());
    said(decode::channels(payload), texts);
    said(decode::family(payload), texts);
    let name = said(decode::family_name(payload), texts);
    texts.extend(name);
}

/// What says what is known already is no change.
fn repeated(relevance: &mut Relevance, frame: &Frame<'_>) {
    relevance.apply(frame.kind, frame.payload);
    let again = relevance.apply(frame.kind, frame.payload);
    if [libc::RTM_NEWLINK, libc::RTM_NEWADDR].contains(&frame.kind) {
        assert!(matches!(again, None | Some(ChangeKind::Everything)), "a repetition is reported: {again:?}");
    }
}
