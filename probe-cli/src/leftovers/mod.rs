//! What a killed run can leave: clsact filters. How a run notes what it put where, and how it is removed later.
//!
//! TCX links vanish with the process that holds them and leave nothing. Filters on a clsact qdisc stay, count into
//! maps that nobody reads, and change no packet. The name says that they are ours, not whether their run lives: it may
//! be in a container whose `/run` is another. Its heartbeat says that, see [`crate::ebpf::Pulse`].

mod directory;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod record;
mod runs;
mod sweep;

pub use directory::{DIRECTORY, Dead, Found, RunDirectory, Unknown};
pub use record::{Placed, Record, RunRecord};
pub use runs::runs;
pub use sweep::{Left, Reach, SweepError, Swept, finish, sweep};
