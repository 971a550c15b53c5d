//! What was asked and what came of it: unknown is never false and never zero.
//!
//! Here belongs the one type that every source answers with when a whole subject may be missing. No I/O.

use serde::{Deserialize, Serialize};

/// An answer, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed<T> {
    /// It is known.
    Value(T),
    /// It was looked for and is not there.
    #[default]
    Absent,
    /// It may not be read without this.
    Denied {
        /// What is needed: a capability, a user, a mount.
        need: String,
    },
    /// This kernel or this system has nothing of the kind.
    Unsupported {
        /// Why.
        why: String,
    },
    /// Asking failed.
    Failed {
        /// The operation, the object and the cause.
        error: String,
    },
}

impl<T> Observed<T> {
    /// The value, where there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Denied { .. } | Self::Unsupported { .. } | Self::Failed { .. } => None,
        }
    }

    /// The same answer about a borrowed value.
    pub fn as_ref(&self) -> Observed<&T> {
        match self {
            Self::Value(value) => Observed::Value(value),
            Self::Absent => Observed::Absent,
            Self::Denied { need } => Observed::Denied { need: need.clone() },
            Self::Unsupported { why } => Observed::Unsupported { why: why.clone() },
            Self::Failed { error } => Observed::Failed { error: error.clone() },
        }
    }

    /// The same answer about a value that can be changed.
    pub fn as_mut(&mut self) -> Observed<&mut T> {
        match self {
            Self::Value(value) => Observed::Value(value),
            Self::Absent => Observed::Absent,
            Self::Denied { need } => Observed::Denied { need: need.clone() },
            Self::Unsupported { why } => Observed::Unsupported { why: why.clone() },
            Self::Failed { error } => Observed::Failed { error: error.clone() },
        }
    }

    /// Why there is no value, in words; none when there is one, and when there is simply nothing.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Value(_) | Self::Absent => None,
            Self::Denied { need } => Some(format!("needs {need}")),
            Self::Unsupported { why } => Some(why.clone()),
            Self::Failed { error } => Some(error.clone()),
        }
    }

    /// The same answer with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Observed<U> {
        self.and_then(|value| Observed::Value(change(value)))
    }

    /// The answer to a further question about the value.
    pub fn and_then<U>(self, ask: impl FnOnce(T) -> Observed<U>) -> Observed<U> {
        match self {
            Self::Value(value) => ask(value),
            Self::Absent => Observed::Absent,
            Self::Denied { need } => Observed::Denied { need },
            Self::Unsupported { why } => Observed::Unsupported { why },
            Self::Failed { error } => Observed::Failed { error },
        }
    }
}

impl<T> Observed<Vec<T>> {
    /// The rows of a table that was read; none also of one that was not, which [`Self::trouble`] tells apart.
    pub fn rows(&self) -> &[T] {
        self.value().map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_why() {
        let failed = Observed::<u8>::Failed { error: "x: refused".to_owned() };
        assert_eq!((failed.value(), failed.trouble()), (None, Some("x: refused".to_owned())));
        assert_eq!(Observed::<u8>::Absent.trouble(), None);
        assert_eq!(Observed::Value(1).map(|one| one + 1).value(), Some(&2));
        assert_eq!(
            Observed::<u8>::Denied { need: "root".to_owned() }.trouble(),
            Some("needs root".to_owned())
        );
    }
}
