use std::fmt;

/// How far logits are from the reference's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// The largest absolute difference; infinite when one side is not finite.
    pub max_abs: f64,
    /// The root mean square of the differences, relative to that of the reference.
    pub relative_rms: f64,
    /// The mean over the rows of the Kullback-Leibler divergence of the other from the reference, in nats.
    pub mean_kl: f64,
    /// The share of the rows, 0 to 1, where both have their maximum at the same place.
    pub top1: f64,
}

impl Distance {
    /// Compares rows of `vocab` logits.
    ///
    /// ```
    /// use testkit::golden::Distance;
    ///
    /// let distance = Distance::between(&[3.0, 4.0], &[3.0, 4.5], 2);
    /// assert_eq!((distance.max_abs, distance.relative_rms, distance.top1), (0.5, 0.1, 1.0));
    /// ```
    ///
    /// # Panics
    ///
    /// When there are no rows, when a row is not complete, or when the lengths differ.
    #[must_use]
    #[track_caller]
    pub fn between(reference: &[f32], other: &[f32], vocab: usize) -> Self {
        assert_eq!(reference.len(), other.len(), "values to compare");
        assert!(!reference.is_empty() && reference.len().is_multiple_of(vocab), "rows of {vocab}");
        let mut result = Self { max_abs: 0.0, relative_rms: 0.0, mean_kl: 0.0, top1: 0.0 };
        let (mut differences, mut squares) = (0.0, 0.0);
        for (&a, &b) in reference.iter().zip(other) {
            let (a, b) = (f64::from(a), f64::from(b));
            // `max` would lose a NaN.
            let difference = if (a - b).is_nan() { f64::INFINITY } else { (a - b).abs() };
            result.max_abs = result.max_abs.max(difference);
            differences += difference * difference;
            squares += a * a;
        }
        result.relative_rms = if differences == 0.0 { 0.0 } else { (differences / squares).sqrt() };
        for (a, b) in reference.chunks_exact(vocab).zip(other.chunks_exact(vocab)) {
            result.mean_kl += divergence(a, b);
            result.top1 += f64::from(u8::from(best(a) == best(b)));
        }
        let rows = (reference.len() / vocab) as f64;
        result.mean_kl /= rows;
        result.top1 /= rows;
        result
    }

    /// Asserts the two bounds, and names the distance if one is passed.
    ///
    /// # Panics
    ///
    /// When `max_abs` or `relative_rms` is larger, or not a number.
    #[track_caller]
    pub fn assert_within(&self, what: &str, max_abs: f64, relative_rms: f64) {
        assert!(
            self.max_abs <= max_abs && self.relative_rms <= relative_rms,
            "{what}: {self}; allowed are {max_abs:.1e} and {relative_rms:.1e}"
        );
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { max_abs, relative_rms, mean_kl, top1 } = self;
        write!(
            f,
            "max {max_abs:.1e}, relative RMS {relative_rms:.1e}, KL {mean_kl:.1e}, top-1 {top1:.3}"
        )
    }
}

/// The index of the largest value, the first of several; none when there is a NaN.
fn best(row: &[f32]) -> Option<usize> {
    if row.iter().any(|value| value.is_nan()) {
        return None;
    }
    (0..row.len()).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]))
}

/// KL(softmax(a) || softmax(b)).
fn divergence(a: &[f32], b: &[f32]) -> f64 {
    let (log_a, log_b) = (log_sum_exp(a), log_sum_exp(b));
    let terms = a.iter().zip(b).map(|(&a, &b)| {
        let (log_p, log_q) = (f64::from(a) - log_a, f64::from(b) - log_b);
        log_p.exp() * (log_p - log_q)
    });
    // Rounding can leave a little below zero.
    let sum: f64 = terms.sum();
    if sum < 0.0 { 0.0 } else { sum }
}

fn log_sum_exp(row: &[f32]) -> f64 {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|&value| f64::from(value - max).exp()).sum();
    f64::from(max) + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_have_no_distance() {
        let rows = [1.0, -2.0, 0.5, 7.0, 7.0, -30.0];
        let distance = Distance::between(&rows, &rows, 3);
        assert_eq!(distance, Distance { max_abs: 0.0, relative_rms: 0.0, mean_kl: 0.0, top1: 1.0 });
    }

    /// p = (3/4, 1/4) and q = (1/2, 1/2): KL = 3/4 ln(3/2) + 1/4 ln(1/2).
    #[test]
    fn divergence_of_two_coins() {
        let distance = Distance::between(&[3.0_f32.ln(), 0.0], &[5.0, 5.0], 2);
        let expected = 0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln();
        assert!((distance.mean_kl - expected).abs() < 1e-7, "{distance}");
    }

    #[test]
    fn rows_are_averaged() {
        let reference = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 2.0, 0.0];
        let other = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 2.0, 0.0];
        let distance = Distance::between(&reference, &other, 2);
        assert_eq!((distance.max_abs, distance.top1), (1.0, 0.75));
        assert!((distance.relative_rms - (2.0_f64 / 7.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_number_is_infinitely_far() {
        for bad in [f32::NAN, f32::INFINITY] {
            let distance = Distance::between(&[1.0, 2.0], &[1.0, bad], 2);
            assert!(distance.max_abs.is_infinite(), "{distance}");
            assert!(std::panic::catch_unwind(|| distance.assert_within("x", 1e9, 1e9)).is_err());
        }
        assert!(Distance::between(&[1.0, 2.0], &[1.0, f32::NAN], 2).top1 < 0.5);
    }

    #[test]
    #[should_panic(expected = "logits: max 5.0e-1")]
    fn bounds_are_asserted() {
        Distance::between(&[3.0, 4.0], &[3.0, 4.5], 2).assert_within("logits", 0.4, 0.2);
    }

    #[test]
    #[should_panic(expected = "relative RMS 1.0e-1")]
    fn the_relative_bound_too() {
        Distance::between(&[3.0, 4.0], &[3.0, 4.5], 2).assert_within("logits", 0.6, 0.09);
    }
}
