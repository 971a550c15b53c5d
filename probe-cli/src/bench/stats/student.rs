//! Student's distribution, for what is known of a few whole runs only.

/// The value that a variable of Student's distribution exceeds with this probability, below a half; found by halving, to nine digits.
pub fn student_quantile(degrees: usize, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while upper_tail(degrees, high) > probability && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..64 {
        let middle = f64::midpoint(low, high);
        if upper_tail(degrees, middle) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// Probability of more than this, which is not negative. For whole degrees of freedom it is a finite sum (Abramowitz and Stegun, 26.7.3
/// and 26.7.4).
fn upper_tail(degrees: usize, value: f64) -> f64 {
    let n = degrees as f64;
    let angle = (value / n.sqrt()).atan();
    let (sine, cosine) = (angle.sin(), angle.cos());
    let is_odd = degrees % 2 == 1;
    // Terms are products of (1/2)(3/4)... with even powers of the cosine, or of (2/3)(4/5)... with odd ones.
    let (mut term, mut sum) =
        if is_odd { (cosine, if degrees > 1 { cosine } else { 0.0 }) } else { (1.0, 1.0) };
    let mut at = if is_odd { 2.0 } else { 1.0 };
    while at + 2.0 < n {
        term *= at / (at + 1.0) * cosine * cosine;
        sum += term;
        at += 2.0;
    }
    let within = if is_odd { 2.0 / std::f64::consts::PI * (angle + sine * sum) } else { sine * sum };
    f64::midpoint(1.0, -within).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_as_published() {
        for (degrees, at_01, at_0025) in [
            (1, 31.821, 127.321),
            (2, 6.965, 14.089),
            (3, 4.541, 7.453),
            (4, 3.747, 5.598),
            (5, 3.365, 4.773),
            (6, 3.143, 4.317),
            (9, 2.821, 3.690),
            (10, 2.764, 3.581),
            (30, 2.457, 3.030),
        ] {
            for (probability, expected) in [(0.01, at_01), (0.0025, at_0025)] {
                let found = student_quantile(degrees, probability);
                assert!((found - expected).abs() < 6e-4, "{degrees} {probability}: {found}");
            }
        }
    }
}
