//! Hodges and Lehmann's estimators with their exact intervals: the middle of one sample, and by how much a second one is shifted.

use std::rc::Rc;

use super::exact::{Tail, Tails};

/// An estimate that can be asked for its bounds. Bounds are infinite where there are too few values for the level.
#[derive(Clone, Debug)]
pub struct Shift {
    /// Means of pairs, or differences between the samples; in order.
    values: Vec<f64>,
    tail: Rc<Tail>,
}

impl Shift {
    /// The middle of a sample, which is symmetric about it (Wilcoxon's signed ranks); none of none.
    pub fn middle(sample: &[f64], tails: &mut Tails) -> Option<Self> {
        let means = sample
            .iter()
            .enumerate()
            .flat_map(|(at, a)| sample.iter().skip(at).map(move |b| f64::midpoint(*a, *b)));
        Self::of(means.collect(), tails.signed_rank(sample.len()))
    }

    /// By how much `new` is above `base`, whatever the shape that they share (Mann and Whitney); none without values.
    pub fn between(base: &[f64], new: &[f64], tails: &mut Tails) -> Option<Self> {
        let differences = base.iter().flat_map(|base| new.iter().map(move |new| new - base));
        Self::of(differences.collect(), tails.rank_sum(base.len(), new.len()))
    }

    fn of(mut values: Vec<f64>, tail: Rc<Tail>) -> Option<Self> {
        values.sort_unstable_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self { values, tail })
    }

    /// The estimate.
    pub fn estimate(&self) -> f64 {
        super::median_of_sorted(&self.values).unwrap_or(f64::NAN)
    }

    /// The truth is below this with at most this probability.
    pub fn low(&self, level: f64) -> f64 {
        let at = self.tail.largest_within(level).and_then(|at| self.values.get(at));
        at.copied().unwrap_or(f64::NEG_INFINITY)
    }

    /// The truth is above this with at most this probability.
    pub fn high(&self, level: f64) -> f64 {
        let at = self.tail.largest_within(level).and_then(|at| self.values.iter().rev().nth(at));
        at.copied().unwrap_or(f64::INFINITY)
    }

    /// Probability of values like these where the truth is not above zero: `low(level) > 0` just when this is at most `level`.
    pub fn p_positive(&self) -> f64 {
        self.tail.at_most(self.values.partition_point(|value| *value <= 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hollander and Wolfe, Nonparametric Statistical Methods, example 3.1: the estimate, and the interval of 96 %.
    #[test]
    fn the_middle_as_published() {
        // In thousandths.
        let before = [1830.0, 500.0, 1620.0, 2480.0, 1680.0, 1880.0, 1550.0, 3060.0, 1300.0];
        let after = [878.0, 647.0, 598.0, 2050.0, 1060.0, 1290.0, 1060.0, 3140.0, 1290.0];
        let differences: Vec<f64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        let shift = Shift::middle(&differences, &mut Tails::default()).unwrap();
        assert!((shift.estimate() - -460.0).abs() < 1e-9, "{}", shift.estimate());
        let bounds = (shift.low(0.02), shift.high(0.02));
        assert!((bounds.0 - -786.0).abs() < 1e-9 && (bounds.1 - -10.0).abs() < 1e-9, "{bounds:?}");
    }

    #[test]
    fn a_shift_is_found_with_its_exact_bounds() {
        let base: Vec<f64> = (0..10).map(f64::from).collect();
        let new: Vec<f64> = base.iter().map(|value| value + 100.0).collect();
        let shift = Shift::between(&base, &new, &mut Tails::default()).unwrap();
        assert!((shift.estimate() - 100.0).abs() < 1e-9);
        // 23 is the critical value for 10 and 10 at .025: the 24th difference from either end.
        let mut differences: Vec<f64> =
            base.iter().flat_map(|base| new.iter().map(move |new| new - base)).collect();
        differences.sort_by(f64::total_cmp);
        assert_eq!((shift.low(0.025), shift.high(0.025)), (differences[23], differences[76]));
        assert!(shift.p_positive() < 1e-5);
        assert!(Shift::between(&new, &base, &mut Tails::default()).unwrap().p_positive() > 0.9999);
    }

    #[test]
    fn the_bound_and_the_probability_agree() {
        let mut tails = Tails::default();
        let base = [0.1, 0.5, -0.2, 0.3, 0.0, 0.4, -0.1, 0.2];
        for step in 0..40 {
            let new: Vec<f64> = base.iter().map(|value| value * 1.1 + f64::from(step) * 0.02).collect();
            let shifts = [Shift::between(&base, &new, &mut tails), Shift::middle(&new, &mut tails)];
            for shift in shifts.map(Option::unwrap) {
                for level in [0.001, 0.0025, 0.01, 0.05, 0.2] {
                    assert_eq!(shift.low(level) > 0.0, shift.p_positive() <= level, "{step} {level}");
                }
            }
        }
    }

    #[test]
    fn too_few_values_bound_nothing() {
        let mut tails = Tails::default();
        let shift = Shift::between(&[1.0, 2.0], &[3.0, 4.0], &mut tails).unwrap();
        assert_eq!((shift.low(0.01), shift.high(0.01)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(
            Shift::between(&[], &[1.0], &mut tails).is_none() && Shift::middle(&[], &mut tails).is_none()
        );
    }

    #[test]
    fn a_quarter_of_wild_values_moves_the_middle_little() {
        let mut sample: Vec<f64> = (0..20).map(|n| f64::from(n % 5) * 0.01).collect();
        let steady = Shift::middle(&sample, &mut Tails::default()).unwrap().estimate();
        for value in sample.iter_mut().take(5) {
            *value = 1e6;
        }
        let wild = Shift::middle(&sample, &mut Tails::default()).unwrap().estimate();
        assert!((wild - steady).abs() < 0.02, "{steady} {wild}");
    }
}
