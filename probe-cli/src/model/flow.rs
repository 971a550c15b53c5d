//! What one direction carries: totals since counting began, rates over the interval, and what both say on average.

use std::{ops::AddAssign, time::Duration};

use crate::sample::{Counts, OuterCounts, PerDirection};

/// One direction: totals since counting began, and rates over the interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flow {
    /// Totals.
    pub total: Counts,
    /// Rates; none when there is no earlier sample of the same thing.
    pub rate: Option<Rates>,
}

/// Rates over one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Socket buffers per second.
    pub skbs_per_s: f64,
    /// Wire packets per second.
    pub packets_per_s: f64,
    /// Bits per second of the inner IP packets.
    pub inner_bits_per_s: f64,
    /// Bits per second of the outer IP packets.
    pub outer_bits_per_s: f64,
    /// Packets per second that are larger than the tunnel's budget.
    pub oversize_per_s: f64,
    /// Inner IP fragments per second.
    pub fragments_per_s: f64,
}

/// Outer packets of one direction, measured on the underlay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OuterFlow {
    /// Totals.
    pub total: OuterCounts,
    /// Rates; none when there is no earlier sample of the same thing.
    pub rate: Option<OuterRates>,
}

/// Rates of outer packets over one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OuterRates {
    /// Outer IP packets per second, each fragment one.
    pub packets_per_s: f64,
    /// Bits per second.
    pub bits_per_s: f64,
    /// Those of the packets that are fragments, per second.
    pub fragments_per_s: f64,
    /// Packets of pods in no tunnel, per second; they are not in the other rates.
    pub in_clear_per_s: f64,
}

impl Flow {
    /// Outer over inner bytes, of the totals; none while nothing was carried.
    pub fn overhead_ratio(&self) -> Option<f64> {
        ratio(self.total.outer_bytes as f64, self.total.inner_bytes as f64)
    }

    /// Mean encapsulation bytes per packet, of the totals; none while nothing was carried.
    pub fn overhead_per_packet(&self) -> Option<f64> {
        let bytes = self.total.outer_bytes.saturating_sub(self.total.inner_bytes);
        ratio(bytes as f64, self.total.packets as f64)
    }

    /// Mean wire packets per socket buffer, of the totals: the GSO and GRO factor; none while nothing was carried.
    pub fn packets_per_skb(&self) -> Option<f64> {
        ratio(self.total.packets as f64, self.total.skbs as f64)
    }

    /// Mean bytes of the inner IP packet, of the totals; none while nothing was carried.
    pub fn bytes_per_packet(&self) -> Option<f64> {
        ratio(self.total.inner_bytes as f64, self.total.packets as f64)
    }
}

/// By how much a counter grew in a second; none when it is smaller than before, which makes it another thing's.
fn per_second(now: u64, before: u64, interval: Duration) -> Option<f64> {
    Some(now.checked_sub(before)? as f64 / interval.as_secs_f64())
}

impl OuterRates {
    /// Of one direction between two samples; none when these are counters of two things.
    pub(super) fn between(now: &OuterCounts, before: &OuterCounts, interval: Duration) -> Option<Self> {
        Some(Self {
            packets_per_s: per_second(now.packets, before.packets, interval)?,
            bits_per_s: per_second(now.bytes, before.bytes, interval)? * 8.0,
            fragments_per_s: per_second(now.fragments, before.fragments, interval)?,
            in_clear_per_s: per_second(now.in_clear.packets, before.in_clear.packets, interval)?,
        })
    }
}

impl Rates {
    /// Of one direction between two samples; none when these are counters of two things.
    pub(super) fn between(now: &Counts, before: &Counts, interval: Duration) -> Option<Self> {
        Some(Self {
            skbs_per_s: per_second(now.skbs, before.skbs, interval)?,
            packets_per_s: per_second(now.packets, before.packets, interval)?,
            inner_bits_per_s: per_second(now.inner_bytes, before.inner_bytes, interval)? * 8.0,
            outer_bits_per_s: per_second(now.outer_bytes, before.outer_bytes, interval)? * 8.0,
            oversize_per_s: per_second(now.oversize, before.oversize, interval)?,
            fragments_per_s: per_second(now.fragments, before.fragments, interval)?,
        })
    }

    /// Outer over inner bytes; none while nothing is carried.
    pub fn overhead_ratio(&self) -> Option<f64> {
        ratio(self.outer_bits_per_s, self.inner_bits_per_s)
    }

    /// Encapsulation's share of the outer bytes in percent; none while nothing is carried.
    pub fn overhead_share(&self) -> Option<f64> {
        let outer = self.outer_bits_per_s;
        ratio((outer - self.inner_bits_per_s).max(0.0), outer).map(|share| share * 100.0)
    }

    /// Mean wire packets per socket buffer; none while nothing is carried.
    pub fn packets_per_skb(&self) -> Option<f64> {
        ratio(self.packets_per_s, self.skbs_per_s)
    }

    /// Mean bytes of the inner IP packet; none while nothing is carried.
    pub fn bytes_per_packet(&self) -> Option<f64> {
        ratio(self.inner_bits_per_s / 8.0, self.packets_per_s)
    }

    /// Mean bytes of the outer packet, of a VF those of the frame; none while nothing is carried.
    pub fn outer_bytes_per_packet(&self) -> Option<f64> {
        ratio(self.outer_bits_per_s / 8.0, self.packets_per_s)
    }
}

/// None for nothing out of nothing.
fn ratio(of: f64, over: f64) -> Option<f64> {
    (over > 0.0).then(|| of / over)
}

impl AddAssign for Rates {
    fn add_assign(&mut self, other: Self) {
        self.skbs_per_s += other.skbs_per_s;
        self.packets_per_s += other.packets_per_s;
        self.inner_bits_per_s += other.inner_bits_per_s;
        self.outer_bits_per_s += other.outer_bits_per_s;
        self.oversize_per_s += other.oversize_per_s;
        self.fragments_per_s += other.fragments_per_s;
    }
}

impl AddAssign for OuterRates {
    fn add_assign(&mut self, other: Self) {
        self.packets_per_s += other.packets_per_s;
        self.bits_per_s += other.bits_per_s;
        self.fragments_per_s += other.fragments_per_s;
        self.in_clear_per_s += other.in_clear_per_s;
    }
}

/// A rate that is not known of one of them is not known of both.
impl AddAssign for Flow {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.rate = self.rate.zip(other.rate).map(|(one, other)| sum(one, other));
    }
}

/// A rate that is not known of one of them is not known of both.
impl AddAssign for OuterFlow {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.rate = self.rate.zip(other.rate).map(|(one, other)| sum(one, other));
    }
}

/// Two of a kind as one.
pub(super) fn sum<T: AddAssign>(mut one: T, other: T) -> T {
    one += other;
    one
}

/// Totals of both directions together.
pub fn both(flow: &PerDirection<Flow>) -> Counts {
    sum(flow.tx.total, flow.rx.total)
}

/// Rates of both directions together; none when one of them is unknown.
pub fn both_rates(flow: &PerDirection<Flow>) -> Option<Rates> {
    together(flow).rate
}

/// Both directions as one.
pub fn together(flow: &PerDirection<Flow>) -> Flow {
    sum(flow.tx, flow.rx)
}

/// Outer packets of both directions as one.
pub fn outer_together(outer: &PerDirection<OuterFlow>) -> OuterFlow {
    sum(outer.tx, outer.rx)
}

/// True when there was anything at all.
pub fn carried(flow: &PerDirection<Flow>) -> bool {
    both(flow).skbs > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_interval_has_no_average_however_much_there_was_before() {
        let total = Counts { skbs: 2, packets: 4, inner_bytes: 400, outer_bytes: 600, ..Counts::default() };
        let idle = Flow { total, rate: Some(Rates::default()) };
        let rate = idle.rate.unwrap();
        assert_eq!((rate.overhead_ratio(), rate.overhead_share()), (None, None));
        assert_eq!((rate.packets_per_skb(), rate.bytes_per_packet()), (None, None));
        assert_eq!((idle.overhead_ratio(), idle.packets_per_skb()), (Some(1.5), Some(2.0)));
        assert_eq!((idle.bytes_per_packet(), idle.overhead_per_packet()), (Some(100.0), Some(50.0)));
    }

    #[test]
    fn averages_of_an_interval_are_of_its_packets_only() {
        let rate = Rates {
            skbs_per_s: 10.0,
            packets_per_s: 40.0,
            inner_bits_per_s: 8_000.0,
            outer_bits_per_s: 10_000.0,
            ..Rates::default()
        };
        let flow = PerDirection { tx: Flow { rate: Some(rate), ..Flow::default() }, rx: Flow::default() };
        assert_eq!(both_rates(&flow), None, "one direction alone is not both");
        let flow = PerDirection { tx: flow.tx, rx: Flow { rate: Some(Rates::default()), ..Flow::default() } };
        let both = both_rates(&flow).unwrap();
        assert_eq!((both.overhead_share(), both.overhead_ratio()), (Some(20.0), Some(1.25)));
        assert_eq!((both.packets_per_skb(), both.bytes_per_packet()), (Some(4.0), Some(25.0)));
    }

    #[test]
    fn both_directions_are_added() {
        let one = Rates {
            skbs_per_s: 1.0,
            packets_per_s: 2.0,
            inner_bits_per_s: 3.0,
            outer_bits_per_s: 4.0,
            oversize_per_s: 5.0,
            fragments_per_s: 6.0,
        };
        let twice = Rates {
            skbs_per_s: 2.0,
            packets_per_s: 4.0,
            inner_bits_per_s: 6.0,
            outer_bits_per_s: 8.0,
            oversize_per_s: 10.0,
            fragments_per_s: 12.0,
        };
        let mut both = one;
        both += one;
        assert_eq!(both, twice);
        let one =
            OuterRates { packets_per_s: 1.0, bits_per_s: 2.0, fragments_per_s: 3.0, in_clear_per_s: 4.0 };
        let mut both = one;
        both += one;
        let twice =
            OuterRates { packets_per_s: 2.0, bits_per_s: 4.0, fragments_per_s: 6.0, in_clear_per_s: 8.0 };
        assert_eq!(both, twice);
    }
}
