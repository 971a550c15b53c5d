//! The event ring: rare messages, decoded.

use std::{net::IpAddr, time::Duration};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
};
use probe_common::{event::PmtuEvent as Raw, keys::Address};

use super::error::EbpfError;

/// An event with its tunnel's slot still in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawPmtuEvent {
    pub(super) at: Duration,
    pub(super) slot: u32,
    pub(super) reporter: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) mtu: Option<u32>,
    pub(super) quoted_bytes: u32,
}

/// The ring's reading end.
pub(super) struct Events(RingBuf<MapData>);

impl Events {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, EbpfError> {
        ebpf.take_map("EVENTS")
            .and_then(|map| RingBuf::try_from(map).ok())
            .map(Self)
            .ok_or_else(|| EbpfError::Missing { what: "ring buffer EVENTS".to_owned() })
    }

    /// Everything that arrived since the last call.
    pub(super) fn drain(&mut self) -> Vec<RawPmtuEvent> {
        let mut events = Vec::new();
        while let Some(item) = self.0.next() {
            events.extend(decode(&item));
        }
        events
    }
}

/// One record; none when it has not the size that both sides agreed on.
fn decode(bytes: &[u8]) -> Option<RawPmtuEvent> {
    if bytes.len() < size_of::<Raw>() {
        return None;
    }
    // SAFETY: long enough, checked above; any bit pattern is a valid record, and the read does not ask for alignment.
    let raw = unsafe { bytes.as_ptr().cast::<Raw>().read_unaligned() };
    Some(RawPmtuEvent {
        at: Duration::from_nanos(raw.at),
        slot: raw.tunnel,
        reporter: address(raw.reporter),
        destination: address(raw.destination),
        mtu: (raw.mtu != 0).then_some(raw.mtu),
        quoted_bytes: raw.quoted_bytes,
    })
}

fn address(address: Address) -> IpAddr {
    IpAddr::from(address.octets).to_canonical()
}
