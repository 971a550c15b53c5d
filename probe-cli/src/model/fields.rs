//! The catalogue of metrics: what is measured of one direction of a tunnel, a peer or a pod, each with its name, title, unit, the
//! period that it is about, and its meaning. JSON documents, their description in `docs/json.md`, the screen's columns, its help
//! and what exports metrics are made of it. What only an interface or a driver counts is no flow, and not here.

use super::{Flow, OuterFlow};

/// A metric of a `T`.
#[derive(Debug)]
pub struct Field<T> {
    /// Its name in documents.
    pub name: &'static str,
    /// Its title over a column; none when no column shows it by itself.
    pub title: Option<&'static str>,
    /// What its number counts.
    pub unit: Unit,
    /// How its number behaves.
    pub kind: Kind,
    /// The time that its number is about.
    pub period: Period,
    /// What it means.
    pub help: &'static str,
    /// Its value; none when it is not known, or when there is nothing to divide by.
    pub of: fn(&T) -> Option<Number>,
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
    /// Socket buffers per second.
    BuffersPerSecond,
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

/// The time that a number is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// From when counting began.
    Total,
    /// The last interval.
    Interval,
}

impl Period {
    /// Its name in documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Interval => "interval",
        }
    }
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

impl<T> Field<T> {
    const fn counter(
        name: &'static str,
        unit: Unit,
        help: &'static str,
        of: fn(&T) -> Option<Number>,
    ) -> Self {
        Self { name, title: None, unit, kind: Kind::Counter, period: Period::Total, help, of }
    }

    const fn gauge(
        name: &'static str,
        unit: Unit,
        period: Period,
        help: &'static str,
        of: fn(&T) -> Option<Number>,
    ) -> Self {
        Self { name, title: None, unit, kind: Kind::Gauge, period, help, of }
    }

    const fn rate(name: &'static str, unit: Unit, help: &'static str, of: fn(&T) -> Option<Number>) -> Self {
        Self::gauge(name, unit, Period::Interval, help, of)
    }

    const fn titled(self, title: &'static str) -> Self {
        Self { title: Some(title), ..self }
    }
}

/// Packets per second that are larger than the budget. Those that leave are an alarm: they are cut or dropped. Those that arrive
/// have made it.
pub const OVERSIZE_RATE: Field<Flow> = Field::<Flow>::rate(
    "oversize_per_s",
    Unit::PacketsPerSecond,
    "packets too big: larger than the tunnel's `budget`; on screen those that leave, which are cut into fragments or dropped",
    |flow| Some(Number::Amount(flow.rate?.oversize_per_s)),
)
.titled("BIG/s");

/// Bytes of the outer packets.
pub const OUTER_BYTES: Field<Flow> =
    Field::<Flow>::counter("outer_bytes", Unit::Bytes, "bytes of the outer IP packets", |flow| {
        Some(Number::Count(flow.total.outer_bytes))
    })
    .titled("TOTAL");

/// Outer over inner bytes of the interval; the column shows what of the outer bytes that is.
pub const OVERHEAD: Field<Flow> = Field::<Flow>::rate(
    "interval_overhead_ratio",
    Unit::Ratio,
    "outer over inner bytes; on screen in percent of the outer bytes",
    |flow| flow.rate?.overhead_ratio().map(Number::Amount),
)
.titled("OVHEAD");

/// Mean bytes of the inner packet over the interval.
pub const MEAN_SIZE: Field<Flow> = Field::<Flow>::rate(
    "interval_bytes_per_packet",
    Unit::Bytes,
    "mean bytes of the inner IP packet, as on the wire",
    |flow| flow.rate?.bytes_per_packet().map(Number::Amount),
)
.titled("B/PKT");

/// Wire packets per socket buffer over the interval.
pub const SEGMENTS: Field<Flow> = Field::<Flow>::rate(
    "interval_packets_per_skb",
    Unit::Ratio,
    "mean packets of the wire per kernel buffer: what GSO and GRO save",
    |flow| flow.rate?.packets_per_skb().map(Number::Amount),
)
.titled("SEG/SKB");

/// All of a flow, in the order of documents.
pub const FLOW: [Field<Flow>; 18] = [
    Field::counter("skbs", Unit::Buffers, "kernel buffers", |flow| Some(Number::Count(flow.total.skbs))),
    Field::counter("packets", Unit::Packets, "packets on the wire: each GSO or GRO segment is one", |flow| {
        Some(Number::Count(flow.total.packets))
    }),
    Field::counter(
        "inner_bytes",
        Unit::Bytes,
        "bytes of the inner IP packets, every segment's headers included, link headers not",
        |flow| Some(Number::Count(flow.total.inner_bytes)),
    ),
    OUTER_BYTES,
    Field::counter(
        "oversize",
        Unit::Packets,
        "packets too big: larger than the tunnel's `budget`; those of `rx` were carried all the same",
        |flow| Some(Number::Count(flow.total.oversize)),
    ),
    Field::counter(
        "fragments",
        Unit::Packets,
        "inner IP fragments: packets that pods cut themselves",
        |flow| Some(Number::Count(flow.total.fragments)),
    ),
    Field::rate("packets_per_s", Unit::PacketsPerSecond, "packets on the wire", |flow| {
        Some(Number::Amount(flow.rate?.packets_per_s))
    }),
    Field::rate("inner_bits_per_s", Unit::BitsPerSecond, "bits of the inner IP packets", |flow| {
        Some(Number::Amount(flow.rate?.inner_bits_per_s))
    }),
    Field::rate("outer_bits_per_s", Unit::BitsPerSecond, "bits of the outer IP packets", |flow| {
        Some(Number::Amount(flow.rate?.outer_bits_per_s))
    }),
    Field::gauge(
        "overhead_ratio",
        Unit::Ratio,
        Period::Total,
        "outer over inner bytes of this direction; beside `tx` and `rx` the same for both together",
        |flow| flow.overhead_ratio().map(Number::Amount),
    ),
    Field::gauge(
        "bytes_per_packet",
        Unit::Bytes,
        Period::Total,
        "mean bytes of the inner IP packet",
        |flow| flow.bytes_per_packet().map(Number::Amount),
    ),
    Field::gauge(
        "packets_per_skb",
        Unit::Ratio,
        Period::Total,
        "mean packets of the wire per kernel buffer",
        |flow| flow.packets_per_skb().map(Number::Amount),
    ),
    Field::rate("skbs_per_s", Unit::BuffersPerSecond, "kernel buffers", |flow| {
        Some(Number::Amount(flow.rate?.skbs_per_s))
    }),
    OVERSIZE_RATE,
    Field::rate("fragments_per_s", Unit::PacketsPerSecond, "inner IP fragments", |flow| {
        Some(Number::Amount(flow.rate?.fragments_per_s))
    }),
    OVERHEAD,
    MEAN_SIZE,
    SEGMENTS,
];

/// Outer fragments per second: what full-size packets are cut into that do not fit the device below the tunnel.
pub const OUTER_FRAGMENT_RATE: Field<OuterFlow> = Field::<OuterFlow>::rate(
    "fragments_per_s",
    Unit::PacketsPerSecond,
    "outer packets that are fragments; on screen those of both directions",
    |outer| Some(Number::Amount(outer.rate?.fragments_per_s)),
)
.titled("FRAG/s");

/// All of the outer packets of a direction as the underlay device carried them, in the order of documents.
pub const OUTER: [Field<OuterFlow>; 6] = [
    Field::counter("packets", Unit::Packets, "outer IP packets, each fragment one", |outer| {
        Some(Number::Count(outer.total.packets))
    }),
    Field::counter("bytes", Unit::Bytes, "their bytes, IP headers included", |outer| {
        Some(Number::Count(outer.total.bytes))
    }),
    Field::counter("fragments", Unit::Packets, "those of the packets that are fragments", |outer| {
        Some(Number::Count(outer.total.fragments))
    }),
    Field::rate("packets_per_s", Unit::PacketsPerSecond, "outer IP packets", |outer| {
        Some(Number::Amount(outer.rate?.packets_per_s))
    }),
    Field::rate("bits_per_s", Unit::BitsPerSecond, "their bits", |outer| {
        Some(Number::Amount(outer.rate?.bits_per_s))
    }),
    OUTER_FRAGMENT_RATE,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        model::{OuterRates, Rates},
        sample::{Counts, OuterCounts},
    };

    /// The rows of a table in `docs/json.md`.
    fn rows<T>(fields: &[Field<T>]) -> String {
        let row = |field: &Field<T>| {
            let title = field.title.map_or_else(String::new, |title| format!("`{title}`"));
            format!("| `{}` | {} | {title} | {} |\n", field.name, field.period.name(), field.help)
        };
        fields.iter().map(row).collect()
    }

    #[test]
    fn the_documentation_has_each_with_its_period_its_title_and_its_meaning() {
        let words = include_str!("../../../docs/json.md");
        for rows in [rows(&FLOW), rows(&OUTER)] {
            assert!(words.contains(&rows), "docs/json.md should have these rows:\n{rows}");
        }
    }

    fn each_has_a_number_of_its_own<T: Default>(fields: &[Field<T>], of: &T, expected: &[f64]) {
        let values: Vec<f64> = fields.iter().map(|field| (field.of)(of).unwrap().as_f64()).collect();
        assert_eq!(values, expected);
        let names: BTreeSet<&str> = fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), fields.len());
        for field in fields {
            // What is not known is none, and a counter always is.
            let known = (field.of)(&T::default()).is_some();
            assert_eq!(known, field.kind == Kind::Counter, "{}", field.name);
            assert!(field.kind == Kind::Gauge || field.period == Period::Total, "{}", field.name);
            let is_rate =
                matches!(field.unit, Unit::BuffersPerSecond | Unit::PacketsPerSecond | Unit::BitsPerSecond);
            assert!(!is_rate || field.period == Period::Interval, "{}", field.name);
        }
    }

    #[test]
    fn each_is_a_number_of_its_own() {
        let total =
            Counts { skbs: 1, packets: 2, inner_bytes: 30, outer_bytes: 40, oversize: 5, fragments: 6 };
        let rate = Rates {
            skbs_per_s: 1.5,
            packets_per_s: 7.0,
            inner_bits_per_s: 8.0,
            outer_bits_per_s: 9.0,
            oversize_per_s: 11.0,
            fragments_per_s: 12.0,
        };
        let flow = Flow { total, rate: Some(rate) };
        let (ratio, mean) = (40.0 / 30.0, [1.0 / 7.0, 7.0 / 1.5]);
        each_has_a_number_of_its_own(
            &FLOW,
            &flow,
            &[
                1.0,
                2.0,
                30.0,
                40.0,
                5.0,
                6.0,
                7.0,
                8.0,
                9.0,
                ratio,
                15.0,
                2.0,
                1.5,
                11.0,
                12.0,
                9.0 / 8.0,
                mean[0],
                mean[1],
            ],
        );
        let total = OuterCounts { packets: 1, bytes: 2, fragments: 3, ..OuterCounts::default() };
        let rate = OuterRates { packets_per_s: 4.0, bits_per_s: 5.0, fragments_per_s: 6.0 };
        let outer = OuterFlow { total, rate: Some(rate) };
        each_has_a_number_of_its_own(&OUTER, &outer, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn no_two_columns_have_one_title() {
        let flow = FLOW.iter().filter_map(|field| field.title);
        let titles: Vec<&str> = flow.chain(OUTER.iter().filter_map(|field| field.title)).collect();
        assert_eq!(titles.iter().collect::<BTreeSet<_>>().len(), titles.len(), "{titles:?}");
    }
}
