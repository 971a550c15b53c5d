//! Removing what dead runs left in the current network namespace.

use std::{fs, path::Path};

use super::record::{Placed, Record, live_and_dead};
use crate::{
    netlink::{
        NetlinkError,
        tc::{BpfFilter, TrafficControl},
    },
    netns,
};

/// What every program of ours is called.
const OUR_PREFIX: &str = "ovp_";

/// Removes filters that no living run owns, then the qdiscs that dead runs made and nobody uses, and the notes.
/// Returns how many filters and qdiscs went.
pub async fn sweep(directory: &Path) -> Result<usize, NetlinkError> {
    let (live, dead) = live_and_dead(directory).unwrap_or_default();
    let here = netns::current_identity().unwrap_or_default();
    let owned: Vec<Placed> =
        live.iter().filter(|record| record.netns == here).flat_map(|record| record.places.clone()).collect();
    let control = TrafficControl::connect()?;
    let mut removed = 0;
    let interfaces = control.clsact_interfaces().await?;
    for &ifindex in &interfaces {
        for egress in [false, true] {
            let (filters, _) = control.filters(ifindex, egress).await?;
            for filter in filters.iter().filter(|filter| filter.name.starts_with(OUR_PREFIX)) {
                if !owned.iter().any(|place| is_at(place, filter)) {
                    control.delete(filter).await?;
                    removed += 1;
                }
            }
        }
    }
    for (path, record) in dead {
        if record.netns == here {
            removed += remove_qdiscs(&control, &record, &interfaces).await?;
        } else if record.netns != (0, 0) && netns::exists(record.netns) {
            // Of another namespace that still is: for `overlay-probe --netns NAME cleanup`.
            continue;
        }
        // Gone already is as good.
        let _ = fs::remove_file(path);
    }
    Ok(removed)
}

/// At the orderly end of a run, after its filters are off: removes the qdiscs that it made and nobody else uses.
pub async fn finish(record: &Record) -> Result<(), NetlinkError> {
    let control = TrafficControl::connect()?;
    let interfaces = control.clsact_interfaces().await?;
    remove_qdiscs(&control, record, &interfaces).await.map(drop)
}

async fn remove_qdiscs(
    control: &TrafficControl,
    record: &Record,
    interfaces: &[u32],
) -> Result<usize, NetlinkError> {
    let mut made: Vec<u32> =
        record.places.iter().filter(|place| place.made_qdisc).map(|place| place.ifindex).collect();
    made.sort_unstable();
    made.dedup();
    let mut removed = 0;
    for ifindex in made.into_iter().filter(|ifindex| interfaces.contains(ifindex)) {
        let (_, ingress) = control.filters(ifindex, false).await?;
        let (_, egress) = control.filters(ifindex, true).await?;
        if ingress + egress == 0 {
            control.delete_clsact(ifindex).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_at(place: &Placed, filter: &BpfFilter) -> bool {
    (place.ifindex, place.egress, place.priority, place.handle)
        == (filter.ifindex, filter.egress, filter.priority, filter.handle)
}
