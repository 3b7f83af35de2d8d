//! Root-mean-square norm.

use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::view::{check_len, check_shape, slice, slice_mut};
use crate::{Result, Rounding};

/// `y[t] = x[t] · (mean(x[t]²) + eps)^(−1/2) · weight`, each element rounded once.
///
/// `x` and `y` are `[T, H]`, `weight` is `[H]`. Squares are summed in `f64`, all else is `f32`.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape), [`Error::Length`](crate::Error::Length) or
/// [`Error::NotRowMajor`](crate::Error::NotRowMajor), with the argument's name.
///
/// ```
/// use moe_kernels::{Rounding, rms_norm};
/// use ndarray::{Array2, array};
///
/// let mut y = Array2::zeros((1, 2));
/// let x = array![[3.0, -4.0]]; // the mean of the squares is 12.5, and 12.5 + 3.5 = 4²
/// rms_norm(x.view(), &[1.0, 2.0], 3.5, Rounding::None, y.view_mut())?;
/// assert_eq!(y, array![[0.75, -2.0]]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn rms_norm(
    x: ArrayView2<'_, f32>,
    weight: &[f32],
    eps: f32,
    rounding: Rounding,
    y: ArrayViewMut2<'_, f32>,
) -> Result<()> {
    let (tokens, hidden) = x.dim();
    check_len("weight of rms_norm", hidden, weight.len())?;
    check_shape("y of rms_norm", [tokens, hidden], y.dim())?;
    let x = slice("x of rms_norm", x)?;
    let y = slice_mut("y of rms_norm", y)?;
    if hidden == 0 {
        return Ok(());
    }
    let rows = y.par_chunks_mut(hidden).zip(x.par_chunks(hidden));
    rows.with_min_len(4).for_each(|(y, x)| {
        let mean = sum_of_squares(x) / hidden as f64;
        let scale = 1.0 / (mean as f32 + eps).sqrt();
        for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
            *y = x * scale * weight;
        }
        rounding.apply(y);
    });
    Ok(())
}

/// In eight lanes, which are then summed in order.
fn sum_of_squares(x: &[f32]) -> f64 {
    let mut lanes = [0f64; 8];
    for chunk in x.chunks(8) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*x) * f64::from(*x);
        }
    }
    lanes.iter().sum()
}
