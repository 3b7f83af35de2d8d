//! NEON: MXFP4 decoding with byte table look-ups. Casts need no kernels of their own, as NEON is part
//! of every AArch64 target and the compiler turns the portable loops into it.

use core::arch::aarch64::{
    uint8x16_t, vandq_u8, vdupq_n_u8, vdupq_n_u16, vld1q_u8, vld2q_u8, vqtbl1q_u8,
    vreinterpretq_u8_u16, vreinterpretq_u16_u8, vshrq_n_u8, vst1q_u8, vzip1q_u8, vzip1q_u16,
    vzip2q_u8, vzip2q_u16,
};

use super::blocks::BlockKernels;
use crate::mxfp4::{BLOCK_BYTES, values};

pub(super) const KERNELS: BlockKernels =
    BlockKernels { f32: blocks_f32, f16: blocks_f16, bf16: blocks_bf16 };

/// # Safety
///
/// As [`BlocksKernel`](super::blocks::BlocksKernel).
#[target_feature(enable = "neon")]
unsafe fn blocks_bf16(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { decode_blocks(&values::BF16, blocks, scales, dst, n) };
}

/// # Safety
///
/// As [`BlocksKernel`](super::blocks::BlocksKernel).
#[target_feature(enable = "neon")]
unsafe fn blocks_f16(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { decode_blocks(&values::F16, blocks, scales, dst, n) };
}

/// # Safety
///
/// As [`BlocksKernel`](super::blocks::BlocksKernel), for elements of 16 bits.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn decode_blocks(
    table: &[[u16; 16]; 256],
    blocks: *const u8,
    scales: *const u8,
    dst: *mut u8,
    n: usize,
) {
    for i in 0..n {
        // SAFETY: i < n blocks and scales.
        let quarters = unsafe { decode_block(table, blocks, scales, i) };
        for (quarter, values) in quarters.into_iter().enumerate() {
            // SAFETY: i < n blocks of 64 bytes.
            unsafe { vst1q_u8(dst.wrapping_add(i * 64 + quarter * 16), values) };
        }
    }
}

/// # Safety
///
/// As [`BlocksKernel`](super::blocks::BlocksKernel).
#[target_feature(enable = "neon")]
unsafe fn blocks_f32(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    let zero = vdupq_n_u16(0);
    for i in 0..n {
        // SAFETY: i < n blocks and scales.
        let quarters = unsafe { decode_block(&values::BF16, blocks, scales, i) };
        for (quarter, values) in quarters.into_iter().enumerate() {
            // 16 zero bits below each bf16.
            let values = vreinterpretq_u16_u8(values);
            let wide = [vzip1q_u16(zero, values), vzip2q_u16(zero, values)];
            for (half, values) in wide.into_iter().enumerate() {
                let to = dst.wrapping_add(i * 128 + quarter * 32 + half * 16);
                // SAFETY: i < n blocks of 128 bytes.
                unsafe { vst1q_u8(to, vreinterpretq_u8_u16(values)) };
            }
        }
    }
}

/// The 32 patterns of a block, eight a vector.
///
/// # Safety
///
/// Block and scale `i` must be readable.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn decode_block(
    table: &[[u16; 16]; 256],
    blocks: *const u8,
    scales: *const u8,
    i: usize,
) -> [uint8x16_t; 4] {
    // SAFETY: scale `i`.
    let scale = unsafe { scales.wrapping_add(i).read() };
    // SAFETY: block `i`.
    let block = unsafe { vld1q_u8(blocks.wrapping_add(i * BLOCK_BYTES)) };
    // SAFETY: 32 bytes of the row; low and high bytes come apart.
    let row = unsafe { vld2q_u8(table[usize::from(scale)].as_ptr().cast()) };
    let (low, high) = (vandq_u8(block, vdupq_n_u8(15)), vshrq_n_u8::<4>(block));
    let [a, b] = [vzip1q_u8(low, high), vzip2q_u8(low, high)].map(|codes| {
        let (low, high) = (vqtbl1q_u8(row.0, codes), vqtbl1q_u8(row.1, codes));
        [vzip1q_u8(low, high), vzip2q_u8(low, high)]
    });
    [a[0], a[1], b[0], b[1]]
}
