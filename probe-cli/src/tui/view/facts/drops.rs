//! What the kernel drops of a tunnel or a pod, in words.

use std::cmp::Reverse;

use super::Fact;
use crate::{
    model::{DropRow, Model, Pod, TunnelRow},
    text,
};

/// Reasons that are named.
const NAMED: usize = 3;

/// On the tunnel's device, and of outer packets on those below it.
pub(super) fn of_tunnel(row: &TunnelRow, model: &Model) -> Vec<Fact> {
    model
        .drops
        .value()
        .map_or_else(Vec::new, |drops| facts(drops.of_tunnel(&row.tunnel).collect(), row.tunnel.ifindex))
}

/// On the node's end of the pod's interface.
pub(super) fn of_pod(pod: &Pod, model: &Model) -> Vec<Fact> {
    let drops = model.drops.value().zip(pod.host_ifindex);
    drops.map_or_else(Vec::new, |(drops, ifindex)| facts(drops.of_device(ifindex).collect(), ifindex))
}

/// What should not be before what is usual, then by how many. On another device than the row's own that is named.
fn facts(mut rows: Vec<&DropRow>, own: u32) -> Vec<Fact> {
    rows.sort_by_key(|row| (row.is_usual(), Reverse((row.packets, row.total))));
    let more = rows.len().saturating_sub(NAMED);
    let named = rows.into_iter().take(NAMED).map(|row| {
        let now = row.per_s.map_or_else(String::new, |now| format!("{}/s now; ", text::si(now)));
        let place = if own == row.ifindex {
            String::new()
        } else {
            format!(" on {}", text::escape(row.device.name()))
        };
        let group = if row.to_group { ", to groups" } else { "" };
        // Nothing tells whose they are.
        let others = row.tunnels.iter().filter(|(ifindex, _)| **ifindex != own);
        let others: Vec<String> = others.map(|(_, name)| text::escape(name)).collect();
        let shared = if others.is_empty() || own == row.ifindex {
            String::new()
        } else {
            format!(" or of {}", others.join(", "))
        };
        let words = format!(
            "{now}{} {}{place}{group}{shared}",
            text::si(row.total as f64),
            text::escape(&row.reason)
        );
        (words, !row.is_usual() && row.per_s.is_some_and(|now| now > 0.0))
    });
    let further = (more > 0).then(|| (format!("{more} more reasons"), false));
    let names = std::iter::once("dropped").chain(std::iter::repeat(""));
    names.zip(named.chain(further)).map(|(name, (words, alarm))| (name, words, alarm)).collect()
}
