//! What is made once of a snapshot: what files want beside what there is, and the room for packets.

use super::{Comparison, MtuPath, mtu_paths, side_by_side};
use crate::{
    facts::{Snapshot, files::Chart},
    intent::{Intent, intent},
    inventory::Inventory,
};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setup {
    /// What the node's files want; none when the files that can be read are another node's.
    pub intent: Option<Intent>,
    /// That beside what the kernel has.
    pub comparison: Vec<Comparison>,
    /// Manifests of charts among the node's files.
    pub charts: Vec<Chart>,
    /// The ways that pods' packets take to other nodes, with the sizes on them.
    pub mtu: Vec<MtuPath>,
}

impl Setup {
    /// Of a snapshot and its inventory.
    pub(super) fn new(snapshot: &Snapshot, inventory: &Inventory) -> Self {
        let mtu = mtu_paths(inventory);
        let files = snapshot.files.value();
        let intent = files.map(intent);
        let comparison = intent.as_ref().map(|intent| side_by_side(intent, inventory, &mtu));
        Self {
            comparison: comparison.unwrap_or_default(),
            intent,
            charts: files.map(|files| files.charts.rows().to_vec()).unwrap_or_default(),
            mtu,
        }
    }
}
