//! The activation inside an expert.

use crate::arch::{self, Level, swiglu};
use crate::view::check_len;
use crate::{Result, Rounding};

/// The clamped `SwiGLU` of gpt-oss: `gate · sigmoid(alpha·gate) · (up + 1)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swiglu {
    /// Factor inside the sigmoid; 1.702 in gpt-oss.
    pub alpha: f32,
    /// Largest gate, and largest absolute value of up; 7 in gpt-oss.
    pub limit: f32,
}

impl Swiglu {
    /// The activations of pairs: `pairs` is `[2·I]` with gates at even and ups at odd places, `out` is
    /// `[I]`. Gates are clamped above, ups on both sides; NaN stays NaN.
    ///
    /// [`Rounding::Bf16`] rounds every step, [`Rounding::F16`] results.
    ///
    /// # Errors
    ///
    /// [`Error::Length`](crate::Error::Length) where there are not two elements a result.
    ///
    /// ```
    /// use moe_kernels::{Rounding, Swiglu};
    ///
    /// let plain = Swiglu { alpha: 0.0, limit: 7.0 }; // sigmoid(0) = ½
    /// let mut out = [0.0; 3];
    /// plain.apply(&[9.0, 1.0, -9.0, 1.0, 2.0, -9.0], Rounding::None, &mut out)?;
    /// assert_eq!(out, [7.0, -9.0, -6.0]);
    /// # Ok::<(), moe_kernels::Error>(())
    /// ```
    pub fn apply(self, pairs: &[f32], rounding: Rounding, out: &mut [f32]) -> Result<()> {
        check_len("pairs of swiglu", out.len().saturating_mul(2), pairs.len())?;
        let Self { alpha, limit } = self;
        let bf16 = rounding == Rounding::Bf16;
        swiglu(Level::current(), arch::Swiglu { pairs, out, alpha, limit, bf16 });
        if rounding == Rounding::F16 {
            rounding.apply(out);
        }
        Ok(())
    }
}
