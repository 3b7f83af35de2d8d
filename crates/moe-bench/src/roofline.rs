//! What a machine can do at most, and how near to it a run came.

use serde::{Deserialize, Serialize};

use crate::Rates;

/// The limits of a machine, measured in the same run as all else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// Bytes a second that all threads together read from memory.
    pub bytes_per_second: f64,
    /// Multiplications and additions a second that all threads together make.
    pub flops_per_second: f64,
    /// What computed at that rate: `f32 (AVX2)`.
    pub arithmetic: String,
}

/// What has to be done, whoever does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Bytes of weights, keys and values that are read.
    pub bytes: u64,
    /// Multiplications and additions.
    pub flops: u64,
}

impl Ceiling {
    /// The limits for a precision (`f32`, `bf16`, `f16`): products of bf16 where it has such and the machine has instructions for them, those of f32
    /// otherwise; all threads.
    #[must_use]
    pub fn of(rates: &Rates, precision: &str) -> Self {
        let of = |kind: &str| rates.arithmetic.iter().find(|(name, _)| name.starts_with(kind));
        let bf16 = if precision == "bf16" { of("bf16") } else { None };
        let (arithmetic, flops) = bf16
            .or_else(|| of("f32"))
            .map_or_else(Default::default, |(name, (all, _))| (name.clone(), *all));
        Self { bytes_per_second: rates.read.0 * 1e9, flops_per_second: flops * 1e9, arithmetic }
    }

    /// The shortest time that this machine needs for some work: that of reading or that of computing, whichever is
    /// longer, as if they overlapped wholly.
    ///
    /// ```
    /// use moe_bench::{Ceiling, Work};
    ///
    /// let arithmetic = "f32".to_owned();
    /// let ceiling = Ceiling { bytes_per_second: 1e10, flops_per_second: 1e11, arithmetic };
    /// assert_eq!(ceiling.seconds(&Work { bytes: 10_000_000_000, flops: 0 }), 1.0);
    /// assert_eq!(ceiling.seconds(&Work { bytes: 0, flops: 200_000_000_000 }), 2.0);
    /// ```
    #[must_use]
    pub fn seconds(&self, work: &Work) -> f64 {
        let reading = work.bytes as f64 / self.bytes_per_second;
        reading.max(work.flops as f64 / self.flops_per_second)
    }

    /// The share of the limit that a run of `seconds` reached, 1 at most in theory; `None` for no work or no time.
    #[must_use]
    pub fn share(&self, work: &Work, seconds: f64) -> Option<f64> {
        let share = self.seconds(work) / seconds;
        (share.is_finite() && share > 0.0).then_some(share)
    }
}

impl Work {
    /// Arithmetic for each byte that is read.
    #[must_use]
    pub fn intensity(&self) -> f64 {
        self.flops as f64 / (self.bytes.max(1)) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_of_both() {
        let ceiling =
            Ceiling { bytes_per_second: 2e9, flops_per_second: 1e10, arithmetic: "f32".to_owned() };
        let work = Work { bytes: 1_000_000_000, flops: 20_000_000_000 };
        assert!((ceiling.seconds(&work) - 2.0).abs() < 1e-12);
        assert!((ceiling.share(&work, 4.0).expect("work") - 0.5).abs() < 1e-12);
        assert!((work.intensity() - 20.0).abs() < 1e-12);
    }

    #[test]
    fn no_work_has_no_share() {
        let ceiling =
            Ceiling { bytes_per_second: 1.0, flops_per_second: 1.0, arithmetic: String::new() };
        assert_eq!(ceiling.share(&Work::default(), 1.0), None);
        assert_eq!(ceiling.share(&Work { bytes: 1, flops: 1 }, 0.0), None);
    }
}
