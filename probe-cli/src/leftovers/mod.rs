//! What a killed run can leave: clsact filters. How a run notes what it put where, and how the next one removes it.
//!
//! TCX links vanish with the process that holds them and leave nothing. Filters on a clsact qdisc stay, count into
//! maps that nobody reads, and change no packet; they are ours by name, and a run that still lives keeps its own.

mod record;
mod sweep;

pub use record::{DIRECTORY, Dead, Placed, Record, RunRecord, live_and_dead, made_qdiscs};
pub use sweep::{finish, sweep};
