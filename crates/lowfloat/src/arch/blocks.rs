//! The safe side of the MXFP4 kernels.

use super::level::Set;
use super::portable::mxfp4 as portable;
use super::{Format, Level, Writes, stream};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::mxfp4::quantize::quantize_blocks;
use crate::mxfp4::{BLOCK, BLOCK_BYTES, QuantizeStats};

/// Decodes the given count of blocks: blocks, their scales, where the values go.
///
/// Safe to call where the addresses are good for that many blocks (the last by 32 elements a
/// block), without overlap, of any alignment, on a CPU that has the level it belongs to.
pub(super) type BlocksKernel = unsafe fn(*const u8, *const u8, *mut u8, usize);

/// The kernels of a level, by what they decode to.
#[derive(Clone, Copy)]
pub(super) struct BlockKernels {
    pub(super) f32: BlocksKernel,
    pub(super) f16: BlocksKernel,
    pub(super) bf16: BlocksKernel,
}

pub(super) const fn kernels(level: Level) -> BlockKernels {
    match level.set() {
        Set::Portable => portable::KERNELS,
        #[cfg(target_arch = "x86_64")]
        Set::Avx2 => avx2::mxfp4::KERNELS,
        #[cfg(target_arch = "x86_64")]
        Set::Avx512 => avx512::mxfp4::KERNELS,
        #[cfg(target_arch = "aarch64")]
        Set::Neon => super::neon::KERNELS,
    }
}

/// Decodes as many blocks as the three slices hold; `to` is F32, F16 or Bf16.
pub(crate) fn dequantize(
    level: Level,
    to: Format,
    blocks: &[u8],
    scales: &[u8],
    dst: &mut [u8],
    writes: Writes,
) {
    let unit = BLOCK * to.size();
    let n = scales.len().min(blocks.len() / BLOCK_BYTES).min(dst.len() / unit);
    let kernels = kernels(level);
    let kernel = match to {
        Format::F32 => kernels.f32,
        Format::F16 => kernels.f16,
        _ => kernels.bf16,
    };
    let (blocks, scales, dst) = (blocks.as_ptr(), scales.as_ptr(), dst.as_mut_ptr());
    match writes {
        // SAFETY: the slices hold `n` blocks each and cannot overlap; the level is proof that the
        // CPU has the instructions.
        Writes::Cached => unsafe { kernel(blocks, scales, dst, n) },
        Writes::Streamed => {
            let fill = |first: usize, count: usize, buffer: *mut u8| {
                // SAFETY: first + count <= n blocks.
                let blocks = unsafe { blocks.add(first * BLOCK_BYTES) };
                // SAFETY: as above.
                let scales = unsafe { scales.add(first) };
                // SAFETY: as for cached writes; the buffer holds `count` units.
                unsafe { kernel(blocks, scales, buffer, count) };
            };
            // SAFETY: `n` units fit the destination, and kernels write each of their bytes.
            unsafe { stream::run(dst, n, unit, fill) };
        }
    }
}

/// Quantises as many finite blocks as all three slices hold.
pub(crate) fn quantize(
    level: Level,
    values: &[[f32; BLOCK]],
    blocks: &mut [[u8; BLOCK_BYTES]],
    scales: &mut [u8],
    stats: &mut QuantizeStats,
) {
    match level.set() {
        Set::Portable => quantize_blocks(values, blocks, scales, stats),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the level is proof that the CPU has the instructions.
        Set::Avx2 => unsafe { avx2::mxfp4::quantize(values, blocks, scales, stats) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Set::Avx512 => unsafe { avx512::mxfp4::quantize(values, blocks, scales, stats) },
        #[cfg(target_arch = "aarch64")]
        Set::Neon => quantize_blocks(values, blocks, scales, stats),
    }
}
