//! Reads the tables and the pods by name, and joins them.

use crate::{
    inventory::{self, Inventory, NamedPod},
    lab,
    netlink::{NetlinkError, Source},
};

/// Everything that makes an inventory.
pub(super) struct InventorySource {
    netlink: Source,
    lab: lab::registry::Reader,
    named: Vec<NamedPod>,
}

impl InventorySource {
    /// Opens the sources in the calling thread's network namespace.
    pub(super) fn open() -> Result<Self, NetlinkError> {
        let mut source = Self {
            netlink: Source::connect()?,
            lab: lab::registry::Reader::for_current_node(),
            named: Vec::new(),
        };
        source.names_changed();
        Ok(source)
    }

    /// Looks for pods by name; true when they are others than before. Cheap when nothing changed.
    pub(super) fn names_changed(&mut self) -> bool {
        match self.lab.pods_if_changed() {
            Some(pods) if pods != self.named => {
                self.named = pods;
                true
            }
            _ => false,
        }
    }

    /// Reads everything.
    pub(super) async fn read(&self) -> Result<Inventory, NetlinkError> {
        let facts = self.netlink.facts().await?;
        Ok(inventory::inventory(&facts, &self.named))
    }
}
