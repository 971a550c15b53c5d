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
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        // The nearest rank; with few values the ends are the extremes, which is honest.
        let rank = |percent: usize| values.get((last * percent + 50) / 100).copied();
        Some(Self { median: stats::median(&values)?, low: rank(10)?, high: rank(90)? })
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
        let many = Spread::of((0..=100).map(f64::from)).unwrap();
        assert_eq!((many.low, many.median, many.high), (10.0, 50.0, 90.0));
    }
}
