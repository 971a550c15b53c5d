//! The middle of some measurements, and how far they spread.

use overlay_probe::bench::stats;

/// Median and the tenth and ninetieth percentile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    /// Half are below.
    pub(super) median: f64,
    /// A tenth is below.
    pub(super) low: f64,
    /// A tenth is above.
    pub(super) high: f64,
}

impl Spread {
    /// Of some values; none of none.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        // The nearest rank, as the tool itself has it; with fewer than ten values the ends are the extremes, which is honest.
        let rank = |per_mille| stats::quantile(&values, per_mille);
        Some(Self { median: stats::median(&values)?, low: rank(100)?, high: rank(900)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_in_the_middle() {
        assert_eq!(Spread::of([]), None);
        let one = Spread::of([3.0]).unwrap();
        assert_eq!((one.median, one.low, one.high), (3.0, 3.0, 3.0));
        let even = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert!((even.median - 2.5).abs() < 1e-9);
        let few = Spread::of((1..=9).rev().map(f64::from)).unwrap();
        assert_eq!((few.low, few.median, few.high), (1.0, 5.0, 9.0));
        let many = Spread::of((0..=100).map(f64::from)).unwrap();
        assert_eq!((many.low, many.median, many.high), (10.0, 50.0, 90.0));
    }
}
