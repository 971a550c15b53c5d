//! What a row carries per second in one direction, whatever it is, in each measure. The model's rates, not made here.

use crate::{
    model::{
        Flow, VfRates,
        fields::{self, Field, Number},
    },
    text,
    tui::measure::Measure,
};

/// By measure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    /// Bits per second of the outer IP packets.
    pub(super) outer_bits: f64,
    /// Bits per second of the inner IP packets.
    pub(super) inner_bits: f64,
    /// Packets per second.
    pub(super) packets: f64,
}

impl Rate {
    /// Of what a tunnel carries.
    pub(super) fn of_flow(flow: &Flow) -> Option<Self> {
        let of = |field: &Field<Flow>| (field.of)(flow).map(Number::as_f64);
        Some(Self {
            outer_bits: of(&fields::OUTER_BITS)?,
            inner_bits: of(&fields::INNER_BITS)?,
            packets: of(&fields::PACKETS)?,
        })
    }

    /// Of a VF, whose packets are in no tunnel: both measures in bits are its bits, link headers included.
    pub(super) fn of_link(rates: &VfRates) -> Option<Self> {
        let of = |field: &Field<VfRates>| (field.of)(rates).map(Number::as_f64);
        let bits = of(&fields::LINK_BITS)?;
        Some(Self { outer_bits: bits, inner_bits: bits, packets: of(&fields::LINK_PACKETS)? })
    }

    /// In one measure.
    pub(super) fn of(self, measure: Measure) -> f64 {
        match measure {
            Measure::OuterBits => self.outer_bits,
            Measure::InnerBits => self.inner_bits,
            Measure::OuterBytes | Measure::OuterBinary => self.outer_bits / 8.0,
            Measure::InnerBytes => self.inner_bits / 8.0,
            Measure::Packets => self.packets,
        }
    }
}

/// A rate with its unit.
pub(super) fn words(value: Option<f64>, measure: Measure) -> String {
    match (value, measure) {
        (None, _) => "-".to_owned(),
        (Some(value), Measure::Packets) => format!("{} p/s", text::si(value)),
        (Some(value), Measure::OuterBits | Measure::InnerBits) => text::bits_per_s(value),
        (Some(value), Measure::OuterBytes | Measure::InnerBytes) => text::with_unit(&text::si(value), "B/s"),
        (Some(value), Measure::OuterBinary) => text::with_unit(&number(value, measure), "B/s"),
    }
}

/// A rate as a column has it, whose title has the unit.
pub(super) fn number(value: f64, measure: Measure) -> String {
    let number = short(value, measure);
    let has_prefix = number.ends_with(|c: char| c.is_ascii_alphabetic());
    if measure == Measure::OuterBinary && has_prefix { number + "i" } else { number }
}

/// The same on the scale of a graph, whose first line has the unit.
pub(super) fn short(value: f64, measure: Measure) -> String {
    if measure == Measure::OuterBinary { text::binary(value) } else { text::si(value) }
}
