//! Copies: with another type, another order, another shape.

use super::argument::{List, Scalar};
use super::call::launch;
use super::check::Check;
use super::dtype::is_float;
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;

/// Copies elements to another type.
pub fn cast(stream: &Stream, x: &Tensor, out: &Tensor) -> Result<()> {
    let check = Check("aclnnCast");
    check.same_shape(&[("x", x), ("out", out)])?;
    let dtype = out.dtype();
    launch!(stream, indexing.aclnnCast(x, dtype, out))
}

/// Copies between views of any strides; shapes broadcast, types are converted. Can be captured in every release, unlike
/// [`Stream::copy`](crate::rt::Stream::copy).
pub fn copy(stream: &Stream, from: &Tensor, to: &Tensor) -> Result<()> {
    let check = Check("aclnnInplaceCopy");
    check.broadcast(("to", to), ("from", from), to)?;
    launch!(stream, indexing.aclnnInplaceCopy(to, from))
}

/// Puts tensors one after another along an axis.
pub fn cat(stream: &Stream, parts: &[&Tensor], axis: usize, out: &Tensor) -> Result<()> {
    let check = Check("aclnnCat");
    let along = check.axis("axis", axis, out)?;
    let mut length = 0_i64;
    for part in parts {
        let mut shape = out.shape().to_vec();
        shape[axis] = -1;
        check.shape("a part", part, &shape)?;
        check.same_dtype(&[("out", out), ("a part", part)])?;
        length = length.saturating_add(part.dim(axis));
    }
    check.require(
        !parts.is_empty() && length == out.dim(axis),
        "parts",
        || format!("{length} long together"),
        || format!("{}, as out", out.dim(axis)),
    )?;
    let parts = List(parts);
    launch!(stream, indexing.aclnnCat(parts, along, out))
}

/// Copies with the axes in another order. A [`Tensor::permute`] does without a copy where the next operator takes strides.
pub fn permute(stream: &Stream, x: &Tensor, axes: &[usize], out: &Tensor) -> Result<()> {
    let check = Check("aclnnPermute");
    check.shape("out", out, x.permute(axes)?.shape())?;
    check.same_dtype(&[("x", x), ("out", out)])?;
    let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
    let axes = &axes[..];
    launch!(stream, indexing.aclnnPermute(x, axes, out))
}

/// Copies parts of an axis, whose lengths are those of the outputs. A [`Tensor::slice`] does without a copy.
pub fn split(stream: &Stream, x: &Tensor, axis: usize, parts: &[&Tensor]) -> Result<()> {
    let check = Check("aclnnSplitWithSize");
    let along = check.axis("axis", axis, x)?;
    let mut sizes = Vec::with_capacity(parts.len());
    for part in parts {
        let mut shape = x.shape().to_vec();
        shape[axis] = -1;
        check.shape("a part", part, &shape)?;
        check.same_dtype(&[("x", x), ("a part", part)])?;
        sizes.push(part.dim(axis));
    }
    check.require(
        !parts.is_empty() && sizes.iter().sum::<i64>() == x.dim(axis),
        "parts",
        || format!("{sizes:?} long"),
        || format!("{} together", x.dim(axis)),
    )?;
    let (sizes, parts) = (&sizes[..], List(parts));
    launch!(stream, indexing.aclnnSplitWithSize(x, sizes, along, parts))
}

/// Copies every `step`-th index of a part of an axis. A [`Tensor::step`] does without a copy.
pub fn slice(
    stream: &Stream,
    x: &Tensor,
    axis: usize,
    range: std::ops::Range<usize>,
    step: usize,
    out: &Tensor,
) -> Result<()> {
    let check = Check("aclnnSlice");
    check.shape("out", out, x.step(axis, range.clone(), step)?.shape())?;
    check.same_dtype(&[("x", x), ("out", out)])?;
    let axis = check.axis("axis", axis, x)?;
    let (start, end, step) = (range.start as i64, range.end as i64, step as i64);
    launch!(stream, indexing.aclnnSlice(x, axis, start, end, step, out))
}

/// Copies with axes of length 1 repeated. A [`Tensor::expand`] does without a copy.
pub fn expand(stream: &Stream, x: &Tensor, out: &Tensor) -> Result<()> {
    let check = Check("aclnnExpand");
    check.broadcast(("out", out), ("x", x), out)?;
    check.same_dtype(&[("x", x), ("out", out)])?;
    let shape = out.shape();
    launch!(stream, indexing.aclnnExpand(x, shape, out))
}

/// Sets every element.
pub fn fill(stream: &Stream, x: &Tensor, value: impl Into<Scalar>) -> Result<()> {
    let value = value.into();
    launch!(stream, indexing.aclnnInplaceFillScalar(x, value))
}

/// Sets every element to 0.
pub fn zero(stream: &Stream, x: &Tensor) -> Result<()> {
    launch!(stream, indexing.aclnnInplaceZero(x))
}

/// `start`, `start + step`, … , as many as `out` has.
pub fn arange(stream: &Stream, start: i64, step: i64, out: &Tensor) -> Result<()> {
    let check = Check("aclnnArange");
    check.rank("out", out, 1)?;
    let span = step.checked_mul(out.dim(0)).and_then(|span| start.checked_add(span));
    let (Some(end), false) = (span, step == 0) else {
        let got = format!("{step} from {start} on, {} times", out.dim(0));
        return Err(check.refuse("step", got, "a step other than 0 with an end below 2^63"));
    };
    let scalar = |value: i64| {
        if is_float(out.dtype()) { Scalar::Float(value as f32) } else { Scalar::Int(value) }
    };
    let (start, end, step) = (scalar(start), scalar(end), scalar(step));
    launch!(stream, indexing.aclnnArange(start, end, step, out))
}
