//! What was counted of every interface, in one dump without their names and settings (`RTM_GETSTATS`, since Linux 4.7).

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
        let request = Request::new("interface counters", RTM_GETSTATS, 12).byte(FILTER_MASK, LINK_64);
        rows(&self.socket, &request, MOST, |frame| match frame.kind {
            RTM_NEWSTATS => decode::link_statistics(frame.payload),
            _ => Ok(None),
        })
    }
}
