//! Runs the sources: reads a snapshot, keeps it current, attaches, takes a sample every interval.
//!
//! Here belongs the order of things in time. No decoding, no meaning, no output.

mod counting;
mod error;
mod filters;
mod helper;
mod hooks;
mod host;
mod host_files;
pub mod inside;
pub mod network;
mod note;
mod once;
pub mod openable;
mod pci_interfaces;
mod pods;
mod refresh;
mod run;
mod sources;
mod vf_counting;
mod vfs;

pub use counting::{Counting, CountingOptions};
pub use error::EngineError;
pub use helper::start_helper;
pub use host::HostOptions;
pub use once::{interfaces_up, learned_path_mtus, look, look_during, look_inside, look_over};
pub use run::{Engine, EngineOptions};
