//! A fact, or the reason why there is none. Unknown is never false and never zero.
//!
//! Here belongs the type and what every reader of it needs; not the sources that fill it.

use serde::{Deserialize, Serialize};

/// What a source found when it looked for one fact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed<T> {
    /// The fact.
    Value(T),
    /// Looked, and it is not there.
    #[default]
    Absent,
    /// Not allowed to look; names the privilege that is needed.
    Denied {
        /// The privilege, as an operator would grant it: "`CAP_NET_ADMIN`".
        need: String,
    },
    /// This kernel, driver or build cannot tell.
    Unsupported {
        /// Why, in words an operator can act on.
        why: String,
    },
    /// Looking failed.
    Failed {
        /// The error with its causes.
        error: String,
    },
}

impl<T> Observed<T> {
    /// The fact, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl<T> From<Option<T>> for Observed<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}
