//! A snapshot with what exists by it: made once, and handed on to everybody who needs it.

use std::sync::Arc;

use super::{Inventory, inventory};
use crate::facts::Snapshot;

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
