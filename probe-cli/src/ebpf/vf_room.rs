//! Where a VF's interface finds room in one set of maps: its slot, and its place in the table of interfaces. Pure.
//!
//! The programs know an interface by its index alone, which says nothing across network namespaces: two of the same index
//! cannot be in one set.

use std::collections::BTreeMap;

use probe_common::{keys::IfaceConfig, limits::TUNNELS};

use super::plan;

/// Bytes that the programs add to an IP packet for its "outer" one: with an untagged Ethernet header that is the frame.
const FRAME_OVERHEAD: u32 = 14;

/// The table of interfaces of one set of maps, by index.
#[derive(Clone, Debug, Default)]
pub(super) struct Room(BTreeMap<u32, IfaceConfig>);

impl Room {
    /// True when [`Self::add`] would find a place.
    pub(super) fn fits(&self, ifindex: u32) -> bool {
        self.clone().add(ifindex, 0).is_some()
    }

    /// Gives an interface the lowest free slot and a place in the table: what is to be written, and where.
    pub(super) fn add(&mut self, ifindex: u32, mtu: u32) -> Option<(u32, IfaceConfig)> {
        let is_free = |slot: &u32| self.0.values().all(|config| config.tunnel != *slot);
        let slot = (0..TUNNELS).find(is_free)?;
        if self.0.values().any(|config| config.ifindex == ifindex) {
            return None;
        }
        let config = IfaceConfig {
            ifindex,
            tunnel: slot,
            overhead: FRAME_OVERHEAD,
            budget: mtu,
            // A frame to a group leaves once.
            flood: 1,
            ..IfaceConfig::default()
        };
        plan::place(&mut self.0, config).map(|index| (index, config))
    }

    /// The interface has another MTU: what is to be written, and where.
    pub(super) fn set_mtu(&mut self, ifindex: u32, mtu: u32) -> Option<(u32, IfaceConfig)> {
        let mut entries = self.0.iter_mut();
        let (index, config) = entries.find(|(_, config)| config.ifindex == ifindex)?;
        config.budget = mtu;
        Some((*index, *config))
    }

    /// Takes an interface out: where its entry was.
    pub(super) fn remove(&mut self, ifindex: u32) -> Option<u32> {
        let index = self.0.iter().find(|(_, config)| config.ifindex == ifindex).map(|(index, _)| *index)?;
        self.0.remove(&index);
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_are_slots_and_no_index_twice() {
        let mut room = Room::default();
        for (ifindex, slot) in (100..100 + TUNNELS).zip(0..) {
            let (index, config) = room.add(ifindex, 1500).unwrap();
            assert_eq!((index, config.tunnel, config.ifindex), (ifindex % 64, slot, ifindex));
            assert_eq!((config.overhead, config.budget, config.flood), (14, 1500, 1));
            assert!(!room.fits(ifindex));
        }
        assert!(!room.fits(3), "no slot is left");
        assert_eq!((room.remove(103), room.remove(103)), (Some(39), None));
        let (index, config) = room.add(3, 9000).unwrap();
        assert_eq!((index, config.tunnel), (3, 3));
        let (again, changed) = room.set_mtu(3, 1500).unwrap();
        assert_eq!((again, changed), (index, IfaceConfig { budget: 1500, ..config }));
        assert_eq!(room.set_mtu(103, 1500), None);
    }

    #[test]
    fn indices_that_collide_find_a_place_near_by_or_none() {
        let mut room = Room::default();
        for round in 0..4 {
            assert_eq!(room.add(5 + 64 * round, 1500).map(|(index, _)| index), Some(5 + round));
        }
        assert!(!room.fits(5 + 64 * 4) && room.fits(9));
        // Whoever is found farther from home stays found when another goes.
        assert_eq!(room.remove(5), Some(5));
        assert_eq!(room.set_mtu(5 + 64, 1400).map(|(index, _)| index), Some(6));
        assert!(!room.fits(5 + 64), "it is there already");
    }
}
