//! Weighted sums of rows.

use super::Rows;
use super::portable::Portable;
use super::simd::Simd;

/// Adds `factors[t][i] · rows[i]` to output `t` for every row, in order.
///
/// Output `t` is the `rows.cols()` elements from `t · stride` on; `factors[t]` has as many elements
/// as there are rows.
pub(crate) fn accumulate(rows: Rows<'_>, factors: &[&[f32]], out: &mut [f32], stride: usize) {
    for (t, factors) in factors.iter().enumerate() {
        let Some(out) = out.get_mut(t * stride..).and_then(|o| o.get_mut(..rows.cols())) else {
            return;
        };
        for (i, factor) in factors.iter().enumerate().take(rows.count()) {
            for (y, w) in out.iter_mut().zip(rows.row(i)) {
                *y = Portable.mul_add_one(*factor, *w, *y);
            }
        }
    }
}
