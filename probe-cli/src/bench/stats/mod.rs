//! Statistics without assumptions about distributions: exact intervals of ranks, levels for several questions at once, quantiles.

mod exact;
mod shift;
mod student;

pub use self::{
    exact::{Tail, Tails},
    shift::Shift,
    student::student_quantile,
};

/// The level at which each of several questions is to be decided, so that the probability of one wrong answer among all is at most
/// `level` (Holm 1979): the smallest probability at `level / m`, the next at `level / (m - 1)`, and so on until one is too large,
/// whose level is that of the rest.
pub fn holm(probabilities: &[f64], level: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    let of = |at: &usize| probabilities.get(*at).copied().unwrap_or(1.0);
    order.sort_by(|a, b| of(a).total_cmp(&of(b)));
    let mut levels = vec![level; probabilities.len()];
    let mut stopped = None;
    for (rank, at) in order.iter().enumerate() {
        let own = stopped.unwrap_or(level / (probabilities.len() - rank) as f64);
        if of(at) > own {
            stopped = Some(own);
        }
        if let Some(place) = levels.get_mut(*at) {
            *place = own;
        }
    }
    levels
}

/// The value that so many of a thousand do not exceed (nearest rank); none of none.
pub fn quantile(values: &[f64], per_mille: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, per_mille)
}

/// The same of values that are in order.
pub fn quantile_of_sorted<T: Copy>(sorted: &[T], per_mille: usize) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    let at = (sorted.len() * per_mille).div_ceil(1000).saturating_sub(1);
    sorted.get(at.min(last)).copied()
}

/// The middle one, or the mean of the two in the middle; none of none.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    median_of_sorted(&sorted)
}

fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = |index: usize| sorted.get(index).copied();
    Some(f64::midpoint(at(last / 2)?, at(last.div_ceil(2))?))
}

/// Standard deviation by the distance of the quartiles, which a few wild values do not move; none of fewer than four.
pub fn spread(values: &[f64]) -> Option<f64> {
    /// Quartiles of a normal distribution are so many standard deviations apart.
    const QUARTILES: f64 = 1.349;
    let (low, high) = (quantile(values, 250)?, quantile(values, 750)?);
    (values.len() >= 4).then_some((high - low) / QUARTILES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_steps_down_and_stops() {
        let rounded = |levels: Vec<f64>| -> Vec<i64> {
            #[expect(clippy::cast_possible_truncation, reason = "levels are below one")]
            levels.iter().map(|level| (level * 1e6).round() as i64).collect()
        };
        // The smallest passes at .05 / 4, the second fails at .05 / 3, which is the level of the others then.
        assert_eq!(rounded(holm(&[0.02, 0.01, 0.9, 0.03], 0.05)), [16_667, 12_500, 16_667, 16_667]);
        assert_eq!(rounded(holm(&[0.001, 0.002], 0.05)), [25_000, 50_000]);
        assert_eq!(rounded(holm(&[0.03, 0.002], 0.05)), [50_000, 25_000]);
        assert_eq!(rounded(holm(&[0.03, 0.04], 0.05)), [25_000, 25_000]);
        assert_eq!(holm(&[], 0.05), Vec::<f64>::new());
    }

    #[test]
    fn quantiles_are_values() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        for (per_mille, expected) in
            [(0, 1.0), (10, 1.0), (100, 10.0), (500, 50.0), (990, 99.0), (1000, 100.0)]
        {
            assert_eq!(quantile(&values, per_mille), Some(expected), "{per_mille}");
        }
        assert_eq!((quantile(&[], 500), quantile(&[3.0], 990)), (None, Some(3.0)));
        assert_eq!(
            (median(&[4.0, 1.0, 3.0, 2.0]), median(&[5.0]), median(&[])),
            (Some(2.5), Some(5.0), None)
        );
        assert_eq!(spread(&[1.0, 2.0, 3.0]), None);
        let normal = [-1.5, -1.0, -0.67, -0.3, 0.0, 0.3, 0.67, 1.0, 1e9];
        assert!((0.9..1.1).contains(&spread(&normal).unwrap()), "{:?}", spread(&normal));
    }
}
