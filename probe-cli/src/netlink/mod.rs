//! rtnetlink and generic netlink: the only place that imports the netlink crates. Reads facts, follows changes, configures the lab.
//!
//! Here belong requests and decoding into our own plain types ([`crate::facts::netlink`]). What the facts mean is in
//! [`crate::inventory`].

mod bridge_vlans;
mod changes;
pub mod configure;
mod decode;
mod device;
mod error;
mod ethtool;
mod exceptions;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod generic;
mod namespace;
mod neighbours;
mod pod_routes;
mod programs;
mod relevance;
mod retry;
mod rows;
mod socket;
mod source;
mod sriov;
mod statistics;
pub mod tc;
#[cfg(test)]
pub(crate) mod testdata;
mod wireguard;

pub use changes::{ChangeKind, Changes};
pub use error::NetlinkError;
pub use programs::InterfacePrograms;
pub use source::Source;
