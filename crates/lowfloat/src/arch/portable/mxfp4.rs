//! MXFP4 decoding by table, two values a byte.

use crate::arch::blocks::BlockKernels;
use crate::arch::transpose::{COLUMN, TILE};
use crate::mxfp4::{BLOCK, BLOCK_BYTES, values};

pub(in crate::arch) const KERNELS: BlockKernels =
    BlockKernels { f32: blocks_f32, f16: blocks_f16, bf16: blocks_bf16 };

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel).
unsafe fn blocks_f32(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same; an f32 is a bf16 and 16 zero bits.
    unsafe { decode(&values::BF16, |bits| u32::from(bits) << 16, blocks, scales, dst, n) };
}

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel).
unsafe fn blocks_f16(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { decode(&values::F16, |bits| bits, blocks, scales, dst, n) };
}

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel).
unsafe fn blocks_bf16(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { decode(&values::BF16, |bits| bits, blocks, scales, dst, n) };
}

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel), for elements like `T`.
#[inline(always)]
unsafe fn decode<T: Copy + Default>(
    table: &[[u16; 16]; 256],
    pattern: impl Fn(u16) -> T,
    blocks: *const u8,
    scales: *const u8,
    dst: *mut u8,
    n: usize,
) {
    for i in 0..n {
        // SAFETY: i < n blocks.
        let block = unsafe { blocks.cast::<[u8; BLOCK_BYTES]>().add(i) };
        // SAFETY: a readable block.
        let block = unsafe { block.read() };
        // SAFETY: i < n scales.
        let scale = unsafe { scales.add(i) };
        // SAFETY: a readable scale.
        let row = &table[usize::from(unsafe { scale.read() })];
        let mut values = [T::default(); BLOCK];
        for (pair, byte) in values.as_chunks_mut::<2>().0.iter_mut().zip(block) {
            *pair = [pattern(row[usize::from(byte & 15)]), pattern(row[usize::from(byte >> 4)])];
        }
        // SAFETY: i < n blocks of values.
        let to = unsafe { dst.cast::<[T; BLOCK]>().add(i) };
        // SAFETY: writable for a block of values, without alignment.
        unsafe { to.write_unaligned(values) };
    }
}

/// # Safety
///
/// As [`TileKernel`](crate::arch::transpose::TileKernel).
pub(in crate::arch) unsafe fn tile_bf16(
    blocks: *const u8,
    stride: usize,
    scales: &[u8; TILE],
    dst: *mut u16,
) {
    // SAFETY: the caller's promise is the same.
    unsafe { tile(&values::BF16, blocks, stride, scales, dst) };
}

/// # Safety
///
/// As [`TileKernel`](crate::arch::transpose::TileKernel).
pub(in crate::arch) unsafe fn tile_f16(
    blocks: *const u8,
    stride: usize,
    scales: &[u8; TILE],
    dst: *mut u16,
) {
    // SAFETY: the caller's promise is the same.
    unsafe { tile(&values::F16, blocks, stride, scales, dst) };
}

/// # Safety
///
/// As [`TileKernel`](crate::arch::transpose::TileKernel).
#[inline(always)]
unsafe fn tile(
    table: &[[u16; 16]; 256],
    blocks: *const u8,
    stride: usize,
    scales: &[u8; TILE],
    dst: *mut u16,
) {
    for (r, scale) in scales.iter().enumerate() {
        // SAFETY: r < 32 rows.
        let block = unsafe { blocks.add(r * stride) };
        // SAFETY: 16 bytes are readable at every row.
        let block = unsafe { block.cast::<[u8; BLOCK_BYTES]>().read() };
        let row = &table[usize::from(*scale)];
        for (b, byte) in block.into_iter().enumerate() {
            for (c, code) in [(2 * b, byte & 15), (2 * b + 1, byte >> 4)] {
                // SAFETY: c < 32 columns and r < 32 rows.
                let to = unsafe { dst.add(c * COLUMN + r) };
                // SAFETY: writable and aligned as the caller vouches.
                unsafe { to.write(row[usize::from(code)]) };
            }
        }
    }
}
