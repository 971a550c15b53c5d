//! Which cores handled a tunnel's packets, and what share of them in the interval. Judges nothing: the packets of one flow are one
//! core's, and that is well until the core has no time left.

use std::{cmp::Reverse, collections::BTreeMap};

use super::Model;
use crate::sample::{PerDirection, TunnelSample};

/// One direction of a tunnel on one core: where a packet passed the tunnel device. Of what is received that is the core that took it
/// from the NIC, or that it was handed to; of what is sent the one that the sender ran on, or that took it from the pod.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CoreRow {
    /// Number of the core, as in `/proc/cpuinfo`.
    pub cpu: u32,
    /// Packets on the wire, totals.
    pub total: u64,
    /// Those of the interval; none when there is no earlier sample of the same thing.
    pub grown: Option<u64>,
    /// Those of the interval as a part of all that the tunnel carried in this direction; none also when that was nothing.
    pub share: Option<f64>,
}

impl Model {
    /// False on a machine with one core, where shares say nothing. True where that is not known.
    pub fn has_several_cores(&self) -> bool {
        self.window.as_ref().is_none_or(|window| window.softnet.len() != 1)
    }
}

/// Both directions between two samples.
pub(super) fn of(now: Option<&TunnelSample>, before: Option<&TunnelSample>) -> PerDirection<Vec<CoreRow>> {
    let Some(now) = now else { return PerDirection::default() };
    PerDirection {
        tx: rows(&now.cores.tx, before.map(|before| &before.cores.tx)),
        rx: rows(&now.cores.rx, before.map(|before| &before.cores.rx)),
    }
}

/// Counters that are smaller than before are another tunnel's.
fn rows(now: &BTreeMap<u32, u64>, before: Option<&BTreeMap<u32, u64>>) -> Vec<CoreRow> {
    let is_same = |before: &&BTreeMap<u32, u64>| {
        before.iter().all(|(cpu, packets)| now.get(cpu).is_some_and(|now| now >= packets))
    };
    let before = before.filter(is_same);
    let row = |(cpu, total): (&u32, &u64)| CoreRow {
        cpu: *cpu,
        total: *total,
        grown: before.map(|before| total.saturating_sub(before.get(cpu).copied().unwrap_or(0))),
        share: None,
    };
    with_shares(now.iter().map(row).collect())
}

fn with_shares(mut rows: Vec<CoreRow>) -> Vec<CoreRow> {
    let all: Option<u64> = rows.iter().map(|row| row.grown).sum();
    for row in &mut rows {
        let share = |(grown, all): (u64, u64)| (all > 0).then(|| grown as f64 / all as f64);
        row.share = row.grown.zip(all).and_then(share);
    }
    rows
}

/// The same of several tunnels as one. What is not known of one of them is not known of all.
pub fn cores_together<'a>(parts: impl Iterator<Item = &'a [CoreRow]>) -> Vec<CoreRow> {
    let mut sums: BTreeMap<u32, CoreRow> = BTreeMap::new();
    for row in parts.flatten() {
        let sum =
            sums.entry(row.cpu).or_insert(CoreRow { cpu: row.cpu, grown: Some(0), ..CoreRow::default() });
        sum.total += row.total;
        sum.grown = sum.grown.zip(row.grown).map(|(sum, row)| sum + row);
    }
    with_shares(sums.into_values().collect())
}

/// Those that had packets in the interval, by how many; none when that is not known.
pub fn busiest_first(rows: &[CoreRow]) -> Vec<&CoreRow> {
    let had_some = |row: &&CoreRow| row.share.is_some_and(|share| share > 0.0);
    let mut rows: Vec<&CoreRow> = rows.iter().filter(had_some).collect();
    rows.sort_by_key(|row| (Reverse(row.grown), row.cpu));
    rows
}

/// The one that had most of the packets of the interval; none when there were none, and when that is not known.
pub fn busiest(rows: &[CoreRow]) -> Option<&CoreRow> {
    busiest_first(rows).first().copied()
}

/// What is gone has totals only.
pub(super) fn ended(cores: &PerDirection<Vec<CoreRow>>) -> PerDirection<Vec<CoreRow>> {
    let of = |rows: &[CoreRow]| rows.iter().map(|row| CoreRow { grown: None, share: None, ..*row }).collect();
    PerDirection { tx: of(&cores.tx), rx: of(&cores.rx) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SoftnetWindow, Window};

    fn counted(packets: &[(u32, u64)]) -> BTreeMap<u32, u64> {
        packets.iter().copied().collect()
    }

    #[test]
    fn shares_are_of_the_interval_and_unknown_without_one() {
        type Packets<'a> = &'a [(u32, u64)];
        type Case<'a> = (Packets<'a>, Option<Packets<'a>>, Option<(u32, f64)>);
        let cases: [Case<'_>; 9] = [
            (&[(0, 9), (1, 91)], Some(&[]), Some((1, 0.91))),
            // What there was before does not count.
            (&[(0, 9_000), (1, 93)], Some(&[(0, 8_991), (1, 2)]), Some((1, 0.91))),
            (&[(7, 5)], Some(&[(7, 4)]), Some((7, 1.0))),
            // Of equals the first.
            (&[(2, 5), (3, 5)], Some(&[]), Some((2, 0.5))),
            // Nothing, now or ever.
            (&[(0, 9)], Some(&[(0, 9)]), None),
            (&[], Some(&[]), None),
            // Unknown: nothing before, and counters that went back, one of them or all.
            (&[(0, 9)], None, None),
            (&[(0, 900), (1, 3)], Some(&[(0, 5), (1, 4)]), None),
            (&[(0, 900)], Some(&[(0, 5), (1, 4)]), None),
        ];
        for (now, before, expected) in cases {
            let before = before.map(counted);
            let found = rows(&counted(now), before.as_ref());
            let most = busiest(&found).map(|row| (row.cpu, row.share.unwrap()));
            assert_eq!(most, expected, "{now:?} {before:?}");
            let totals: Vec<_> = found.iter().map(|row| (row.cpu, row.total)).collect();
            assert_eq!(totals, now);
            assert!(
                found.iter().all(|row| row.share.is_none_or(f64::is_finite)),
                "nothing of nothing: {found:?}"
            );
            let shares: Option<f64> = found.iter().map(|row| row.share).sum();
            assert!(expected.is_none() || (shares.unwrap() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn several_tunnels_add_up_and_one_that_is_unknown_leaves_all_unknown() {
        let known = rows(&counted(&[(0, 10), (1, 30)]), Some(&counted(&[(0, 5)])));
        let more = rows(&counted(&[(1, 65)]), Some(&counted(&[])));
        let both = cores_together([&known[..], &more[..]].into_iter());
        assert_eq!(
            both.iter().map(|row| (row.cpu, row.total, row.grown)).collect::<Vec<_>>(),
            [(0, 10, Some(5)), (1, 95, Some(95)),]
        );
        assert_eq!(busiest(&both).unwrap().share, Some(0.95));
        let new = rows(&counted(&[(4, 1)]), None);
        let all = cores_together([&known[..], &new[..]].into_iter());
        assert_eq!((busiest(&all), all[0].share), (None, None));
        assert!(
            ended(&PerDirection { tx: known, rx: new })
                .tx
                .iter()
                .all(|row| row.share.is_none() && row.total > 0)
        );
    }

    #[test]
    fn one_core_is_known_to_be_one() {
        let with = |cpus: u32| {
            let softnet = (0..cpus).map(|cpu| SoftnetWindow { cpu, ..SoftnetWindow::default() }).collect();
            Model { window: Some(Window { softnet, ..Window::default() }), ..Model::default() }
        };
        assert_eq!([0, 1, 2].map(|cpus| with(cpus).has_several_cores()), [true, false, true]);
        assert!(Model::default().has_several_cores());
    }
}
