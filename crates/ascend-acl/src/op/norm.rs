//! Norms.

use super::call::launch;
use super::check::Check;
use super::dtype::FLOATS;
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;
use crate::sys::aclDataType;

/// What all norms need of their arguments: `x` ends with the shape of `gamma`, and `rstd` has 1 there.
fn check_norm(
    check: Check,
    x: &Tensor,
    gamma: &Tensor,
    outputs: [(&'static str, &Tensor); 2],
) -> Result<()> {
    check.dtype("x", x, FLOATS)?;
    let kept = x.rank().checked_sub(gamma.rank()).filter(|_| gamma.rank() > 0);
    let fits = kept.filter(|kept| x.shape()[*kept..] == *gamma.shape());
    let Some(kept) = fits else {
        let got = format!("of shape {:?}", gamma.shape());
        return Err(check.refuse("gamma", got, format!("the last axes of {:?}", x.shape())));
    };
    let [(y_name, y), (rstd_name, rstd)] = outputs;
    check.shape(y_name, y, x.shape())?;
    check.same_dtype(&[("x", x), (y_name, y)])?;
    let mut of_rows = x.shape().to_vec();
    of_rows[kept..].fill(1);
    check.shape(rstd_name, rstd, &of_rows)?;
    check.dtype(rstd_name, rstd, &[aclDataType::FLOAT])?;
    check.contiguous("gamma", gamma)
}

/// `y = x / rms(x) * gamma` over the axes of `gamma`, the last ones; `rstd`, f32 with 1 on those axes, gets `1 / rms(x)`.
///
/// Types f32, f16, bf16; `gamma` of the type of `x`, or f32 beside a narrower one.
pub fn rms_norm(
    stream: &Stream,
    x: &Tensor,
    gamma: &Tensor,
    epsilon: f64,
    y: &Tensor,
    rstd: &Tensor,
) -> Result<()> {
    let check = Check("aclnnRmsNorm");
    check_norm(check, x, gamma, [("y", y), ("rstd", rstd)])?;
    check.dtype("gamma", gamma, &[x.dtype(), aclDataType::FLOAT])?;
    launch!(stream, elementwise.aclnnRmsNorm(x, gamma, epsilon, y, rstd))
}

/// Outputs of [`add_rms_norm`].
#[derive(Debug, Clone, Copy)]
pub struct AddRmsNormOut<'t, 'a> {
    /// The norm of the sum.
    pub y: &'t Tensor<'a>,
    /// `1 / rms` of it, f32, with 1 on the axes of `gamma`.
    pub rstd: &'t Tensor<'a>,
    /// The sum.
    pub sum: &'t Tensor<'a>,
}

/// `sum = a + b` and `y = sum / rms(sum) * gamma`. All of one type; `gamma` too, unlike in [`rms_norm`].
pub fn add_rms_norm(
    stream: &Stream,
    a: &Tensor,
    b: &Tensor,
    gamma: &Tensor,
    epsilon: f64,
    out: AddRmsNormOut<'_, '_>,
) -> Result<()> {
    let check = Check("aclnnAddRmsNorm");
    let AddRmsNormOut { y, rstd, sum } = out;
    check_norm(check, a, gamma, [("y", y), ("rstd", rstd)])?;
    check.same_shape(&[("a", a), ("b", b), ("sum", sum)])?;
    check.same_dtype(&[("a", a), ("b", b), ("gamma", gamma), ("sum", sum)])?;
    launch!(stream, elementwise.aclnnAddRmsNorm(a, b, gamma, epsilon, y, rstd, sum))
}

/// [`add_rms_norm`] over its inputs: `a` becomes the norm, `b` the sum. CANN 8.3.
pub fn add_rms_norm_in_place(
    stream: &Stream,
    a: &Tensor,
    b: &Tensor,
    gamma: &Tensor,
    epsilon: f64,
    rstd: &Tensor,
) -> Result<()> {
    let check = Check("aclnnInplaceAddRmsNorm");
    check_norm(check, a, gamma, [("a", a), ("rstd", rstd)])?;
    check.same_shape(&[("a", a), ("b", b)])?;
    check.same_dtype(&[("a", a), ("b", b), ("gamma", gamma)])?;
    launch!(stream, elementwise.aclnnInplaceAddRmsNorm(a, b, gamma, epsilon, rstd))
}

/// [`add_rms_norm`] whose norm comes in f32 too, as `wide`; f16 and bf16. CANN 8.3.
pub fn add_rms_norm_cast(
    stream: &Stream,
    a: &Tensor,
    b: &Tensor,
    gamma: &Tensor,
    epsilon: f64,
    wide: &Tensor,
    out: AddRmsNormOut<'_, '_>,
) -> Result<()> {
    let check = Check("aclnnAddRmsNormCast");
    let AddRmsNormOut { y, rstd, sum } = out;
    check_norm(check, a, gamma, [("y", y), ("rstd", rstd)])?;
    check.dtype("a", a, super::dtype::HALVES)?;
    check.same_shape(&[("a", a), ("b", b), ("sum", sum), ("wide", wide)])?;
    check.same_dtype(&[("a", a), ("b", b), ("gamma", gamma), ("sum", sum)])?;
    check.dtype("wide", wide, &[aclDataType::FLOAT])?;
    launch!(stream, elementwise.aclnnAddRmsNormCast(a, b, gamma, epsilon, wide, y, rstd, sum))
}
