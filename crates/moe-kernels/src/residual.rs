//! The residual stream.

use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::view::{check_shape, slice, slice_mut};
use crate::{Result, Rounding};

/// `x += y`, rounded to bf16 where `rounding` is [`Rounding::Bf16`]; both are `[T, H]`.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape) or [`Error::NotRowMajor`](crate::Error::NotRowMajor), with
/// the argument's name.
///
/// ```
/// use moe_kernels::{Rounding, add};
/// use ndarray::array;
///
/// let mut x = array![[1.0, 256.0]];
/// add(x.view_mut(), array![[2.0, 1.0]].view(), Rounding::Bf16)?;
/// assert_eq!(x, array![[3.0, 256.0]]); // bf16 has no 257
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn add(x: ArrayViewMut2<'_, f32>, y: ArrayView2<'_, f32>, rounding: Rounding) -> Result<()> {
    check_shape("y of add", [x.nrows(), x.ncols()], y.dim())?;
    let y = slice("y of add", y)?;
    let x = slice_mut("x of add", x)?;
    let rounding = rounding.of_sums();
    x.par_chunks_mut(PIECE).zip(y.par_chunks(PIECE)).for_each(|(x, y)| {
        for (x, y) in x.iter_mut().zip(y) {
            *x += y;
        }
        rounding.apply(x);
    });
    Ok(())
}

/// Elements per task: some microseconds of work.
const PIECE: usize = 1 << 14;
