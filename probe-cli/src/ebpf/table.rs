//! Where the keys of the lookup table go. Pure: gives the writes, makes none.

use std::collections::BTreeMap;

use probe_common::table::{Entry, Key, PROBES, REMOVED};

/// One write of one entry. A list of them is done in order.
pub(super) type Write = (u32, Entry);

/// The table as it is in the kernel.
#[derive(Debug)]
pub(super) struct Table {
    mask: u32,
    /// Entries that are or were in use, by index.
    entries: BTreeMap<u32, Entry>,
    /// Index of each key.
    places: BTreeMap<Key, u32>,
    unplaced: u64,
}

impl Table {
    /// An empty table of `size` entries, a power of two.
    pub(super) fn new(size: u32) -> Self {
        Self { mask: size.saturating_sub(1), entries: BTreeMap::new(), places: BTreeMap::new(), unplaced: 0 }
    }

    /// Takes out what `next` does not have, or has with another slot. The slot goes before the key, so that a reader
    /// never finds an old slot under a new key.
    pub(super) fn remove_stale(&mut self, next: &BTreeMap<Key, u32>) -> Vec<Write> {
        let stale: Vec<(Key, u32)> = self
            .places
            .iter()
            .filter(|(key, index)| {
                let slot = self.entries.get(index).map(|entry| entry.slot_plus_one);
                next.get(key).map(|slot| slot.saturating_add(1)) != slot
            })
            .map(|(key, index)| (*key, *index))
            .collect();
        let mut writes = Vec::new();
        for (key, index) in stale {
            writes.push((index, Entry { words: key.words, kind: key.kind, slot_plus_one: 0 }));
            let removed = Entry { kind: REMOVED, ..Entry::default() };
            writes.push((index, removed));
            self.entries.insert(index, removed);
            self.places.remove(&key);
        }
        writes
    }

    /// Puts in what `next` has and the table has not: the key first, the slot in a second write.
    pub(super) fn insert_new(&mut self, next: &BTreeMap<Key, u32>) -> Vec<Write> {
        self.unplaced = 0;
        let mut writes = Vec::new();
        for (key, slot) in next {
            if self.places.contains_key(key) {
                continue;
            }
            let home = key.hash();
            let place = (0..PROBES).map(|probe| home.wrapping_add(probe) & self.mask).find(|index| {
                self.entries.get(index).is_none_or(|entry| entry.kind == 0 || entry.kind == REMOVED)
            });
            let Some(index) = place else {
                self.unplaced += 1;
                continue;
            };
            let bare = Entry { words: key.words, kind: key.kind, slot_plus_one: 0 };
            let entry = Entry { slot_plus_one: slot.saturating_add(1), ..bare };
            writes.extend([(index, bare), (index, entry)]);
            self.entries.insert(index, entry);
            self.places.insert(*key, index);
        }
        writes
    }

    /// Keys of the last call that found no place.
    pub(super) fn unplaced(&self) -> u64 {
        self.unplaced
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The programs' search (`slot` in probe-ebpf/src/maps.rs), over a plain array.
    fn find(array: &[Entry], key: &Key) -> Option<u32> {
        let mask = u32::try_from(array.len() - 1).unwrap();
        for probe in 0..PROBES {
            let entry = &array[usize::try_from(key.hash().wrapping_add(probe) & mask).unwrap()];
            if key.is(entry) {
                return entry.slot_plus_one.checked_sub(1);
            }
            if entry.kind == 0 {
                return None;
            }
        }
        None
    }

    fn apply(array: &mut [Entry], writes: Vec<Write>) {
        for (index, entry) in writes {
            array[usize::try_from(index).unwrap()] = entry;
        }
    }

    proptest! {
        /// After any series of key sets, the programs find exactly the keys of the last one.
        #[test]
        fn the_programs_find_what_was_planned(
            rounds in prop::collection::vec(prop::collection::btree_map(0_u64..40, 0_u32..9, 0..16), 1..12)
        ) {
            let mut table = Table::new(64);
            let mut array = vec![Entry::default(); 64];
            for round in rounds {
                let next: BTreeMap<Key, u32> = round
                    .into_iter()
                    .map(|(number, slot)| (Key::number(probe_common::table::POD_IFINDEX, number), slot))
                    .collect();
                apply(&mut array, table.remove_stale(&next));
                apply(&mut array, table.insert_new(&next));
                prop_assert_eq!(table.unplaced(), 0);
                for number in 0..40 {
                    let key = Key::number(probe_common::table::POD_IFINDEX, number);
                    prop_assert_eq!(find(&array, &key), next.get(&key).copied());
                }
            }
        }
    }

    #[test]
    fn a_thousand_peers_and_their_pods_find_their_places() {
        let mut next = BTreeMap::new();
        for n in 0..1024_u32 {
            next.insert(Key::mac(1, 0x0200_0000_0000 + u64::from(n)), n);
            let address =
                u64::from_be_bytes([0, 0, 0xff, 0xff, 10, 0, n.to_be_bytes()[2], n.to_be_bytes()[3]]);
            next.insert(Key::address(probe_common::table::PEER_OUTER | 1, [0, address.to_be()]), n);
        }
        let mut table = Table::new(probe_common::table::size(2048));
        assert_eq!(table.insert_new(&next).len(), 2 * 2048);
        assert_eq!(table.unplaced(), 0);
    }
}
