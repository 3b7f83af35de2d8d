//! Dense products.

use super::argument::Scalar;
use super::call::launch;
use super::check::Check;
use super::dtype::FLOATS;
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;
use crate::sys::cube_math;

/// In which precision the cube multiplies f32; what is narrower is not changed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Precision {
    /// The inputs' own.
    #[default]
    Keep,
    /// As the vendor likes.
    AllowLess,
    /// f32 with fewer bits of mantissa (HF32).
    Hf32,
}

impl Precision {
    fn code(self) -> i8 {
        match self {
            Self::Keep => cube_math::KEEP_DTYPE,
            Self::AllowLess => cube_math::ALLOW_FP32_DOWN_PRECISION,
            Self::Hf32 => cube_math::USE_HF32,
        }
    }
}

/// The operator for one or for the other format of the weight.
fn weight_is_nz(check: Check, weight: &Tensor, x: &Tensor, out: &Tensor) -> Result<bool> {
    check.plain("x", x)?;
    check.plain("out", out)?;
    Ok(weight.is_nz())
}

/// `out = x @ weight`: `[M, K]` by `[K, N]`. A weight `[N, K]` is given by its [`Tensor::t`].
///
/// Types f32, f16, bf16, the same for all. A weight in blocks ([`Tensor::as_nz`]) goes to `aclnnMatmulWeightNz`,
/// which is there since CANN 8.5: 8.3's `aclnnMm` computes nonsense with it.
pub fn mm(stream: &Stream, x: &Tensor, weight: &Tensor, out: &Tensor) -> Result<()> {
    mm_with(stream, x, weight, out, Precision::Keep)
}

/// [`mm`] in a precision of choice.
pub fn mm_with(
    stream: &Stream,
    x: &Tensor,
    weight: &Tensor,
    out: &Tensor,
    precision: Precision,
) -> Result<()> {
    let check = Check("aclnnMm");
    check.rank("x", x, 2)?;
    check.shape("weight", weight, &[x.dim(1), -1])?;
    check.shape("out", out, &[x.dim(0), weight.dim(1)])?;
    check.dtype("x", x, FLOATS)?;
    check.same_dtype(&[("x", x), ("weight", weight), ("out", out)])?;
    let precision = precision.code();
    if weight_is_nz(check, weight, x, out)? {
        return launch!(stream, matmul.aclnnMatmulWeightNz(x, weight, out, precision));
    }
    launch!(stream, matmul.aclnnMm(x, weight, out, precision))
}

/// `out = bias + x @ weight`: `[M, K]` by `[K, N]`, with a bias `[N]` or `[M, N]` of the same type.
///
/// Types and formats as for [`mm`]; a weight in blocks goes to `aclnnAddmmWeightNz`, CANN 8.5.
pub fn addmm(
    stream: &Stream,
    bias: &Tensor,
    x: &Tensor,
    weight: &Tensor,
    out: &Tensor,
) -> Result<()> {
    let check = Check("aclnnAddmm");
    check.rank("x", x, 2)?;
    check.shape("weight", weight, &[x.dim(1), -1])?;
    check.shape("out", out, &[x.dim(0), weight.dim(1)])?;
    check.broadcast(("out", out), ("bias", bias), out)?;
    check.dtype("x", x, FLOATS)?;
    check.same_dtype(&[("x", x), ("weight", weight), ("bias", bias), ("out", out)])?;
    let (one, precision) = (Scalar::Float(1.0), cube_math::KEEP_DTYPE);
    if weight_is_nz(check, weight, x, out)? {
        return launch!(
            stream,
            matmul.aclnnAddmmWeightNz(bias, x, weight, one, one, out, precision)
        );
    }
    launch!(stream, matmul.aclnnAddmm(bias, x, weight, one, one, out, precision))
}

/// `out = x @ y` for stacks of matrices: `[B, M, K]` by `[B, K, N]`, the same type for all.
pub fn batch_matmul(stream: &Stream, x: &Tensor, y: &Tensor, out: &Tensor) -> Result<()> {
    let check = Check("aclnnBatchMatMul");
    check.rank("x", x, 3)?;
    check.shape("y", y, &[x.dim(0), x.dim(2), -1])?;
    check.shape("out", out, &[x.dim(0), x.dim(1), y.dim(2)])?;
    check.dtype("x", x, FLOATS)?;
    check.same_dtype(&[("x", x), ("y", y), ("out", out)])?;
    let precision = cube_math::KEEP_DTYPE;
    if weight_is_nz(check, y, x, out)? {
        return launch!(stream, matmul.aclnnBatchMatMulWeightNz(x, y, out, precision));
    }
    launch!(stream, matmul.aclnnBatchMatMul(x, y, out, precision))
}
