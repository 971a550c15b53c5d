//! The performance gate: what a node's overlay carries beside the node itself, and whether that got worse.
//!
//! Pure are [`metric`] (what is measured), [`plan`] (what runs next), [`result`] (the document), [`facts`] (what a path is like), [`rounds`] (which rounds count),
//! [`instruments`] with [`encapsulation`] (what eBPF shows), [`stats`], [`gate`] with [`basis`], [`history`] and [`margin`] (the verdict), [`explain`] (the cause), [`trend`] and [`wire`] (messages between two machines).
//! [`drive`] sends and serves, [`meter`] reads what the machine did; they are outside.

pub mod basis;
pub mod drive;
pub mod encapsulation;
pub mod explain;
pub mod facts;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod gate;
pub mod history;
pub mod instruments;
pub mod margin;
pub mod meter;
pub mod metric;
pub mod plan;
pub mod random;
pub mod result;
pub mod rounds;
pub mod stats;
#[cfg(test)]
pub(crate) mod testdata;
#[cfg(test)]
mod tests;
pub mod trend;
pub mod wire;
