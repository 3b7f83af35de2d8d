//! Products of activations with weights.

use std::cell::RefCell;

use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::arch::{Out, Rows, dots};
use crate::view::{check_len, check_shape, slice, slice_mut};
use crate::{Matrix, Result, Rounding};

/// `y[t, r] = Σ_k x[t, k]·w[r, k] (+ bias[r])`, then rounded to bf16 where `rounding` is
/// [`Rounding::Bf16`].
///
/// `x` is `[T, w.cols()]`, `bias` `[w.rows()]`, `y` `[T, w.rows()]`. Sums are `f32` in a fixed order;
/// the weights are read once, whatever `T`. [`Rounding::F16`] rounds nothing here: a result enters
/// no product before something else has been done to it.
///
/// # Errors
///
/// [`Error::Shape`](crate::Error::Shape), [`Error::Length`](crate::Error::Length) or
/// [`Error::NotRowMajor`](crate::Error::NotRowMajor), with the argument's name.
///
/// ```
/// use lowfloat::DType;
/// use moe_kernels::{Matrix, Rounding, Strips, linear};
/// use ndarray::{Array2, array};
///
/// let bytes: Vec<u8> = [1f32, 2.0, 3.0, 4.0].iter().flat_map(|w| w.to_le_bytes()).collect();
/// let w = Matrix::dense(DType::F32, 2, Strips::new(8, vec![bytes])?)?; // [[1, 2], [3, 4]]
/// let x = array![[10.0, 1.0]];
/// let mut y = Array2::zeros((1, 2));
/// linear(x.view(), &w, Some(&[0.0, 0.5]), Rounding::None, y.view_mut())?;
/// assert_eq!(y, array![[12.0, 34.5]]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn linear<B: AsRef<[u8]> + Sync>(
    x: ArrayView2<'_, f32>,
    w: &Matrix<B>,
    bias: Option<&[f32]>,
    rounding: Rounding,
    y: ArrayViewMut2<'_, f32>,
) -> Result<()> {
    let tokens = x.nrows();
    check_shape("x of linear", [tokens, w.cols()], x.dim())?;
    check_shape("y of linear", [tokens, w.rows()], y.dim())?;
    if let Some(bias) = bias {
        check_len("bias of linear", w.rows(), bias.len())?;
    }
    let x = slice("x of linear", &x)?;
    let y = slice_mut("y of linear", y)?;
    let vectors: Vec<&[f32]> = x.chunks_exact(w.cols()).collect();
    if y.is_empty() {
        return Ok(());
    }
    let rounding = rounding.of_sums();
    let mut sums = vec![0.0; y.len()];
    sums.par_chunks_mut(tokens * 16).enumerate().try_for_each(|(chunk, sums)| {
        let rows = chunk * 16..chunk * 16 + sums.len() / tokens;
        with_rows(w, rows.clone(), |decoded| {
            dots(decoded, &vectors, Out { data: sums, row_step: tokens, vector_step: 1 });
        })?;
        if let Some(bias) = bias.and_then(|bias| bias.get(rows)) {
            for (sums, bias) in sums.chunks_exact_mut(tokens).zip(bias) {
                sums.iter_mut().for_each(|sum| *sum += bias);
            }
        }
        rounding.apply(sums);
        Ok(())
    })?;
    y.par_chunks_mut(w.rows()).enumerate().for_each(|(t, y)| {
        for (y, sums) in y.iter_mut().zip(sums.chunks_exact(tokens)) {
            *y = sums[t];
        }
    });
    Ok(())
}

/// Calls with these rows of `w`, decoded.
pub(crate) fn with_rows<B: AsRef<[u8]>, T>(
    w: &Matrix<B>,
    rows: std::ops::Range<usize>,
    call: impl FnOnce(Rows<'_>) -> T,
) -> Result<T> {
    thread_local! {
        static DECODED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    let mut decoded = DECODED.take();
    let len = rows.len() * w.cols();
    if decoded.len() < len {
        decoded.resize(len, 0.0);
    }
    for (row, decoded) in rows.zip(decoded.chunks_exact_mut(w.cols())) {
        w.decode_row(row, decoded)?;
    }
    let result = call(Rows::new(&decoded[..len], w.cols(), w.cols()));
    DECODED.set(decoded);
    Ok(result)
}
