//! Runs of this tool that have, or had, filters on interfaces: what is left of those that were killed can be removed.

use serde::{Deserialize, Serialize};

/// A run, by the note that it keeps while it has clsact filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFact {
    /// It holds its note. Else it was killed, and what it has is left over.
    pub is_alive: bool,
    /// Device and inode of its network namespace; zeros in a note that cannot be understood.
    pub netns: (u64, u64),
    /// Something on this machine, as seen from here, still holds that namespace.
    pub has_netns: bool,
    /// Interface indices in that namespace on which it has filters.
    pub links: Vec<u32>,
    /// How many filters it has.
    pub filters: u64,
    /// It is putting filters on and cannot say yet where.
    pub is_attaching: bool,
}
