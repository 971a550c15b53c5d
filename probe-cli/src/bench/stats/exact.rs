//! The exact distributions of Wilcoxon's two statistics where nothing is to be found: the signed-rank statistic of `n` differences,
//! and the rank-sum statistic (Mann and Whitney's U) of two samples.

use std::{collections::BTreeMap, rc::Rc};

/// Cumulative probabilities of such a statistic. It is symmetric, so that the lower half says everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// Of at most 0, 1, ...
    cumulative: Vec<f64>,
    /// The largest value there is.
    most: usize,
}

impl Tail {
    /// The sum of the ranks of the positive ones among `n` differences.
    pub fn signed_rank(n: usize) -> Self {
        let most = n * (n + 1) / 2;
        let mut probabilities = vec![0.0; most / 2 + 1];
        if let Some(first) = probabilities.first_mut() {
            *first = 1.0;
        }
        for rank in 1..=n {
            for sum in (0..probabilities.len()).rev() {
                let without = at(&probabilities, sum);
                let with = sum.checked_sub(rank).map_or(0.0, |sum| at(&probabilities, sum));
                if let Some(probability) = probabilities.get_mut(sum) {
                    *probability = f64::midpoint(without, with);
                }
            }
        }
        Self::of(&probabilities, most)
    }

    /// In how many of the pairs of two samples of these sizes the first one is larger.
    pub fn rank_sum(m: usize, n: usize) -> Self {
        let most = m * n;
        let half = most / 2;
        let certain = || {
            let mut row = vec![0.0; half + 1];
            if let Some(first) = row.first_mut() {
                *first = 1.0;
            }
            row
        };
        // rows[j]: of i and j items. The largest of all is one of the i with probability i / (i + j), and is then larger than all j.
        let mut rows: Vec<Vec<f64>> = (0..=n).map(|_| certain()).collect();
        for i in 1..=m {
            let mut before = certain();
            for (j, row) in rows.iter_mut().enumerate().skip(1) {
                let share = i as f64 / (i + j) as f64;
                let end = half.min(i * j);
                let mut now = vec![0.0; half + 1];
                for (u, value) in now.iter_mut().enumerate().take(end + 1) {
                    let of_i = u.checked_sub(j).map_or(0.0, |u| at(row, u));
                    *value = share * of_i + (1.0 - share) * at(&before, u);
                }
                row.clone_from(&now);
                before = now;
            }
        }
        let last = rows.pop().unwrap_or_else(certain);
        Self::of(&last, most)
    }

    fn of(probabilities: &[f64], most: usize) -> Self {
        let mut sum = 0.0;
        let cumulative = probabilities.iter().map(|probability| {
            sum += probability;
            sum
        });
        Self { cumulative: cumulative.collect(), most }
    }

    /// Probability of at most this.
    pub fn at_most(&self, value: usize) -> f64 {
        match self.cumulative.get(value) {
            Some(probability) => *probability,
            None if value >= self.most => 1.0,
            None => 1.0 - at(&self.cumulative, self.most - value - 1),
        }
    }

    /// The largest value that is reached with at most this probability, which is below a half; none when even 0 is more likely.
    pub fn largest_within(&self, level: f64) -> Option<usize> {
        self.cumulative.partition_point(|probability| *probability <= level).checked_sub(1)
    }
}

fn at(values: &[f64], index: usize) -> f64 {
    values.get(index).copied().unwrap_or(0.0)
}

/// Distributions that were computed already.
#[derive(Clone, Debug, Default)]
pub struct Tails {
    signed_rank: BTreeMap<usize, Rc<Tail>>,
    rank_sum: BTreeMap<(usize, usize), Rc<Tail>>,
}

impl Tails {
    /// See [`Tail::signed_rank`].
    pub fn signed_rank(&mut self, n: usize) -> Rc<Tail> {
        Rc::clone(self.signed_rank.entry(n).or_insert_with(|| Rc::new(Tail::signed_rank(n))))
    }

    /// See [`Tail::rank_sum`].
    pub fn rank_sum(&mut self, m: usize, n: usize) -> Rc<Tail> {
        let (m, n) = (m.min(n), m.max(n));
        Rc::clone(self.rank_sum.entry((m, n)).or_insert_with(|| Rc::new(Tail::rank_sum(m, n))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Critical values as they are printed in textbooks (Conover, Practical Nonparametric Statistics; Siegel): the largest value
    /// that is significant, for one side.
    #[test]
    fn signed_rank_as_published() {
        for (n, at_025, at_005) in [
            (6, Some(0), None),
            (7, Some(2), None),
            (8, Some(3), Some(0)),
            (9, Some(5), Some(1)),
            (10, Some(8), Some(3)),
            (11, Some(10), Some(5)),
            (12, Some(13), Some(7)),
            (14, Some(21), Some(12)),
            (15, Some(25), Some(15)),
            (16, Some(29), Some(19)),
            (18, Some(40), Some(27)),
            (20, Some(52), Some(37)),
            (25, Some(89), Some(68)),
            (30, Some(137), Some(109)),
        ] {
            let tail = Tail::signed_rank(n);
            assert_eq!((tail.largest_within(0.025), tail.largest_within(0.005)), (at_025, at_005), "{n}");
        }
        assert_eq!(Tail::signed_rank(5).largest_within(0.025), None);
        // What bench.md's first look rests on: below nine differences .0025 cannot be reached.
        assert_eq!(Tail::signed_rank(8).largest_within(0.0025), None);
        assert_eq!(Tail::signed_rank(9).largest_within(0.0025), Some(0));
    }

    #[test]
    fn rank_sum_as_published() {
        for (m, n, at_025, at_005) in [
            (3, 5, Some(0), None),
            (4, 4, Some(0), None),
            (5, 5, Some(2), Some(0)),
            (5, 10, Some(8), Some(4)),
            (7, 9, Some(12), Some(7)),
            (8, 8, Some(13), Some(7)),
            (10, 10, Some(23), Some(16)),
            (10, 20, Some(55), Some(42)),
            (15, 15, Some(64), Some(51)),
            (20, 20, Some(127), Some(105)),
        ] {
            for (m, n) in [(m, n), (n, m)] {
                let tail = Tail::rank_sum(m, n);
                assert_eq!(
                    (tail.largest_within(0.025), tail.largest_within(0.005)),
                    (at_025, at_005),
                    "{m} {n}"
                );
            }
        }
        assert_eq!(Tail::rank_sum(3, 3).largest_within(0.025), None);
    }

    #[test]
    fn both_halves_and_both_ends() {
        for tail in
            [Tail::signed_rank(7), Tail::signed_rank(80), Tail::rank_sum(6, 9), Tail::rank_sum(80, 80)]
        {
            let most = tail.most;
            assert!((tail.at_most(most) - 1.0).abs() < 1e-12);
            for value in [0, 1, most / 3, most / 2, most / 2 + 1, most - 1] {
                let mirrored = 1.0 - if value == most { 0.0 } else { tail.at_most(most - value - 1) };
                assert!((tail.at_most(value) - mirrored).abs() < 1e-9, "{value} of {most}");
            }
        }
        // Counted by hand: three differences, 8 signs; ranks of 2 among 4.
        let three = Tail::signed_rank(3);
        for (value, eighths) in [(0, 1.0), (1, 2.0), (2, 3.0), (3, 5.0), (4, 6.0), (5, 7.0), (6, 8.0)] {
            assert!((three.at_most(value) - eighths / 8.0).abs() < 1e-12, "{value}");
        }
        let two = Tail::rank_sum(2, 2);
        for (value, sixths) in [(0, 1.0), (1, 2.0), (2, 4.0), (3, 5.0), (4, 6.0)] {
            assert!((two.at_most(value) - sixths / 6.0).abs() < 1e-12, "{value}");
        }
    }
}
