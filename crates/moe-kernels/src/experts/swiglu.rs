//! The activation inside an expert.

use crate::Rounding;

/// The clamped SwiGLU of gpt-oss: `gate · sigmoid(alpha·gate) · (up + 1)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swiglu {
    /// Factor inside the sigmoid; 1.702 in gpt-oss.
    pub alpha: f32,
    /// Largest gate, and largest absolute value of up; 7 in gpt-oss.
    pub limit: f32,
}

impl Swiglu {
    /// The activation of one pair. NaN stays NaN.
    ///
    /// [`Rounding::Bf16`] rounds every step, [`Rounding::F16`] the result.
    ///
    /// ```
    /// use moe_kernels::{Rounding, Swiglu};
    ///
    /// let plain = Swiglu { alpha: 0.0, limit: 7.0 }; // sigmoid(0) = ½
    /// assert_eq!(plain.apply(9.0, 1.0, Rounding::None), 7.0);
    /// assert_eq!(plain.apply(-9.0, 1.0, Rounding::None), -9.0);
    /// assert_eq!(plain.apply(2.0, -9.0, Rounding::None), -6.0);
    /// ```
    #[must_use]
    #[inline]
    pub fn apply(self, gate: f32, up: f32, rounding: Rounding) -> f32 {
        let step = |value| rounding.of_sums().round(value);
        let gate = step(if gate > self.limit { self.limit } else { gate });
        let up = step(if up > self.limit {
            self.limit
        } else if up < -self.limit {
            -self.limit
        } else {
            up
        });
        let sigmoid = step(1.0 / (1.0 + (-step(gate * self.alpha)).exp()));
        rounding.round(step(up + 1.0) * step(gate * sigmoid))
    }
}
