//! Rotary position embedding with `YaRN` scaling (Peng et al. 2023, arXiv:2309.00071).

use super::{check, whole_rows};
use crate::{Error, Result};
use std::f64::consts::PI;

/// The constants of a model's `rope_scaling`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct YarnScaling {
    /// Elements of a head; even.
    pub head_dim: usize,
    /// Base of the frequencies.
    pub theta: f64,
    /// By how much the context is extended.
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

/// The angles per position, `[head_dim / 2]`, to the last bit as transformers 4.57 has them.
///
/// That is, where torch leaves powers to the C library (`ATEN_CPU_CAPABILITY=default`), which rounds
/// them correctly. Its vector code rounds one in a hundred otherwise: of the frequencies of gpt-oss,
/// those of index 6 and 10, by one unit in the last place.
///
/// With `f(i) = theta^(−2i/head_dim)` and `ramp(i)` rising from 0 at the dimension that turns
/// `beta_fast` times within the original context to 1 at the one that turns `beta_slow` times:
/// `f(i)·(1 − ramp(i)) + f(i)/factor·ramp(i)`. The ends of the ramp are computed in `f64`, all
/// else in `f32`.
///
/// ```
/// use moe_kernels::reference::{YarnScaling, inverse_frequencies};
///
/// let gpt_oss = YarnScaling {
///     head_dim: 64,
///     theta: 150_000.0,
///     factor: 32.0,
///     beta_fast: 32.0,
///     beta_slow: 1.0,
///     original_context: 4096,
///     truncate: false,
/// };
/// let inv_freq = inverse_frequencies(&gpt_oss)?;
/// assert_eq!(inv_freq[0], 1.0);
/// let last = 150_000f32.powf(-62.0 / 64.0) / 32.0;
/// assert!((inv_freq[31] / last - 1.0).abs() < 1e-6);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn inverse_frequencies(yarn: &YarnScaling) -> Result<Vec<f32>> {
    let half = half_head(yarn.head_dim)?;
    let dim = yarn.head_dim as f32;
    let (low, high) = ramp_ends(yarn);
    Ok((0..half)
        .map(|i| {
            let exponent = (2 * i) as f32 / dim;
            // Correctly rounded but for one case in millions, on every platform.
            let period = f64::from(yarn.theta as f32).powf(f64::from(exponent)) as f32;
            let (kept, divided) = (1.0 / period, 1.0 / (yarn.factor as f32 * period));
            let ramp = ((i as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0);
            // Not simplified to `ramp`: it is these roundings that the model has.
            let keep = 1.0 - ramp;
            divided * (1.0 - keep) + kept * keep
        })
        .collect())
}

/// By how much `YaRN` lengthens queries and keys: `0.1·ln(factor) + 1`, or 1 where nothing is extended.
///
/// ```
/// use moe_kernels::reference::concentration;
///
/// assert_eq!(concentration(32.0), 1.346_573_590_279_972_7);
/// assert_eq!(concentration(1.0), 1.0);
/// ```
#[must_use]
pub fn concentration(factor: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * factor.ln() + 1.0 }
}

/// Cosines and sines of a position, `[head_dim / 2]` each, times the concentration.
///
/// The angle is the `f32` product of position and frequency, as in the model; cosine and sine of
/// that angle are exact.
///
/// ```
/// use moe_kernels::reference::cos_sin;
///
/// let (cos, sin) = cos_sin(&[1.0, 0.25], 2.0, 2);
/// assert_eq!(cos, [2.0 * 2f64.cos(), 2.0 * 0.5f64.cos()]);
/// assert_eq!(sin, [2.0 * 2f64.sin(), 2.0 * 0.5f64.sin()]);
/// ```
#[must_use]
pub fn cos_sin(inv_freq: &[f32], concentration: f64, position: usize) -> (Vec<f64>, Vec<f64>) {
    let angles = inv_freq.iter().map(|f| f64::from(position as f32 * f));
    angles.map(|angle| (angle.cos() * concentration, angle.sin() * concentration)).unzip()
}

/// Rotates every head of `x`, `[heads · head_dim]`; element `i` is paired with `i + head_dim / 2`.
///
/// `cos` and `sin` are `[head_dim / 2]`, of [`cos_sin`].
///
/// ```
/// use moe_kernels::reference::rotate;
///
/// // Two heads of four; the first pair of each makes a quarter turn, the second none.
/// let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
/// let y = rotate(&x, &[0.0, 1.0], &[1.0, 0.0])?;
/// assert_eq!(y, [-3.0, 2.0, 1.0, 4.0, -7.0, 6.0, 5.0, 8.0]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn rotate(x: &[f64], cos: &[f64], sin: &[f64]) -> Result<Vec<f64>> {
    let half = cos.len();
    check("sin of the reference rotate", half, sin.len())?;
    whole_rows("x of the reference rotate", 2 * half, x.len())?;
    let mut y = Vec::with_capacity(x.len());
    for head in x.chunks_exact(2 * half) {
        let (a, b) = head.split_at(half);
        y.extend((0..half).map(|i| a[i] * cos[i] - b[i] * sin[i]));
        y.extend((0..half).map(|i| b[i] * cos[i] + a[i] * sin[i]));
    }
    Ok(y)
}

fn half_head(head_dim: usize) -> Result<usize> {
    if head_dim == 0 || !head_dim.is_multiple_of(2) {
        let expected = "an even number above 0";
        return Err(Error::Count { argument: "head_dim", expected, found: head_dim });
    }
    Ok(head_dim / 2)
}

/// The (fractional) dimensions that turn `beta_fast` and `beta_slow` times within the original context.
fn ramp_ends(yarn: &YarnScaling) -> (f64, f64) {
    let dim = yarn.head_dim as f64;
    let turning = |rotations: f64| {
        dim * (yarn.original_context as f64 / (rotations * 2.0 * PI)).ln() / (2.0 * yarn.theta.ln())
    };
    let (mut low, mut high) = (turning(yarn.beta_fast), turning(yarn.beta_slow));
    if yarn.truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    (low, high) = (low.max(0.0), high.min(dim - 1.0));
    // As transformers has it, against a division by zero.
    if high - low == 0.0 { (low, high + 0.001) } else { (low, high) }
}

#[cfg(test)]
mod tests;
