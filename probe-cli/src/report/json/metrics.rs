//! Metrics in documents: by their names, as the catalogue has them.

use serde::{Serialize, Serializer};

use crate::model::fields::{Field, Number};

/// The metrics of something; all of them null for what is not there.
pub(in crate::report) struct Metrics<'a, T: 'static> {
    fields: &'static [Field<T>],
    of: Option<&'a T>,
}

impl<'a, T> Metrics<'a, T> {
    /// Those of `of`.
    pub(in crate::report) fn new(fields: &'static [Field<T>], of: impl Into<Option<&'a T>>) -> Self {
        Self { fields, of: of.into() }
    }
}

impl<T> Serialize for Metrics<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = |field: &Field<T>| self.of.and_then(field.of).map(Value::from);
        serializer.collect_map(self.fields.iter().map(|field| (field.name, value(field))))
    }
}

/// The value of a metric.
#[derive(Serialize)]
#[serde(untagged)]
enum Value {
    Count(u64),
    Amount(f64),
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Count(count) => Self::Count(count),
            Number::Amount(amount) => Self::Amount(amount),
        }
    }
}
