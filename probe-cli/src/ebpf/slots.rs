//! Which key has which slot of a counter map. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// Slots `first..first + size`, handed out lowest first.
#[derive(Debug)]
pub(super) struct Slots<K> {
    taken: BTreeMap<K, u32>,
    free: BTreeSet<u32>,
    without: u64,
}

/// What a new set of keys changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change<K> {
    /// Keys that are gone, with the slots they had.
    pub(super) removed: Vec<(K, u32)>,
    /// Keys that are new and have a slot now.
    pub(super) added: Vec<(K, u32)>,
}

impl<K: Ord + Clone> Slots<K> {
    pub(super) fn new(first: u32, size: u32) -> Self {
        Self { taken: BTreeMap::new(), free: (first..first.saturating_add(size)).collect(), without: 0 }
    }

    /// Makes `keys` the set of those that have slots, as far as slots go. A key that stays keeps its slot. Freed
    /// slots are not handed out again before the next call, so that a packet under way cannot count for a stranger.
    pub(super) fn assign(&mut self, keys: impl IntoIterator<Item = K>) -> Change<K> {
        let wanted: BTreeSet<K> = keys.into_iter().collect();
        let gone: Vec<K> = self.taken.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        let removed: Vec<(K, u32)> =
            gone.into_iter().filter_map(|key| self.taken.remove(&key).map(|slot| (key, slot))).collect();
        let mut added = Vec::new();
        self.without = 0;
        for key in wanted {
            if self.taken.contains_key(&key) {
                continue;
            }
            match self.free.pop_first() {
                Some(slot) => {
                    self.taken.insert(key.clone(), slot);
                    added.push((key, slot));
                }
                None => self.without += 1,
            }
        }
        self.free.extend(removed.iter().map(|(_, slot)| *slot));
        Change { removed, added }
    }

    pub(super) fn get(&self, key: &K) -> Option<u32> {
        self.taken.get(key).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, u32)> {
        self.taken.iter().map(|(key, slot)| (key, *slot))
    }

    /// True when a key found no slot and a slot has become free since: the next call hands it out.
    pub(super) fn are_wanted(&self) -> bool {
        self.without > 0 && !self.free.is_empty()
    }

    /// Keys of the last call that found no slot.
    pub(super) fn without(&self) -> u64 {
        self.without
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_slots_and_freed_ones_wait_a_turn() {
        let mut slots = Slots::new(16, 3);
        let change = slots.assign(["a", "b", "c", "d"]);
        assert_eq!(change.added, [("a", 16), ("b", 17), ("c", 18)]);
        assert_eq!(slots.without(), 1);
        let change = slots.assign(["b", "c", "d"]);
        assert_eq!((change.removed, change.added), (vec![("a", 16)], vec![]));
        assert_eq!(slots.without(), 1, "the slot of a is free from the next call on");
        assert!(slots.are_wanted());
        let change = slots.assign(["b", "c", "d"]);
        assert_eq!(change.added, [("d", 16)]);
        assert!(!slots.are_wanted());
        assert_eq!((slots.get(&"b"), slots.get(&"a"), slots.without()), (Some(17), None, 0));
    }
}
