//! What tables show of metrics: one number for a row, whatever the row is of. A column that is here has its title, its meaning on
//! the help screen, its cells and its order from here.

use super::{Number, flow, link};
use crate::{
    model::{
        Dropped, Flow, OuterFlow, PeerAnswers, Rates, VfRates, both_rates, flow::sum, outer_together,
        together,
    },
    sample::PerDirection,
    text,
};

/// What a row carries: of these what it has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// Through tunnels.
    pub flow: Option<PerDirection<Flow>>,
    /// Outer packets of that, measured on the underlay.
    pub outer: Option<PerDirection<OuterFlow>>,
    /// By an interface.
    pub link: Option<PerDirection<VfRates>>,
    /// By an interface whose frames eBPF counts.
    pub wire: Option<PerDirection<Rates>>,
    /// What the kernel drops of it and should not.
    pub dropped: Option<Dropped>,
    /// What probes to it come to.
    pub answers: Option<PeerAnswers>,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Three digits with a unit prefix.
    Rate,
    /// Percent with a decimal.
    Percent,
    /// Without decimals.
    Whole,
    /// With a decimal.
    Tenths,
    /// Bytes with a unit.
    Bytes,
    /// Three digits of milliseconds.
    Milliseconds,
}

/// A column of numbers.
#[derive(Debug)]
pub struct Column {
    /// Its title.
    pub title: &'static str,
    /// What it means, for people who see the title.
    pub help: &'static str,
    /// Columns of the terminal it needs.
    pub width: u16,
    /// Which columns go first where there is no room: the largest. 0 never goes.
    pub rank: u8,
    /// How its numbers are written.
    pub format: Format,
    /// Anything but zero should not happen.
    pub is_alarm: bool,
    /// The number of a row; none when it is not known, or when there is nothing to divide by.
    pub of: fn(&Carried) -> Option<Number>,
}

/// Titles are unique.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.title == other.title
    }
}

impl Eq for Column {}

impl Column {
    /// Its number for a row.
    pub fn number(&self, row: &Carried) -> Option<f64> {
        (self.of)(row).map(Number::as_f64)
    }

    /// Its number for a row in writing.
    pub fn text(&self, row: &Carried) -> Option<String> {
        (self.of)(row).map(|number| match (self.format, number) {
            (Format::Bytes, Number::Count(bytes)) => text::bytes(bytes),
            (Format::Bytes | Format::Whole, number) => format!("{:.0}", number.as_f64()),
            (Format::Rate, number) => text::si(number.as_f64()),
            (Format::Percent, number) => format!("{:.1}%", number.as_f64()),
            (Format::Milliseconds, number) => {
                let ms = number.as_f64();
                let decimals = if ms < 9.995 { 2 } else { usize::from(ms < 99.95) };
                format!("{ms:.decimals$}")
            }
            (Format::Tenths, number) => format!("{:.1}", number.as_f64()),
        })
    }
}

/// The title of a metric.
const fn title<T>(field: &super::Field<T>) -> &'static str {
    match field.title {
        Some(title) => title,
        None => "",
    }
}

/// Encapsulation's share of the outer bytes in percent, both directions.
pub const OVERHEAD: Column = Column {
    title: title(&flow::OVERHEAD),
    help: "share of the outer bytes that is encapsulation, in the last interval",
    width: 6,
    rank: 15,
    format: Format::Percent,
    is_alarm: false,
    of: |row| both_rates(row.flow.as_ref()?)?.overhead_share().map(Number::Amount),
};

/// Packets too big that leave, per second. Those that arrive were carried.
pub const OVERSIZE: Column = Column {
    title: title(&flow::OVERSIZE_RATE),
    help: "outgoing packets too big for the tunnel: fragmented or dropped",
    width: 6,
    rank: 3,
    format: Format::Rate,
    is_alarm: true,
    of: |row| (flow::OVERSIZE_RATE.of)(&row.flow?.tx),
};

/// Outer fragments per second, both directions.
pub const FRAGMENTS: Column = Column {
    title: title(&flow::OUTER_FRAGMENT_RATE),
    help: "outer packets that are fragments, both directions",
    width: 6,
    rank: 2,
    format: Format::Rate,
    is_alarm: true,
    of: |row| (flow::OUTER_FRAGMENT_RATE.of)(&outer_together(row.outer.as_ref()?)),
};

/// Packets of pods in no tunnel per second, both directions.
pub const IN_CLEAR: Column = Column {
    title: title(&flow::IN_CLEAR_RATE),
    help: "pods' packets on the NIC outside every tunnel, both directions",
    width: 7,
    rank: 4,
    format: Format::Rate,
    is_alarm: true,
    of: |row| (flow::IN_CLEAR_RATE.of)(&outer_together(row.outer.as_ref()?)),
};

/// Mean bytes of the inner packet over the interval, or of a VF's frame, both directions.
pub const MEAN_SIZE: Column = Column {
    title: title(&flow::MEAN_SIZE),
    help: "mean bytes of the inner IP packet, as on the wire, in the last interval",
    width: 5,
    rank: 70,
    format: Format::Whole,
    is_alarm: false,
    of: |row| match row.wire {
        Some(wire) => sum(wire.tx, wire.rx).outer_bytes_per_packet().map(Number::Amount),
        None => (flow::MEAN_SIZE.of)(&together(row.flow.as_ref()?)),
    },
};

/// Wire packets per socket buffer over the interval, both directions.
pub const SEGMENTS: Column = Column {
    title: title(&flow::SEGMENTS),
    help: "wire packets per kernel buffer, what GSO and GRO save, in the last interval",
    width: 7,
    rank: 80,
    format: Format::Tenths,
    is_alarm: false,
    of: |row| match row.wire {
        Some(wire) => sum(wire.tx, wire.rx).packets_per_skb().map(Number::Amount),
        None => (flow::SEGMENTS.of)(&together(row.flow.as_ref()?)),
    },
};

/// Everything carried, outer bytes, both directions.
pub const TOTAL: Column = Column {
    title: title(&flow::OUTER_BYTES),
    help: "outer bytes so far, both directions: since the start, or since z",
    width: 9,
    rank: 80,
    format: Format::Bytes,
    is_alarm: false,
    of: |row| (flow::OUTER_BYTES.of)(&together(row.flow.as_ref()?)),
};

/// Packets that an interface drops per second, or the kernel of a tunnel, both directions.
pub const DROPS: Column = Column {
    title: title(&link::DROPS),
    help: "packets that a VF drops, or with --drops the kernel of a tunnel; \"no counters\": the VF's driver has none",
    width: 6,
    rank: 8,
    format: Format::Rate,
    is_alarm: true,
    of: |row| {
        if let Some(dropped) = row.dropped {
            return dropped.per_s.map(Number::Amount);
        }
        let both = row.link?;
        let drops = |rates: &VfRates| (link::DROPS.of)(rates).map(Number::as_f64);
        Some(Number::Amount(drops(&both.tx)? + drops(&both.rx)?))
    },
};

/// Median time to the answer of a probe, in milliseconds.
pub const RTT: Column = Column {
    title: "RTT ms",
    help: "with --probe-peers: median time to an answer, through the tunnel where it is known",
    width: 6,
    rank: 6,
    format: Format::Milliseconds,
    is_alarm: false,
    of: |row| Some(Number::Amount(row.answers?.round_trips?.p50.as_secs_f64() * 1000.0)),
};

/// Small probes that are lost, in percent.
pub const LOST: Column = Column {
    title: "LOST",
    help: "with --probe-peers: small probes that were not answered",
    width: 6,
    rank: 6,
    format: Format::Percent,
    is_alarm: true,
    of: |row| row.answers?.lost_percent.map(Number::Amount),
};

/// Large probes that are lost, in percent.
pub const LARGE_LOST: Column = Column {
    title: "LOSTBIG",
    help: "the same for probes as large as the tunnel's MTU: alone it is a black hole",
    width: 7,
    rank: 6,
    format: Format::Percent,
    is_alarm: true,
    of: |row| row.answers?.large_lost_percent.map(Number::Amount),
};

/// Those of what tunnels carry, in the order of the help screen.
pub const OF_TUNNELS: [&Column; 7] =
    [&OVERHEAD, &OVERSIZE, &FRAGMENTS, &IN_CLEAR, &MEAN_SIZE, &SEGMENTS, &TOTAL];

/// Those of interfaces only.
pub const OF_LINKS: [&Column; 1] = [&DROPS];

/// Those of probes to other nodes.
pub const OF_PROBES: [&Column; 3] = [&RTT, &LOST, &LARGE_LOST];
