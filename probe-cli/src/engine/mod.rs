//! Runs the sources: reads the inventory, keeps it current, attaches, takes a sample every interval, makes the model.
//!
//! Here belongs the order of things in time. No decoding, no meaning, no output.

mod error;
mod host;
mod inventory;
mod pods;
mod refresh;
mod run;
mod survey;
mod vf_counting;
mod vfs;

pub use error::EngineError;
pub use host::HostOptions;
pub use run::{Engine, EngineOptions};
pub use survey::{Configured, Survey, survey};
pub use vfs::vf_facts;
