//! The same conversions on all threads of the current rayon pool.
//!
//! Results do not depend on the number of threads. Slices too small to be worth waking other threads
//! are converted by the calling one.

use core::ops::Range;

use rayon::prelude::*;

use crate::arch::{self, Level};
use crate::cast::Plan;
use crate::mxfp4::{BLOCK, BLOCK_BYTES, Matrix, QuantizeStats, quantize};
use crate::{CastError, DType, Element, Mxfp4Error};

/// Bytes of the wider side that a thread takes at a time.
const TASK: usize = 1 << 20;
/// Bytes of the wider side below which one thread is faster.
const ALONE: usize = 128 << 10;

/// [`cast`](crate::cast()) on all threads.
///
/// # Errors
///
/// Those of [`cast`](crate::cast()).
///
/// ```
/// use lowfloat::{bf16, parallel};
///
/// let src = vec![bf16::ONE; 1 << 20];
/// let mut dst = vec![0f32; 1 << 20];
/// parallel::cast(&src, &mut dst)?;
/// assert!(dst.iter().all(|value| *value == 1.0));
/// # Ok::<(), lowfloat::CastError>(())
/// ```
pub fn cast<S: Element, D: Element>(src: &[S], dst: &mut [D]) -> Result<(), CastError> {
    if src.len() != dst.len() {
        let (expected, actual) = (src.len(), dst.len());
        return Err(CastError::Length { from: S::DTYPE, to: D::DTYPE, expected, actual });
    }
    cast_bytes(S::DTYPE, bytemuck::cast_slice(src), D::DTYPE, bytemuck::cast_slice_mut(dst))
}

/// [`cast_bytes`](crate::cast_bytes) on all threads.
///
/// # Errors
///
/// Those of [`cast_bytes`](crate::cast_bytes).
pub fn cast_bytes(from: DType, src: &[u8], to: DType, dst: &mut [u8]) -> Result<(), CastError> {
    let plan = Plan::new(from, src.len(), to, dst.len(), false)?;
    let level = Level::current();
    if src.len().max(dst.len()) < ALONE {
        plan.run(level, src, arch::as_uninit(dst));
        return Ok(());
    }
    // Types that pack elements into less than a byte only come here to be copied.
    let (from, to) = (from.size().unwrap_or(1), to.size().unwrap_or(1));
    let elements = TASK / from.max(to);
    src.par_chunks(elements * from)
        .zip(dst.par_chunks_mut(elements * to))
        .for_each(|(src, dst)| plan.run(level, src, arch::as_uninit(dst)));
    Ok(())
}

/// [`mxfp4::dequantize_bytes`](crate::mxfp4::dequantize_bytes) on all threads.
///
/// # Errors
///
/// Those of [`mxfp4::dequantize_bytes`](crate::mxfp4::dequantize_bytes).
pub fn dequantize_bytes(
    blocks: &[u8],
    scales: &[u8],
    to: DType,
    dst: &mut [u8],
) -> Result<(), Mxfp4Error> {
    let plan = crate::mxfp4::dequantize::Plan::new(blocks.len(), scales.len(), to, dst.len())?;
    let level = Level::current();
    if dst.len() < ALONE {
        plan.run(level, blocks, scales, dst);
        return Ok(());
    }
    let unit = dst.len() / scales.len().max(1);
    let count = TASK / unit;
    blocks
        .par_chunks(count * BLOCK_BYTES)
        .zip(scales.par_chunks(count))
        .zip(dst.par_chunks_mut(count * unit))
        .for_each(|((blocks, scales), dst)| plan.run(level, blocks, scales, dst));
    Ok(())
}

/// [`mxfp4::dequantize_transposed`](crate::mxfp4::dequantize_transposed) on all threads.
///
/// # Errors
///
/// Those of [`mxfp4::dequantize_transposed`](crate::mxfp4::dequantize_transposed).
pub fn dequantize_transposed(
    matrix: Matrix<'_>,
    columns: Range<usize>,
    to: DType,
    dst: &mut [u8],
    dst_stride: usize,
) -> Result<(), Mxfp4Error> {
    /// The columns of a 64-byte line of blocks, so that no two threads read the same one.
    const LINE: usize = 4 * BLOCK;
    let plan = crate::mxfp4::transpose::Plan::new(matrix, &columns, to, dst.len(), dst_stride)?;
    let level = Level::current();
    let row = dst_stride.saturating_mul(to.size().unwrap_or(1));
    if row.saturating_mul(columns.len()) < ALONE {
        plan.run(level, columns, dst);
        return Ok(());
    }
    let width = LINE - columns.start % LINE;
    let head = width.min(columns.len());
    let (first, rest) = dst.split_at_mut(head.saturating_mul(row).min(dst.len()));
    let middle = columns.start + head;
    rayon::join(
        || plan.run(level, columns.start..middle, first),
        || {
            rest.par_chunks_mut(row.saturating_mul(LINE)).enumerate().for_each(|(i, dst)| {
                let start = middle + i * LINE;
                let end = columns.end.min(start + LINE);
                if start < end {
                    plan.run(level, start..end, dst);
                }
            });
        },
    );
    Ok(())
}

/// [`mxfp4::quantize_bytes`](crate::mxfp4::quantize_bytes) on all threads.
///
/// The sums in the statistics are taken in another order than by one thread, but always in the
/// same one.
///
/// # Errors
///
/// Those of [`mxfp4::quantize_bytes`](crate::mxfp4::quantize_bytes).
pub fn quantize_bytes(
    from: DType,
    src: &[u8],
    blocks: &mut [u8],
    scales: &mut [u8],
) -> Result<QuantizeStats, Mxfp4Error> {
    let format = quantize::check(from, src.len(), blocks.len(), scales.len())?;
    let level = Level::current();
    let unit = BLOCK * format.size();
    let count = ALONE / unit;
    let parts: std::vec::Vec<_> = src
        .par_chunks(count * unit)
        .zip(blocks.par_chunks_mut(count * BLOCK_BYTES))
        .zip(scales.par_chunks_mut(count))
        .map(|((src, blocks), scales)| quantize::run(level, format, src, blocks, scales))
        .collect();
    let mut total = QuantizeStats::default();
    for (part, stats) in parts.into_iter().enumerate() {
        match stats {
            Ok(stats) => total.merge(&stats),
            Err(Mxfp4Error::NotFinite { index, value }) => {
                return Err(Mxfp4Error::NotFinite { index: part * count * BLOCK + index, value });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}
