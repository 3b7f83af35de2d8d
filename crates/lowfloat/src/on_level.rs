//! The byte functions with the kernels of one level, for tests and measurements.
#![allow(missing_docs)]

use core::ops::Range;

use crate::arch::{self, Level};
use crate::cast::Plan;
use crate::mxfp4::{Matrix, QuantizeStats, dequantize, quantize, transpose};
use crate::{CastError, DType, Mxfp4Error};

pub fn cast_bytes(
    level: Level,
    from: DType,
    src: &[u8],
    to: DType,
    dst: &mut [u8],
) -> Result<(), CastError> {
    let plan = Plan::new(from, src.len(), to, dst.len(), false)?;
    plan.run(level, src, arch::as_uninit(dst));
    Ok(())
}

pub fn cast_bytes_saturating(
    level: Level,
    from: DType,
    src: &[u8],
    to: DType,
    dst: &mut [u8],
) -> Result<(), CastError> {
    let plan = Plan::new(from, src.len(), to, dst.len(), true)?;
    plan.run(level, src, arch::as_uninit(dst));
    Ok(())
}

pub fn dequantize_bytes(
    level: Level,
    blocks: &[u8],
    scales: &[u8],
    to: DType,
    dst: &mut [u8],
) -> Result<(), Mxfp4Error> {
    let plan = dequantize::Plan::new(blocks.len(), scales.len(), to, dst.len())?;
    plan.run(level, blocks, scales, dst);
    Ok(())
}

pub fn dequantize_transposed(
    level: Level,
    matrix: Matrix<'_>,
    columns: Range<usize>,
    to: DType,
    dst: &mut [u8],
    dst_stride: usize,
) -> Result<(), Mxfp4Error> {
    let plan = transpose::Plan::new(matrix, &columns, to, dst.len(), dst_stride)?;
    plan.run(level, columns, dst);
    Ok(())
}

pub fn quantize_bytes(
    level: Level,
    from: DType,
    src: &[u8],
    blocks: &mut [u8],
    scales: &mut [u8],
) -> Result<QuantizeStats, Mxfp4Error> {
    let format = quantize::check(from, src.len(), blocks.len(), scales.len())?;
    quantize::run(level, format, src, blocks, scales)
}
