//! What the sources said, as plain data that can be recorded and read back. Texts in it are hostile input.
//!
//! Here belong types and what is needed to look at their own fields. No I/O, no joins, no judgement; what exists on the
//! node is made of this in [`crate::inventory`].

mod bounded;
pub mod counters;
pub mod device_plugin;
pub mod files;
pub mod host;
pub mod ipam;
mod keys;
pub mod netlink;
pub mod network;
pub mod pci;
pub mod pods;
pub mod runs;
mod snapshot;
pub mod sriov;
#[cfg(test)]
pub(crate) mod testdata;
#[cfg(test)]
mod tests;

pub use bounded::Bounded;
pub use keys::{PeerKey, PodKey};
pub use snapshot::{OfNamespace, SCHEMA, Snapshot};
