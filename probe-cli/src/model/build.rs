//! Inventory and two samples to a [`Model`].

use super::Model;
use crate::{inventory::Inventory, sample::Sample};

/// What `now` means, with rates against `before`.
pub fn build(_inventory: &Inventory, _now: &Sample, _before: Option<&Sample>) -> Model {
    Model::default()
}
