//! A snapshot with what exists by it: made once, and handed on to everybody who needs it.

use std::{sync::Arc, time::Duration};

use super::{Inventory, inventory};
use crate::facts::{Snapshot, network::PodNetwork};

/// See the module. Nothing but the snapshot decides what is in it, whoever makes it.
#[derive(Clone, Debug)]
pub struct Joined {
    snapshot: Arc<Snapshot>,
    inventory: Arc<Inventory>,
}

impl Joined {
    /// Makes the inventory.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        let inventory = Arc::new(inventory(&snapshot));
        Self { snapshot, inventory }
    }

    /// The same snapshot with what was found in pods' network namespaces meanwhile, at that wall clock. The inventory has nothing of
    /// it, and is not made again.
    #[must_use]
    pub fn with_inside(&self, taken_at: Duration, inside: Vec<PodNetwork>) -> Self {
        let snapshot = Snapshot { taken_at, inside: Arc::new(inside), ..Snapshot::clone(&self.snapshot) };
        Self { snapshot: Arc::new(snapshot), inventory: Arc::clone(&self.inventory) }
    }

    /// What was said.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// What exists.
    pub fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    /// True for the snapshot that it was made of, and not for one that is equal: to compare all of it costs as much.
    pub fn is_of(&self, snapshot: &Arc<Snapshot>) -> bool {
        Arc::ptr_eq(&self.snapshot, snapshot)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::testdata::any;

    proptest! {
        #[test]
        fn what_is_in_pods_is_not_in_the_inventory(seed: u64, other: u64) {
            let joined = Joined::new(any(seed));
            let found = joined.with_inside(Duration::from_secs(other % 1000), any(other));
            let anew = Joined::new(Arc::clone(found.snapshot()));
            prop_assert_eq!(found.inventory(), anew.inventory());
            prop_assert!(!joined.is_of(found.snapshot()) && found.is_of(found.snapshot()));
        }
    }
}
