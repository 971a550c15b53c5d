//! Which pod has which device, from the files that CNI plugins leave on a node. All paths are below a root. Every file is
//! hostile input: reading is bounded, and what does not parse is counted and named.
//!
//! Whose traffic is whose is decided in [`crate::inventory`].

pub mod facts;
mod files;
mod libcni;
pub mod registry;
mod sriov_cni;

use std::path::Path;

use self::facts::PodFacts;

/// What the files below `root` say of pods.
pub fn read_files(root: &Path) -> PodFacts {
    let mut claims = PodFacts::default();
    libcni::read(root, &mut claims);
    sriov_cni::read(root, &mut claims);
    claims
}
