//! What exists on the node: tunnels, peers, pods. Facts at one instant, as plain data.
//!
//! Here belong the types and the pure joins that make them from what the sources read. No I/O, no counters, no
//! rates.

mod types;

pub use types::*;
