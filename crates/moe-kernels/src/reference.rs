//! The operations of a gpt-oss layer as plainly as they can be written, for tests to compare with.
//!
//! One token at a time, one loop a sum, no threads and no vectors. Weights are `f32`, to which every
//! stored format widens exactly; activations, sums and results are `f64`, so that what a kernel
//! differs by is the kernel's own error. The exceptions are [`inverse_frequencies`] and the angles
//! of [`cos_sin`]: the model defines those in `f32`, and is trained with the rounding.
//!
//! Matrices are row-major, `[out, in]`. Lengths that do not fit each other are an [`Error`].
//!
//! ```
//! use moe_kernels::reference::{Expert, Swiglu, linear, mixture, rms_norm, route};
//!
//! // The second half of a layer: norm, router, experts (all the same here), residual.
//! let x = [3.0, -4.0];
//! let t = rms_norm(&x, &[1.0, 1.0], 0.0)?;
//! let choices = route(&linear(&t, &[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], None)?, 2)?;
//! assert_eq!([choices[0].expert, choices[1].expert], [0, 2]);
//!
//! let (gate_up, down) = ([0.0; 4], [0.0; 2]);
//! let expert = Expert {
//!     gate_up: &gate_up,
//!     gate_up_bias: &[0.0; 2],
//!     down: &down,
//!     down_bias: &[0.5, -0.5],
//!     swiglu: Swiglu { alpha: 1.702, limit: 7.0 },
//! };
//! let y = mixture(&t, &choices, &[expert; 3])?;
//! assert!((x[0] + y[0] - 3.5).abs() < 1e-12 && (x[1] + y[1] + 4.5).abs() < 1e-12);
//! # Ok::<(), moe_kernels::Error>(())
//! ```

#![forbid(unsafe_code)]

mod attention;
mod experts;
mod linear;
mod norm;
#[cfg(test)]
mod properties;
mod rope;
mod router;

pub use attention::{attend, attend_head};
pub use experts::{Expert, Swiglu, mixture, swiglu};
pub use linear::linear;
pub use norm::rms_norm;
pub use rope::{YarnScaling, concentration, cos_sin, inverse_frequencies, rotate};
pub use router::{Choice, route};

use crate::{Error, Result};

fn check(argument: &'static str, expected: usize, found: usize) -> Result<()> {
    if expected == found { Ok(()) } else { Err(Error::Length { argument, expected, found }) }
}

/// How many rows of `row` elements `len` elements are: at least one, and none of them cut.
fn whole_rows(argument: &'static str, row: usize, len: usize) -> Result<usize> {
    match len.checked_div(row) {
        Some(rows) if rows > 0 && rows * row == len => Ok(rows),
        rows => {
            let expected = row.max(1).saturating_mul(rows.unwrap_or(0) + 1);
            Err(Error::Length { argument, expected, found: len })
        }
    }
}

/// `Σ a·b`, in order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
