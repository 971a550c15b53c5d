//! Whether the run's own clsact filters are still where it put them; TCX links know by themselves. Anybody with the right to may remove them, and the counters
//! would stand still as if nothing was sent. Putting them on is the probe's affair.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    ebpf::LinkPlace,
    netlink::{
        NetlinkError,
        tc::{BpfFilter, TrafficControl},
    },
};

/// Looked at before each sample, and no more often than this: it takes two lists for each interface.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// The interfaces that lack a filter of these. What is left there of them is removed, so that all can be put on again.
pub(super) async fn lost(places: &[LinkPlace]) -> Result<BTreeSet<u32>, NetlinkError> {
    let control = TrafficControl::connect()?;
    let mut lost = BTreeSet::new();
    let mut left = Vec::new();
    for place in places {
        let (filters, _) = control.filters(place.ifindex, place.egress).await?;
        match filters.into_iter().find(|filter| is_at(filter, place)) {
            Some(filter) => left.push(filter),
            // With its interface it went by itself, and the inventory will say so.
            None if nix::net::if_::if_indextoname(place.ifindex).is_err() => {}
            None => drop(lost.insert(place.ifindex)),
        }
    }
    for filter in left.iter().filter(|filter| lost.contains(&filter.ifindex)) {
        control.delete(filter).await?;
    }
    Ok(lost)
}

/// The program tells it from another filter that has the same place.
fn is_at(filter: &BpfFilter, place: &LinkPlace) -> bool {
    (filter.priority, filter.handle) == (place.priority, place.handle)
        && (filter.program == place.program || filter.program == 0)
}
