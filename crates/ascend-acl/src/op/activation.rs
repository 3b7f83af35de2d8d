//! Softmax and gated units.

use super::argument::Scalar;
use super::call::launch;
use super::check::Check;
use super::dtype::FLOATS;
use super::tensor::Tensor;
use super::{add_scalar, clamp, mul, mul_in_place, mul_scalar, sigmoid};
use crate::error::Result;
use crate::rt::Stream;
use crate::sys::aclDataType;

/// `out = e^x / sum(e^x)` along an axis.
pub fn softmax(stream: &Stream, x: &Tensor, axis: usize, out: &Tensor) -> Result<()> {
    let check = Check("aclnnSoftmax");
    let axis = check_softmax(check, x, axis, out)?;
    launch!(stream, elementwise.aclnnSoftmax(x, axis, out))
}

/// The logarithm of [`softmax`].
pub fn log_softmax(stream: &Stream, x: &Tensor, axis: usize, out: &Tensor) -> Result<()> {
    let check = Check("aclnnLogSoftmax");
    let axis = check_softmax(check, x, axis, out)?;
    launch!(stream, elementwise.aclnnLogSoftmax(x, axis, out))
}

fn check_softmax(check: Check, x: &Tensor, axis: usize, out: &Tensor) -> Result<i64> {
    check.dtype("x", x, FLOATS)?;
    check.same_shape(&[("x", x), ("out", out)])?;
    check.axis("axis", axis, x)
}

/// `out = silu(first half) * second half` of an axis.
pub fn swiglu(stream: &Stream, x: &Tensor, axis: usize, out: &Tensor) -> Result<()> {
    let check = Check("aclnnSwiGlu");
    check_gated(check, x, axis, out)?;
    let axis = check.axis("axis", axis, x)?;
    launch!(stream, elementwise.aclnnSwiGlu(x, axis, out))
}

fn check_gated(check: Check, x: &Tensor, axis: usize, out: &Tensor) -> Result<()> {
    check.dtype("x", x, FLOATS)?;
    check.same_dtype(&[("x", x), ("out", out)])?;
    check.axis("axis", axis, x)?;
    let whole = x.dim(axis);
    check.require(
        whole % 2 == 0,
        "x",
        || format!("of shape {:?}", x.shape()),
        || format!("an even length of axis {axis}"),
    )?;
    let mut half = x.shape().to_vec();
    half[axis] = whole / 2;
    check.shape("out", out, &half)
}

/// The gated unit with clamps: `gate' * sigmoid(alpha * gate') * (up' + bias)`, where `gate' = min(gate, limit)` and `up'` is `up` limited to
/// both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClippedSwiglu {
    /// The slope of the sigmoid.
    pub alpha: f64,
    /// The limit.
    pub limit: f64,
    /// What is added to `up`.
    pub bias: f64,
    /// Whether gate and up take turns along the axis (even, odd), or are its halves.
    pub interleaved: bool,
}

impl ClippedSwiglu {
    /// The unit along an axis of `x`, in one operator. With `groups`, int64 counts of rows, only so many rows are computed as they sum
    /// up to. CANN 8.5.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`](crate::Error::Argument) for an odd axis, or more than 8192 counts, the vendor's limit.
    pub fn launch(
        &self,
        stream: &Stream,
        x: &Tensor,
        groups: Option<&Tensor>,
        axis: usize,
        out: &Tensor,
    ) -> Result<()> {
        let check = Check("aclnnClippedSwiglu");
        check_gated(check, x, axis, out)?;
        if let Some(groups) = groups {
            check.dtype("groups", groups, &[aclDataType::INT64])?;
            check.rank("groups", groups, 1)?;
            check.require(
                groups.len() <= MOST_GROUPS,
                "groups",
                || format!("{} counts", groups.len()),
                || format!("at most {MOST_GROUPS}"),
            )?;
        }
        let axis = check.axis("axis", axis, x)?;
        let Self { alpha, limit, bias, interleaved } = *self;
        launch!(
            stream,
            elementwise.aclnnClippedSwiglu(x, groups, axis, alpha, limit, bias, interleaved, out)
        )
    }

    /// The unit in seven operators that every release has, each of which rounds its result. `scratch` are two tensors of the
    /// shape and type of `out`.
    pub fn launch_in_parts(
        &self,
        stream: &Stream,
        x: &Tensor,
        axis: usize,
        scratch: [&Tensor; 2],
        out: &Tensor,
    ) -> Result<()> {
        let check = Check("ClippedSwiglu::launch_in_parts");
        check_gated(check, x, axis, out)?;
        check.same_shape(&[("out", out), ("scratch", scratch[0]), ("scratch", scratch[1])])?;
        let half = out.dim(axis) as usize;
        let (gate, up) = if self.interleaved {
            (x.step(axis, 0.., 2)?, x.step(axis, 1.., 2)?)
        } else {
            (x.slice(axis, ..half)?, x.slice(axis, half..)?)
        };
        let [gated, slope] = scratch;
        let number = |value: f64| Scalar::Float(value as f32);
        let (limit, low) = (number(self.limit), number(-self.limit));
        clamp(stream, &gate, None, Some(limit), gated)?;
        mul_scalar(stream, gated, number(self.alpha), slope)?;
        sigmoid(stream, slope, slope)?;
        mul_in_place(stream, gated, slope)?;
        clamp(stream, &up, Some(low), Some(limit), slope)?;
        add_scalar(stream, slope, number(self.bias), slope)?;
        mul(stream, gated, slope, out)
    }
}

/// Groups that `aclnnClippedSwiglu` takes, of its documentation.
const MOST_GROUPS: usize = 8192;
