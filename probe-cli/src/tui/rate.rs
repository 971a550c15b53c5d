//! What a row carries per second in one direction, whatever it is, in each measure. The model's rates, not made here.

use crate::{
    model::{Rates, VfRates},
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
    /// In one measure.
    pub(super) fn of(self, measure: Measure) -> f64 {
        match measure {
            Measure::OuterBits => self.outer_bits,
            Measure::InnerBits => self.inner_bits,
            Measure::Packets => self.packets,
        }
    }
}

impl From<Rates> for Rate {
    fn from(rates: Rates) -> Self {
        Self {
            outer_bits: rates.outer_bits_per_s,
            inner_bits: rates.inner_bits_per_s,
            packets: rates.packets_per_s,
        }
    }
}

/// A VF's packets are in no tunnel: both measures in bits are its bits, link headers included.
impl From<VfRates> for Rate {
    fn from(rates: VfRates) -> Self {
        Self { outer_bits: rates.bits_per_s, inner_bits: rates.bits_per_s, packets: rates.packets_per_s }
    }
}

/// A rate with its unit.
pub(super) fn words(value: Option<f64>, measure: Measure) -> String {
    match (value, measure) {
        (None, _) => "-".to_owned(),
        (Some(value), Measure::Packets) => format!("{} p/s", text::si(value)),
        (Some(value), _) => text::bits_per_s(value),
    }
}
