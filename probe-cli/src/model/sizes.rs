//! Packets by size, with the bounds that the buckets have against an MTU.

use probe_common::sizes::{BOUNDS, BUCKETS, EDGE, EDGE_BYTES, OVER};

use super::types::{Edge, SizeBucket};
use crate::sample::{Both, Kinds};

/// The buckets of `probe_common::sizes` with the bounds that a tunnel's budget, or the MTU of a VF's interface, gives them.
/// Buckets that the budget leaves no room for are left out.
pub(super) fn sizes(budget: u32, kinds: &Both<Kinds>) -> Vec<SizeBucket> {
    let edge = budget.saturating_add(1).saturating_sub(EDGE_BYTES);
    let count = |kinds: &Kinds, index: usize| kinds.sizes.get(index).copied().unwrap_or(0);
    let mut from = 0;
    let mut buckets = Vec::new();
    for index in 0..BUCKETS {
        let packets = Both { tx: count(&kinds.tx, index), rx: count(&kinds.rx, index) };
        let (start, to, place) = match index {
            OVER => (budget.saturating_add(1), None, Edge::Over),
            EDGE => (edge, Some(budget), Edge::At),
            _ => {
                let below = edge.saturating_sub(1);
                let to = BOUNDS.get(index).map_or(below, |bound| below.min(*bound));
                let start = from;
                from = to.saturating_add(1);
                (start, Some(to), Edge::Below)
            }
        };
        // A bucket that grew while the budget was another one stays visible.
        let empty = to.is_some_and(|to| to < start) || (index < EDGE && start >= edge);
        if !empty || packets.tx + packets.rx > 0 {
            buckets.push(SizeBucket { from: start, to, edge: place, packets });
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_meet_and_hold_every_packet() {
        for budget in [0, 63, 64, 100, 1350, 1450, 1500, 8950, 9000, u32::MAX] {
            let kinds = Kinds { sizes: vec![0; BUCKETS], ..Kinds::default() };
            let buckets = sizes(budget, &Both { tx: kinds.clone(), rx: kinds });
            let mut next = 0;
            for bucket in &buckets {
                if let Some(to) = bucket.to.filter(|_| bucket.edge != Edge::Over) {
                    assert_eq!(bucket.from, next, "{budget}: {buckets:?}");
                    next = to.saturating_add(1);
                }
            }
            assert_eq!(next, budget.saturating_add(1), "{buckets:?}");
        }
    }
}
