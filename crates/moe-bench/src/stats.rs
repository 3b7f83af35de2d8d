//! Statistics of a few measurements.

use serde::{Deserialize, Serialize};

/// Where measurements lie. All zero if there are none.
///
/// ```
/// let spread = moe_bench::Spread::of(&[4.0, 1.0, 2.0, 3.0]);
/// assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.5, 4.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The smallest.
    pub min: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The largest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the sample (n − 1), 0 for a single measurement.
    pub std: f64,
}

impl Spread {
    /// That of some values, in any order.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
            return Self::default();
        };
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        let squares: f64 = sorted.iter().map(|value| (value - mean).powi(2)).sum();
        let std = (squares / (sorted.len() - 1).max(1) as f64).sqrt();
        Self { min, median: percentile(&sorted, 50.0), max, mean, std }
    }

    /// Half the distance from the smallest to the largest, as a share of the median: what a single
    /// measurement may be off by.
    #[must_use]
    pub fn relative(&self) -> f64 {
        if self.median > 0.0 { (self.max - self.min) / (2.0 * self.median) } else { 0.0 }
    }
}

/// The value below which `percent` of ascending values lie, linear between neighbours (the default of numpy); 0
/// if there are none.
///
/// ```
/// assert_eq!(moe_bench::percentile(&[1.0, 2.0, 3.0, 4.0], 50.0), 2.5);
/// assert_eq!(moe_bench::percentile(&[1.0, 2.0, 3.0, 4.0], 100.0), 4.0);
/// ```
#[must_use]
pub fn percentile(ascending: &[f64], percent: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else { return 0.0 };
    let at = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
    let below = at.floor();
    let (low, high) = (ascending[below as usize], ascending[at.ceil() as usize]);
    low + (high - low) * (at - below)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// numpy: `np.percentile([15, 20, 35, 40, 50], [40, 95, 99])`.
    #[test]
    fn percentiles_are_those_of_numpy() {
        let values = [15.0, 20.0, 35.0, 40.0, 50.0];
        assert!((percentile(&values, 40.0) - 29.0).abs() < 1e-12);
        assert!((percentile(&values, 95.0) - 48.0).abs() < 1e-12);
        assert!((percentile(&values, 99.0) - 49.6).abs() < 1e-12);
    }

    /// numpy: `np.std([2, 4, 4, 4, 5, 5, 7, 9], ddof=1)`.
    #[test]
    fn deviation_is_that_of_a_sample() {
        let spread = Spread::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert!((spread.std - 2.138_089_935_299_395).abs() < 1e-12);
        assert!((spread.mean - 5.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_and_one() {
        assert_eq!(Spread::of(&[]), Spread::default());
        let one = Spread::of(&[3.0]);
        assert_eq!(one, Spread { min: 3.0, median: 3.0, max: 3.0, mean: 3.0, std: 0.0 });
        assert!(percentile(&[], 50.0).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn a_spread_is_ordered(values in prop::collection::vec(0.0..1e6f64, 1..40)) {
            let spread = Spread::of(&values);
            prop_assert!(spread.min <= spread.median && spread.median <= spread.max);
            prop_assert!(spread.min <= spread.mean + 1e-6 && spread.mean <= spread.max + 1e-6);
            prop_assert!(spread.std <= spread.max - spread.min + 1e-6);
        }
    }
}
