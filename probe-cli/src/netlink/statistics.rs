//! What was counted of interfaces, of all in one dump or of one, without their names and settings (`RTM_GETSTATS`, since Linux 4.7).

use super::{decode, rows::rows, socket::Request, source::Source};
use crate::{
    facts::{Bounded, counters::LinkStatistics},
    observed::Observed,
};

// linux/rtnetlink.h and linux/if_link.h; not in libc.
const RTM_NEWSTATS: u16 = 92;
const RTM_GETSTATS: u16 = 94;
/// `IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)`, in `filter_mask` of `struct if_stats_msg`.
const LINK_64: u8 = 1;
const FILTER_MASK: usize = if cfg!(target_endian = "little") { 8 } else { 11 };
/// Interfaces that are read; a node has one for each pod and some.
const MOST: usize = 16_384;

impl Source {
    /// The counters of every interface of this namespace.
    pub fn link_statistics(&self) -> Observed<Bounded<LinkStatistics>> {
        self.statistics(&request())
    }

    /// The counters of the interface with this index; absent when it is gone.
    pub fn link_statistics_of(&self, ifindex: u32) -> Observed<LinkStatistics> {
        // `ifindex` of `struct if_stats_msg` is at 4.
        let bytes = ifindex.to_ne_bytes().into_iter().zip(4..);
        let request = bytes.fold(request().single(), |request, (byte, at)| request.byte(at, byte));
        self.statistics(&request).and_then(|found| match found.rows.first() {
            Some(row) if row.ifindex == ifindex => Observed::Value(*row),
            _ => Observed::Failed { error: found.notes.concat() },
        })
    }

    fn statistics(&self, request: &Request) -> Observed<Bounded<LinkStatistics>> {
        rows(&self.socket, request, MOST, |frame| match frame.kind {
            RTM_NEWSTATS => decode::link_statistics(frame.payload),
            _ => Ok(None),
        })
    }
}

fn request() -> Request {
    Request::new("interface counters", RTM_GETSTATS, 12).byte(FILTER_MASK, LINK_64)
}
