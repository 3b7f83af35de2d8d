//! Rotary positions.

use std::ffi::CStr;

use super::call::launch;
use super::check::Check;
use super::dtype::{FLOATS, INDICES};
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;

/// Where tokens and heads are in queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotaryLayout {
    /// `[batch, tokens, heads, size]`.
    Bsnd,
    /// `[tokens, heads, size]`.
    Tnd,
}

/// Which elements of a head are a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotaryMode {
    /// One of the first half with one of the second.
    Half,
    /// Neighbours.
    Interleave,
}

impl RotaryMode {
    fn name(self) -> &'static CStr {
        match self {
            Self::Half => c"half",
            Self::Interleave => c"interleave",
        }
    }
}

fn check_pair(
    check: Check,
    (queries, keys): (&Tensor, &Tensor),
    (cos, sin): (&Tensor, &Tensor),
    layout: RotaryLayout,
) -> Result<i64> {
    let (rank, heads, code) = match layout {
        RotaryLayout::Bsnd => (4, 2, 1),
        RotaryLayout::Tnd => (3, 1, 4),
    };
    check.rank("queries", queries, rank)?;
    check.dtype("queries", queries, FLOATS)?;
    check.same_dtype(&[("queries", queries), ("keys", keys), ("cos", cos), ("sin", sin)])?;
    let mut shape = queries.shape().to_vec();
    shape[heads] = -1;
    check.shape("keys", keys, &shape)?;
    shape[heads] = 1;
    check.shape("cos", cos, &shape)?;
    check.shape("sin", sin, &shape)?;
    Ok(code)
}

/// Rotates queries and keys in place, halves of each head against each other. `cos` and `sin` have whole rows, each half twice, and one head:
/// `[tokens, 1, size]`. The numbers of heads may differ. A factor of the rotation (`YaRN`) belongs into `cos` and `sin`.
///
/// Vendor limits on A2 and A3: heads of 64 or 128 elements.
pub fn rotate_pair(
    stream: &Stream,
    queries: &Tensor,
    keys: &Tensor,
    cos: &Tensor,
    sin: &Tensor,
    layout: RotaryLayout,
) -> Result<()> {
    let check = Check("aclnnApplyRotaryPosEmb");
    let layout = check_pair(check, (queries, keys), (cos, sin), layout)?;
    launch!(stream, attention.aclnnApplyRotaryPosEmb(queries, keys, cos, sin, layout))
}

/// [`rotate_pair`] with a choice of pairs, of which only [`RotaryMode::Half`] is there before the 950. CANN 8.3.
pub fn rotate_pair_with(
    stream: &Stream,
    queries: &Tensor,
    keys: &Tensor,
    (cos, sin): (&Tensor, &Tensor),
    layout: RotaryLayout,
    mode: RotaryMode,
) -> Result<()> {
    let check = Check("aclnnApplyRotaryPosEmbV2");
    let layout = check_pair(check, (queries, keys), (cos, sin), layout)?;
    let mode = mode.name();
    launch!(stream, attention.aclnnApplyRotaryPosEmbV2(queries, keys, cos, sin, layout, mode))
}

/// Rotates one tensor of three or four axes to another: `cos` and `sin` have its shape, or 1 where they are repeated. CANN 8.3.
///
/// Vendor limits on A2 and A3: heads of at most 895 elements, an even number.
pub fn rotate(
    stream: &Stream,
    x: &Tensor,
    cos: &Tensor,
    sin: &Tensor,
    mode: RotaryMode,
    out: &Tensor,
) -> Result<()> {
    let check = Check("aclnnRotaryPositionEmbedding");
    check.dtype("x", x, FLOATS)?;
    check.same_dtype(&[("x", x), ("cos", cos), ("sin", sin), ("out", out)])?;
    check.same_shape(&[("x", x), ("out", out)])?;
    check.same_shape(&[("cos", cos), ("sin", sin)])?;
    check.broadcast(("x", x), ("cos", cos), out)?;
    let mode = match mode {
        RotaryMode::Half => 0_i64,
        RotaryMode::Interleave => 1,
    };
    launch!(stream, attention.aclnnRotaryPositionEmbedding(x, cos, sin, mode, out))
}

/// Rotates queries `[tokens, Nq * size]` and keys `[tokens, Nk * size]` to others by the rows of a table at int64 positions `[tokens]`: a row of
/// the table has the cosines, then the sines, of half a head each.
pub fn rotate_by_table(
    stream: &Stream,
    positions: &Tensor,
    (queries, keys): (&Tensor, &Tensor),
    table: &Tensor,
    mode: RotaryMode,
    (queries_out, keys_out): (&Tensor, &Tensor),
) -> Result<()> {
    let check = Check("aclnnRopeWithSinCosCache");
    check.rank("positions", positions, 1)?;
    check.dtype("positions", positions, INDICES)?;
    check.shape("queries", queries, &[positions.dim(0), -1])?;
    check.shape("keys", keys, &[positions.dim(0), -1])?;
    check.same_shape(&[("queries", queries), ("queries_out", queries_out)])?;
    check.same_shape(&[("keys", keys), ("keys_out", keys_out)])?;
    check.rank("table", table, 2)?;
    let size = table.dim(1);
    let no_sections: Option<&[i64]> = None;
    let halves = mode == RotaryMode::Half;
    launch!(
        stream,
        attention.aclnnRopeWithSinCosCache(
            positions,
            queries,
            keys,
            table,
            no_sections,
            size,
            halves,
            queries_out,
            keys_out
        )
    )
}
