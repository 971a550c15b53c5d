//! Packets by size, with the bounds that the buckets have against an MTU. The kernel side sorts a packet by the bounds of its
//! time: when these change, buckets begin anew, or packets would be said to have sizes that they never had.

use std::{collections::BTreeMap, time::Duration};

use probe_common::sizes::{BOUNDS, BUCKETS, EDGE, EDGE_BYTES, OVER};

use super::types::{Edge, SizeBucket};
use crate::sample::{Kinds, PerDirection};

/// Since when the buckets of each tunnel and VF have the bounds that they have.
#[derive(Debug, Default)]
pub(super) struct Bins {
    tunnels: BTreeMap<u32, Begun>,
    vfs: BTreeMap<String, Begun>,
}

/// When buckets got their bounds.
#[derive(Debug)]
struct Begun {
    budget: u32,
    /// None for those that counting began with.
    since: Option<Duration>,
    /// Packets that were in the buckets by then.
    before: PerDirection<Kinds>,
}

impl Bins {
    /// The buckets of a tunnel, and since when they have these bounds.
    pub(super) fn of_tunnel(
        &mut self,
        ifindex: u32,
        budget: u32,
        kinds: &PerDirection<Kinds>,
        now: Duration,
    ) -> (Vec<SizeBucket>, Option<Duration>) {
        of(self.tunnels.entry(ifindex), budget, kinds, now)
    }

    /// The same of a VF, by its PCI address.
    pub(super) fn of_vf(
        &mut self,
        pci: &str,
        mtu: u32,
        kinds: &PerDirection<Kinds>,
        now: Duration,
    ) -> (Vec<SizeBucket>, Option<Duration>) {
        of(self.vfs.entry(pci.to_owned()), mtu, kinds, now)
    }
}

fn of<K: Ord>(
    entry: std::collections::btree_map::Entry<'_, K, Begun>,
    budget: u32,
    kinds: &PerDirection<Kinds>,
    now: Duration,
) -> (Vec<SizeBucket>, Option<Duration>) {
    let first = || Begun { budget, since: None, before: PerDirection::default() };
    let begun = entry.or_insert_with(first);
    let packets = |kinds: &Kinds| kinds.sizes.iter().sum::<u64>();
    if packets(&kinds.tx) < packets(&begun.before.tx) || packets(&kinds.rx) < packets(&begun.before.rx) {
        // Counting began anew.
        *begun = first();
    } else if begun.budget != budget {
        // Programs had the new budget before this sample: some of its packets may be missing, and none is in a wrong bucket.
        *begun = Begun { budget, since: Some(now), before: kinds.clone() };
    }
    let since = PerDirection { tx: kinds.tx.less(&begun.before.tx), rx: kinds.rx.less(&begun.before.rx) };
    (sizes(budget, &since), begun.since)
}

/// The buckets of `probe_common::sizes` with the bounds that a tunnel's budget, or the MTU of a VF's interface, gives them.
/// Buckets that the budget leaves no room for are left out.
fn sizes(budget: u32, kinds: &PerDirection<Kinds>) -> Vec<SizeBucket> {
    let edge = budget.saturating_add(1).saturating_sub(EDGE_BYTES);
    let count = |kinds: &Kinds, index: usize| kinds.sizes.get(index).copied().unwrap_or(0);
    let mut from = 0;
    let mut buckets = Vec::new();
    for index in 0..BUCKETS {
        let packets = PerDirection { tx: count(&kinds.tx, index), rx: count(&kinds.rx, index) };
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
        // What was sorted while the programs still had another budget is not hidden.
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
    fn packets_of_before_a_change_of_the_mtu_get_no_new_size() {
        let second = Duration::from_secs;
        let mut kinds =
            PerDirection { tx: Kinds { sizes: vec![0; BUCKETS], ..Kinds::default() }, rx: Kinds::default() };
        let mut bins = Bins::default();
        kinds.tx.sizes[OVER] = 182;
        let over = |(buckets, since): (Vec<SizeBucket>, Option<Duration>)| {
            let over = buckets.iter().find(|bucket| bucket.edge == Edge::Over).unwrap();
            (over.from, over.packets.tx, since)
        };
        assert_eq!(over(bins.of_tunnel(3, 1330, &kinds, second(1))), (1331, 182, None));
        // Nothing larger than 1430 was ever seen.
        assert_eq!(over(bins.of_tunnel(3, 1430, &kinds, second(2))), (1431, 0, Some(second(2))));
        kinds.tx.sizes[OVER] = 185;
        assert_eq!(over(bins.of_tunnel(3, 1430, &kinds, second(3))), (1431, 3, Some(second(2))));
        // Another tunnel, and one that was counted anew.
        assert_eq!(over(bins.of_vf("0000:01:10.0", 1430, &kinds, second(3))), (1431, 185, None));
        kinds.tx.sizes[OVER] = 1;
        assert_eq!(over(bins.of_tunnel(3, 1430, &kinds, second(4))), (1431, 1, None));
    }

    #[test]
    fn buckets_meet_and_hold_every_packet() {
        for budget in [0, 63, 64, 100, 1350, 1450, 1500, 8950, 9000, u32::MAX] {
            let kinds = Kinds { sizes: vec![0; BUCKETS], ..Kinds::default() };
            let buckets = sizes(budget, &PerDirection { tx: kinds.clone(), rx: kinds });
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
