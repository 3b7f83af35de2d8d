//! Products of activations with weights.

use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::inputs::Part;
use crate::view::{check_len, check_shape, slice, slice_mut};
use crate::{Matrix, Result, Rounding};

/// `y[t, r] = Σ_k x[t, k]·w[r, k] (+ bias[r])`, then rounded to bf16 where `rounding` is
/// [`Rounding::Bf16`].
///
/// `x` is `[T, w.cols()]`, `bias` `[w.rows()]`, `y` `[T, w.rows()]`. Sums are `f32` in a fixed order;
/// the weights are read once, whatever `T`. With [`Rounding::Bf16`] `x` holds values of bf16, as all
/// functions give them then: others may be rounded first. [`Rounding::F16`] rounds nothing here: a
/// result enters no product before something else has been done to it.
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
    let x = slice("x of linear", x)?;
    let y = slice_mut("y of linear", y)?;
    let inputs = w.inputs(x.chunks_exact(w.cols()).collect(), rounding);
    let vectors = inputs.choose(0..tokens);
    let vectors = vectors.part(0..tokens);
    let layer = Layer { w, bias, rounding: rounding.of_sums(), tokens, vectors };
    match tokens {
        _ if y.is_empty() => Ok(()),
        1 => layer.panels(0, w.rows_per_task(w.rows(), 1), y),
        _ => layer.blocks(y),
    }
}

struct Layer<'a, B> {
    w: &'a Matrix<B>,
    bias: Option<&'a [f32]>,
    rounding: Rounding,
    tokens: usize,
    vectors: Part<'a>,
}

/// Elements of results that wait to be put in order: 4 MiB, a part of a last-level cache.
const BLOCK: usize = 1 << 20;

impl<B: AsRef<[u8]> + Sync> Layer<'_, B> {
    /// All of `y`, `[tokens, rows]`.
    ///
    /// A task has all tokens of some rows, which do not lie together in `y`. So it writes a panel,
    /// `[tokens, its rows]`, and panels are copied to their places later.
    fn blocks(&self, y: &mut [f32]) -> Result<()> {
        let (tokens, rows) = (self.tokens, self.w.rows());
        let panel = self.w.rows_per_task(rows, tokens);
        let block = (BLOCK / tokens / panel).max(1) * panel;
        let mut panels = vec![0.0; tokens * usize::min(block, rows)];
        for first in (0..rows).step_by(block) {
            let count = usize::min(block, rows - first);
            let panels = &mut panels[..tokens * count];
            self.panels(first, panel, panels)?;
            y.par_chunks_exact_mut(rows).enumerate().for_each(|(token, y)| {
                let places = y[first..first + count].chunks_mut(panel);
                for (to, from) in places.zip(panels.chunks(tokens * panel)) {
                    let width = to.len();
                    to.copy_from_slice(&from[token * width..][..width]);
                }
            });
        }
        Ok(())
    }

    /// Panels of rows from `first` on, one after the other, each `[tokens, at most panel rows]`.
    fn panels(&self, first: usize, panel: usize, panels: &mut [f32]) -> Result<()> {
        let tokens = self.tokens;
        panels.par_chunks_mut(tokens * panel).enumerate().try_for_each(|(index, out)| {
            let width = out.len() / tokens;
            let first = first + index * panel;
            self.w.products(first..first + width, self.vectors, out)?;
            if let Some(bias) = self.bias.and_then(|bias| bias.get(first..first + width)) {
                for out in out.chunks_exact_mut(width) {
                    out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
                }
            }
            self.rounding.apply(out);
            Ok(())
        })
    }
}
