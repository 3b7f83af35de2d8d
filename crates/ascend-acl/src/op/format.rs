//! Weights in blocks.

use super::call::launch;
use super::check::Check;
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;
use crate::sys::aclDataType;

const TYPES: &[aclDataType] = &[aclDataType::FLOAT16, aclDataType::BF16, aclDataType::INT8];

/// Converts a weight to blocks (`FRACTAL_NZ`) in place; view it through [`Tensor::as_nz`] from then on.
///
/// Types f16, bf16, int8. The buffer needs room for whole blocks, 16 rows by 32 bytes; [`Tensor::as_nz`] says so where it has not.
pub fn to_blocks(stream: &Stream, weight: &Tensor) -> Result<()> {
    let check = Check("aclnnTransMatmulWeight");
    check.dtype("weight", weight, TYPES)?;
    check.plain("weight", weight)?;
    weight.as_nz()?;
    launch!(stream, matmul.aclnnTransMatmulWeight(weight))
}

/// Copies between formats: to blocks if `out` is a tensor in blocks, from them if `x` is. Shapes and types are the same. CANN 8.5.
pub fn convert_format(stream: &Stream, x: &Tensor, out: &Tensor) -> Result<()> {
    let check = Check("aclnnNpuFormatCast");
    check.dtype("x", x, TYPES)?;
    check.same_shape(&[("x", x), ("out", out)])?;
    check.same_dtype(&[("x", x), ("out", out)])?;
    launch!(stream, indexing.aclnnNpuFormatCast(x, out))
}
