//! Blocks to dense values.

use crate::arch::{self, Format, Level, Writes};
use crate::mxfp4::{BLOCK, BLOCK_BYTES, check_length, dense};
use crate::{DType, Dense, Mxfp4Error, on_level};

/// Decodes whole blocks: `dst` takes 32 values for every scale.
///
/// # Errors
///
/// [`Mxfp4Error::Length`] where `blocks` is not 16 bytes, or `dst` not 32 elements, for every
/// scale; nothing is written then.
///
/// ```
/// use lowfloat::{bf16, mxfp4};
///
/// let mut values = [bf16::ZERO; 32];
/// mxfp4::dequantize(&[0x22; 16], &[128], &mut values)?;
/// assert_eq!(values, [bf16::from_f32(2.0); 32]);
/// # Ok::<(), lowfloat::Mxfp4Error>(())
/// ```
pub fn dequantize<T: Dense>(blocks: &[u8], scales: &[u8], dst: &mut [T]) -> Result<(), Mxfp4Error> {
    check_length("destination elements", scales.len().saturating_mul(BLOCK), dst.len())?;
    dequantize_bytes(blocks, scales, T::DTYPE, bytemuck::cast_slice_mut(dst))
}

/// As [`dequantize`] to little-endian elements of F32, BF16 or F16 at any alignment.
///
/// # Errors
///
/// [`Mxfp4Error::Unsupported`] for any other `to`, [`Mxfp4Error::Length`] (of `dst`, in bytes) where
/// the lengths do not fit each other; nothing is written then.
pub fn dequantize_bytes(
    blocks: &[u8],
    scales: &[u8],
    to: DType,
    dst: &mut [u8],
) -> Result<(), Mxfp4Error> {
    on_level::dequantize_bytes(Level::current(), blocks, scales, to, dst)
}

/// A decoding whose type and lengths have been checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    to: Format,
    pub(crate) writes: Writes,
}

impl Plan {
    pub(crate) fn new(
        blocks: usize,
        scales: usize,
        to: DType,
        dst: usize,
    ) -> Result<Self, Mxfp4Error> {
        let to = dense(to)?;
        check_length("block bytes", scales.saturating_mul(BLOCK_BYTES), blocks)?;
        check_length("destination bytes", scales.saturating_mul(BLOCK * to.size()), dst)?;
        Ok(Self { to, writes: Writes::for_len(dst) })
    }

    /// Fills `dst`, which must have the length that was checked (or a part that corresponds to
    /// the blocks).
    pub(crate) fn run(self, level: Level, blocks: &[u8], scales: &[u8], dst: &mut [u8]) {
        arch::dequantize(level, self.to, blocks, scales, dst, self.writes);
    }
}
