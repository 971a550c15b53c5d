//! Runs of this tool that have, or had, filters on interfaces: what is left of those that were killed can be removed.

use serde::{Deserialize, Serialize};

/// A run, by the note that it keeps while it has clsact filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFact {
    /// It holds its note. Else it was killed, and its filters stay.
    pub is_alive: bool,
    /// Where its filters are.
    pub namespace: RunNamespace,
    /// Interface indices in that namespace on which it has filters.
    pub links: Vec<u32>,
    /// How many filters it has.
    pub filters: u64,
    /// It is putting filters on and cannot say yet where.
    pub is_attaching: bool,
}

/// The network namespace of a run, against that of the snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunNamespace {
    /// The snapshot's: the run's interfaces are in its tables.
    Same,
    /// Another one.
    Other,
    /// One that nothing held any more, as far as could be seen; and its filters went with it.
    Gone,
    /// The run's note cannot be understood.
    #[default]
    Unknown,
}
