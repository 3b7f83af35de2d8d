//! Frequencies stretched to longer contexts: `YaRN` (Peng et al. 2023, arXiv:2309.00071).

use std::f64::consts::PI;

use super::constant;
use crate::{Error, Result};

/// The constants of a model's rotary embedding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Yarn {
    /// Elements of a head; even.
    pub head_dim: usize,
    /// Base of the frequencies.
    pub theta: f64,
    /// By how much the context is extended; 1 for plain rotary embedding.
    pub factor: f64,
    /// Rotations within the original context from which on a frequency is kept.
    pub beta_fast: f64,
    /// Rotations within the original context up to which a frequency is divided by the factor.
    pub beta_slow: f64,
    /// Positions before the extension.
    pub original_context: usize,
    /// Whether the ends of the ramp are rounded outwards to whole dimensions (gpt-oss: no).
    pub truncate: bool,
}

impl Yarn {
    pub(super) fn check(&self) -> Result<()> {
        let count = |argument, expected, found, ok| {
            if ok { Ok(()) } else { Err(Error::Count { argument, expected, found }) }
        };
        let even = self.head_dim > 0 && self.head_dim.is_multiple_of(2);
        count("head_dim of YaRN", "an even number above 0", self.head_dim, even)?;
        let context = self.original_context;
        count("original_context of YaRN", "at least 1", context, context > 0)?;
        constant("theta of YaRN", "a number above 1", self.theta, {
            self.theta.is_finite() && self.theta > 1.0
        })?;
        for (name, value) in [
            ("factor of YaRN", self.factor),
            ("beta_fast of YaRN", self.beta_fast),
            ("beta_slow of YaRN", self.beta_slow),
        ] {
            constant(name, "a number above 0", value, value.is_finite() && value > 0.0)?;
        }
        Ok(())
    }

    pub(super) fn concentration(&self) -> f32 {
        if self.factor <= 1.0 { 1.0 } else { (0.1 * self.factor.ln() + 1.0) as f32 }
    }

    /// The order of operations and their precision are those of transformers
    /// (`_compute_yarn_parameters`): the ends of the ramp in f64, all else in f32.
    pub(super) fn inverse_frequencies(&self) -> Vec<f32> {
        let (low, high) = self.ramp();
        let span = (high - low) as f32;
        let frequency = |i: usize| {
            let exponent = (2 * i) as f32 / self.head_dim as f32;
            // An f64 power rounded to f32 is the correctly rounded one but for rare ties.
            let period = f64::from(self.theta as f32).powf(f64::from(exponent)) as f32;
            let kept = 1.0 / period;
            let divided = 1.0 / (self.factor as f32 * period);
            let ramp = ((i as f32 - low as f32) / span).clamp(0.0, 1.0);
            let keep = 1.0 - ramp;
            divided * (1.0 - keep) + kept * keep
        };
        (0..self.head_dim / 2).map(frequency).collect()
    }

    /// The dimensions that turn `beta_fast` and `beta_slow` times within the original context.
    fn ramp(&self) -> (f64, f64) {
        let dim = self.head_dim as f64;
        let context = self.original_context as f64;
        let turning =
            |times: f64| dim * (context / (times * 2.0 * PI)).ln() / (2.0 * self.theta.ln());
        let (mut low, mut high) = (turning(self.beta_fast), turning(self.beta_slow));
        if self.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        (low, high) = (low.max(0.0), high.min(dim - 1.0));
        // As transformers has it, against a division by zero.
        if high - low == 0.0 { (low, high + 0.001) } else { (low, high) }
    }
}
