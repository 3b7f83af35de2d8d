//! Turning queries and keys by their position.

use ndarray::ArrayViewMut2;
use rayon::prelude::*;

use super::Rope;
use crate::arch::bf16;
use crate::view::{check_len, slice_mut};
use crate::{Error, Result, Rounding};

/// Turns every head of every row by the angles of the row's position.
///
/// `x` is `[T, heads · head_dim]`, `positions` is `[T]`. Element `i` of a head is paired with
/// `i + head_dim / 2`: `(a, b)` becomes `(a·cos − b·sin, b·cos + a·sin)`. [`Rounding::Bf16`] rounds
/// cosines, sines, products and sums; [`Rounding::F16`] only the sums.
///
/// # Errors
///
/// [`Error::Length`] where there is not one position a row, [`Error::Count`] where the rows are not
/// whole heads, [`Error::NotRowMajor`].
///
/// ```
/// use moe_kernels::{Rope, Rounding, Yarn, rotate};
/// use ndarray::array;
///
/// let plain = Yarn {
///     head_dim: 2,
///     theta: 10_000.0,
///     factor: 1.0,
///     beta_fast: 32.0,
///     beta_slow: 1.0,
///     original_context: 4096,
///     truncate: false,
/// };
/// let mut x = array![[1.0, 0.0], [1.0, 0.0]];
/// rotate(&Rope::new(&plain)?, &[0, 2], Rounding::None, x.view_mut())?;
/// assert_eq!(x, array![[1.0, 0.0], [2f32.cos(), 2f32.sin()]]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn rotate(
    rope: &Rope,
    positions: &[usize],
    rounding: Rounding,
    x: ArrayViewMut2<'_, f32>,
) -> Result<()> {
    let (tokens, width) = x.dim();
    check_len("positions of rotate", tokens, positions.len())?;
    if !width.is_multiple_of(rope.head_dim()) {
        let expected = "whole heads";
        return Err(Error::Count { argument: "columns of x of rotate", expected, found: width });
    }
    let x = slice_mut("x of rotate", x)?;
    if width == 0 {
        return Ok(());
    }
    let rows = x.par_chunks_mut(width).zip(positions).with_min_len(8);
    let half = rope.inv_freq().len();
    rows.try_for_each_init(
        || vec![0.0; 2 * half],
        |angles, (row, position)| {
            let (cos, sin) = angles.split_at_mut(half);
            rope.cos_sin(*position, cos, sin)?;
            rounding.of_sums().apply(cos);
            rounding.of_sums().apply(sin);
            for head in row.chunks_exact_mut(2 * half) {
                turn(head, cos, sin, rounding);
            }
            if rounding == Rounding::F16 {
                rounding.apply(row);
            }
            Ok(())
        },
    )
}

fn turn(head: &mut [f32], cos: &[f32], sin: &[f32], rounding: Rounding) {
    let (first, second) = head.split_at_mut(cos.len());
    let pairs = first.iter_mut().zip(second).zip(cos.iter().zip(sin));
    if rounding == Rounding::Bf16 {
        for ((a, b), (cos, sin)) in pairs {
            let turned = bf16(*a * cos) - bf16(*b * sin);
            *b = bf16(bf16(*b * cos) + bf16(*a * sin));
            *a = bf16(turned);
        }
    } else {
        for ((a, b), (cos, sin)) in pairs {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}
