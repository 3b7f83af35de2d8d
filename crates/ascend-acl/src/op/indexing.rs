//! Rows by index, and the largest of a row.

use super::call::launch;
use super::check::Check;
use super::dtype::INDICES;
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;
use crate::sys::aclDataType;

/// Rows of a table `[rows, width]` at int32 or int64 indices of any shape: `out` has that shape and the width.
///
/// The vendor looks at no index: a negative one is a fault on the device, one beyond the table gives whatever is there.
pub fn embedding(stream: &Stream, table: &Tensor, indices: &Tensor, out: &Tensor) -> Result<()> {
    let check = Check("aclnnEmbedding");
    check.rank("table", table, 2)?;
    check.dtype("indices", indices, INDICES)?;
    check.same_dtype(&[("table", table), ("out", out)])?;
    check.shape("out", out, &[indices.shape(), &[table.dim(1)]].concat())?;
    launch!(stream, indexing.aclnnEmbedding(table, indices, out))
}

fn check_select(
    check: Check,
    x: &Tensor,
    axis: usize,
    indices: &Tensor,
    out: &Tensor,
) -> Result<i64> {
    check.dtype("indices", indices, INDICES)?;
    check.same_dtype(&[("x", x), ("out", out)])?;
    let along = check.axis("axis", axis, x)?;
    let (before, after) = (&x.shape()[..axis], &x.shape()[axis + 1..]);
    check.shape("out", out, &[before, indices.shape(), after].concat())?;
    Ok(along)
}

/// Slices of `x` at indices along an axis; `indices` int32 or int64 `[n]`, which the vendor does not look at.
pub fn index_select(
    stream: &Stream,
    x: &Tensor,
    axis: usize,
    indices: &Tensor,
    out: &Tensor,
) -> Result<()> {
    let check = Check("aclnnIndexSelect");
    check.rank("indices", indices, 1)?;
    let along = check_select(check, x, axis, indices, out)?;
    launch!(stream, indexing.aclnnIndexSelect(x, along, indices, out))
}

/// [`index_select`] with indices of any shape, whose axes take the place of the one.
pub fn gather(
    stream: &Stream,
    x: &Tensor,
    axis: usize,
    indices: &Tensor,
    out: &Tensor,
) -> Result<()> {
    let along = check_select(Check("aclnnGatherV2"), x, axis, indices, out)?;
    launch!(stream, indexing.aclnnGatherV2(x, along, indices, out))
}

/// Whether `out` has the shape of `x` without an axis, or with 1 there: then the axis is kept.
fn reduced(check: Check, x: &Tensor, axis: usize, out: &Tensor) -> Result<(i64, bool)> {
    let along = check.axis("axis", axis, x)?;
    let mut kept = x.shape().to_vec();
    kept[axis] = 1;
    let is_kept = out.shape() == kept;
    if !is_kept {
        kept.remove(axis);
        check.shape("out", out, &kept)?;
    }
    Ok((along, is_kept))
}

/// The index of the largest along an axis, int32 or int64, without the axis or with 1 there; the first of equal ones.
pub fn arg_max(stream: &Stream, x: &Tensor, axis: usize, out: &Tensor) -> Result<()> {
    let check = Check("aclnnArgMax");
    check.dtype("out", out, INDICES)?;
    let (axis, keeps) = reduced(check, x, axis, out)?;
    launch!(stream, indexing.aclnnArgMax(x, axis, keeps, out))
}

/// The largest along an axis and its index, both without the axis or both with 1 there.
pub fn max(
    stream: &Stream,
    x: &Tensor,
    axis: usize,
    values: &Tensor,
    indices: &Tensor,
) -> Result<()> {
    let check = Check("aclnnMaxDim");
    check.dtype("indices", indices, INDICES)?;
    check.same_dtype(&[("x", x), ("values", values)])?;
    check.same_shape(&[("values", values), ("indices", indices)])?;
    let (axis, keeps) = reduced(check, x, axis, values)?;
    launch!(stream, indexing.aclnnMaxDim(x, axis, keeps, values, indices))
}

/// The largest along an axis, the largest first, and their int64 indices: as many as `values` has there.
pub fn top_k(
    stream: &Stream,
    x: &Tensor,
    axis: usize,
    values: &Tensor,
    indices: &Tensor,
) -> Result<()> {
    let check = Check("aclnnTopk");
    let along = check.axis("axis", axis, x)?;
    let k = values.dim(axis);
    let mut shape = x.shape().to_vec();
    let most = std::mem::replace(&mut shape[axis], k);
    check.shape("values", values, &shape)?;
    check.require(k <= most, "values", || format!("{k} long"), || format!("at most {most}"))?;
    check.same_dtype(&[("x", x), ("values", values)])?;
    check.same_shape(&[("values", values), ("indices", indices)])?;
    check.dtype("indices", indices, &[aclDataType::INT64])?;
    // The vendor takes no other value of `sorted` than true.
    launch!(stream, indexing.aclnnTopk(x, k, along, true, true, values, indices))
}

/// Sorts along an axis, with the int64 indices that elements had.
pub fn sort(
    stream: &Stream,
    x: &Tensor,
    axis: usize,
    descending: bool,
    values: &Tensor,
    indices: &Tensor,
) -> Result<()> {
    let check = Check("aclnnSort");
    let along = check.axis("axis", axis, x)?;
    check.same_shape(&[("x", x), ("values", values), ("indices", indices)])?;
    check.same_dtype(&[("x", x), ("values", values)])?;
    check.dtype("indices", indices, &[aclDataType::INT64])?;
    launch!(stream, indexing.aclnnSort(x, true, along, descending, values, indices))
}

/// Running sums along an axis.
pub fn cumsum(stream: &Stream, x: &Tensor, axis: usize, out: &Tensor) -> Result<()> {
    let check = Check("aclnnCumsum");
    let along = check.axis("axis", axis, x)?;
    check.same_shape(&[("x", x), ("out", out)])?;
    let dtype = out.dtype();
    launch!(stream, indexing.aclnnCumsum(x, along, dtype, out))
}

/// Draws int64 indices, as many as `out` has on its last axis, by weights along the last axis of `x`, with one axis or two; the same
/// for the same seed and offset.
pub fn multinomial(
    stream: &Stream,
    weights: &Tensor,
    replacement: bool,
    (seed, offset): (i64, i64),
    out: &Tensor,
) -> Result<()> {
    let check = Check("aclnnMultinomial");
    check.dtype("weights", weights, super::dtype::FLOATS)?;
    check.dtype("out", out, &[aclDataType::INT64])?;
    let rank = weights.rank();
    check.require(
        (1..=2).contains(&rank),
        "weights",
        || format!("of shape {:?}", weights.shape()),
        || "one axis or two".to_owned(),
    )?;
    let mut shape = weights.shape().to_vec();
    shape[rank - 1] = -1;
    check.shape("out", out, &shape)?;
    let samples = out.dim(rank - 1);
    launch!(stream, indexing.aclnnMultinomial(weights, samples, replacement, seed, offset, out))
}

/// Keeps the `k` largest logits of each row and those that make up probability `p`, and sets the others to −∞: `logits` and `out`
/// `[B, V]`, `p` `[B]` of their type, `k` int32 `[B]`; at least one of both. CANN 8.5.
pub fn apply_top_k_top_p(
    stream: &Stream,
    logits: &Tensor,
    p: Option<&Tensor>,
    k: Option<&Tensor>,
    out: &Tensor,
) -> Result<()> {
    let check = Check("aclnnApplyTopKTopP");
    check.rank("logits", logits, 2)?;
    check.same_shape(&[("logits", logits), ("out", out)])?;
    check.same_dtype(&[("logits", logits), ("out", out)])?;
    check.require(
        p.is_some() || k.is_some(),
        "p and k",
        || "absent both".to_owned(),
        || "at least one of them".to_owned(),
    )?;
    if let Some(p) = p {
        check.shape("p", p, &[logits.dim(0)])?;
        check.same_dtype(&[("logits", logits), ("p", p)])?;
    }
    if let Some(k) = k {
        check.shape("k", k, &[logits.dim(0)])?;
        check.dtype("k", k, &[aclDataType::INT32])?;
    }
    launch!(stream, indexing.aclnnApplyTopKTopP(logits, p, k, out))
}
