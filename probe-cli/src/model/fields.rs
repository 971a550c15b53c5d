//! The catalogue of metrics: what is measured of one direction of a tunnel, a peer or a pod, each with its name, unit and meaning.
//! JSON documents, their description in `docs/json.md`, the screen's columns and what exports metrics are made of it. What
//! only an interface or a driver counts is no flow, and not here.

use serde::{Serialize, Serializer};

use super::Flow;

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in documents.
    pub name: &'static str,
    /// Its title over a column; none when no column shows it by itself.
    pub title: Option<&'static str>,
    /// What its number counts.
    pub unit: Unit,
    /// How its number behaves.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
    /// Its value; none when it is not known.
    pub of: fn(&Flow) -> Option<Number>,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Socket buffers of the kernel.
    Buffers,
    /// Packets.
    Packets,
    /// Bytes.
    Bytes,
    /// Packets per second.
    PacketsPerSecond,
    /// Bits per second.
    BitsPerSecond,
    /// A ratio of two numbers of one unit.
    Ratio,
}

/// How a number behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from when counting began.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// The value of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Count(u64),
    /// Any other.
    Amount(f64),
}

impl Number {
    /// As a number that columns sort by.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Amount(amount) => amount,
        }
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Amount(amount) => serializer.serialize_f64(*amount),
        }
    }
}

const fn counter(
    name: &'static str,
    unit: Unit,
    help: &'static str,
    of: fn(&Flow) -> Option<Number>,
) -> Field {
    Field { name, title: None, unit, kind: Kind::Counter, help, of }
}

const fn gauge(name: &'static str, unit: Unit, help: &'static str, of: fn(&Flow) -> Option<Number>) -> Field {
    Field { name, title: None, unit, kind: Kind::Gauge, help, of }
}

impl Field {
    const fn titled(self, title: &'static str) -> Self {
        Self { title: Some(title), ..self }
    }
}

/// Packets larger than the budget.
pub const OVERSIZE: Field =
    counter("oversize", Unit::Packets, "packets larger than the tunnel's `budget`", |flow| {
        Some(Number::Count(flow.total.oversize))
    })
    .titled("TOOBIG");

/// Inner fragments.
pub const FRAGMENTS: Field = counter("fragments", Unit::Packets, "inner IP fragments", |flow| {
    Some(Number::Count(flow.total.fragments))
})
.titled("FRAGS");

/// Bytes of the outer packets.
pub const OUTER_BYTES: Field = counter("outer_bytes", Unit::Bytes, "bytes of the outer IP packets", |flow| {
    Some(Number::Count(flow.total.outer_bytes))
})
.titled("TOTAL");

/// All of them, in the order of documents.
pub const FLOW: [Field; 10] = [
    counter("skbs", Unit::Buffers, "kernel buffers, since counting began", |flow| {
        Some(Number::Count(flow.total.skbs))
    }),
    counter("packets", Unit::Packets, "packets on the wire: each GSO or GRO segment is one", |flow| {
        Some(Number::Count(flow.total.packets))
    }),
    counter(
        "inner_bytes",
        Unit::Bytes,
        "bytes of the inner IP packets, every segment's headers included, link headers not",
        |flow| Some(Number::Count(flow.total.inner_bytes)),
    ),
    OUTER_BYTES,
    OVERSIZE,
    FRAGMENTS,
    gauge(
        "packets_per_s",
        Unit::PacketsPerSecond,
        "packets on the wire per second, over the interval",
        |flow| Some(Number::Amount(flow.rate?.packets_per_s)),
    ),
    gauge("inner_bits_per_s", Unit::BitsPerSecond, "bits of the inner IP packets per second", |flow| {
        Some(Number::Amount(flow.rate?.inner_bits_per_s))
    }),
    gauge("outer_bits_per_s", Unit::BitsPerSecond, "bits of the outer IP packets per second", |flow| {
        Some(Number::Amount(flow.rate?.outer_bits_per_s))
    }),
    gauge(
        "overhead_ratio",
        Unit::Ratio,
        "outer over inner bytes of this direction; beside `tx` and `rx` the same for both together",
        |flow| flow.overhead_ratio().map(Number::Amount),
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{model::Rates, sample::Counts};

    #[test]
    fn the_documentation_has_each_with_its_meaning() {
        let words = include_str!("../../../docs/json.md");
        let rows: Vec<String> =
            FLOW.iter().map(|field| format!("| `{}` | {} |\n", field.name, field.help)).collect();
        let rows = rows.concat();
        assert!(words.contains(&rows), "docs/json.md should have these rows:\n{rows}");
    }

    #[test]
    fn each_is_a_number_of_its_own() {
        let total =
            Counts { skbs: 1, packets: 2, inner_bytes: 30, outer_bytes: 40, oversize: 5, fragments: 6 };
        let rate = Rates { packets_per_s: 7.0, inner_bits_per_s: 8.0, outer_bits_per_s: 9.0 };
        let flow = Flow { total, rate: Some(rate) };
        let values: Vec<f64> = FLOW.iter().map(|field| (field.of)(&flow).unwrap().as_f64()).collect();
        assert_eq!(values, [1.0, 2.0, 30.0, 40.0, 5.0, 6.0, 7.0, 8.0, 9.0, 40.0 / 30.0]);
        let names: BTreeSet<&str> = FLOW.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), FLOW.len());
        // What is not known is none, and a counter always is.
        for field in FLOW {
            let known = (field.of)(&Flow::default()).is_some();
            assert_eq!(known, field.kind == Kind::Counter, "{}", field.name);
        }
    }
}
