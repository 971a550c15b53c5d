//! The meaning of an inventory and two samples: rates, joins, shares. Pure: no I/O, no clock, no async, no UI.
//!
//! Rates exist nowhere else. Every screen, report and verdict is made from a [`Model`] and nothing else.

mod build;
mod interfaces;
mod sizes;
#[cfg(test)]
pub(crate) mod testdata;
mod types;
mod vfs;

pub use build::build;
pub use types::*;
