//! MXFP4 decoding with word permutations.

use core::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_loadu_si128, _mm256_cmpgt_epu8_mask, _mm256_cmplt_epu8_mask,
    _mm256_loadu_si256, _mm256_set1_epi8, _mm512_broadcast_i64x4, _mm512_castsi128_si512,
    _mm512_castsi512_si256, _mm512_cvtepu8_epi16, _mm512_cvtepu8_epi32, _mm512_cvtepu16_epi32,
    _mm512_extracti64x4_epi64, _mm512_inserti32x4, _mm512_mask_add_epi16, _mm512_or_si512,
    _mm512_permutexvar_epi16, _mm512_permutexvar_epi64, _mm512_set1_epi16, _mm512_setr_epi64,
    _mm512_slli_epi16, _mm512_slli_epi32, _mm512_srli_epi16, _mm512_storeu_si512, _mm512_sub_epi16,
    _mm512_test_epi16_mask, _mm512_unpackhi_epi8, _mm512_unpackhi_epi16, _mm512_unpackhi_epi32,
    _mm512_unpacklo_epi8, _mm512_unpacklo_epi16, _mm512_unpacklo_epi32,
};

use crate::arch::blocks::BlockKernels;
use crate::arch::portable::mxfp4 as portable;
use crate::arch::transpose::{COLUMN, Dense16, TILE};
use crate::mxfp4::quantize::quantize_blocks;
use crate::mxfp4::{BLOCK, BLOCK_BYTES, QuantizeStats, values};

pub(in crate::arch) const KERNELS: BlockKernels =
    BlockKernels { f32: blocks_f32, f16: blocks_f16, bf16: blocks_bf16 };

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel).
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn blocks_bf16(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { decode_blocks(&values::BF16, blocks, scales, dst, n) };
}

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel).
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn blocks_f16(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { decode_blocks(&values::F16, blocks, scales, dst, n) };
}

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel), for elements of 16 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn decode_blocks(
    table: &[[u16; 16]; 256],
    blocks: *const u8,
    scales: *const u8,
    dst: *mut u8,
    n: usize,
) {
    for i in 0..n {
        // SAFETY: i < n blocks and scales.
        let values = unsafe { decode_block(table, blocks, scales, i) };
        // SAFETY: i < n blocks of 64 bytes.
        unsafe { _mm512_storeu_si512(dst.wrapping_add(i * 64).cast(), values) };
    }
}

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel).
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn blocks_f32(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    for i in 0..n {
        // SAFETY: i < n blocks and scales.
        let values = unsafe { decode_block(&values::BF16, blocks, scales, i) };
        let first = widen(_mm512_castsi512_si256(values));
        // SAFETY: i < n blocks of 128 bytes.
        unsafe { _mm512_storeu_si512(dst.wrapping_add(i * 128).cast(), first) };
        let second = widen(_mm512_extracti64x4_epi64::<1>(values));
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(dst.wrapping_add(i * 128 + 64).cast(), second) };
    }
}

/// bf16 to f32.
#[inline]
#[target_feature(enable = "avx512f")]
fn widen(values: __m256i) -> __m512i {
    _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(values))
}

/// # Safety
///
/// Block and scale `i` must be readable.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn decode_block(
    table: &[[u16; 16]; 256],
    blocks: *const u8,
    scales: *const u8,
    i: usize,
) -> __m512i {
    // SAFETY: scale `i`.
    let scale = unsafe { scales.wrapping_add(i).read() };
    // SAFETY: block `i`.
    let block = unsafe { load_block(blocks.wrapping_add(i * BLOCK_BYTES)) };
    let bytes = _mm512_cvtepu8_epi32(block);
    // The low nibble at the bottom of one word, the high one at the bottom of the next. What is
    // above them does not matter: five bits select, and the table is there twice.
    let codes = _mm512_or_si512(bytes, _mm512_slli_epi32::<12>(bytes));
    _mm512_permutexvar_epi16(codes, load_table(&table[usize::from(scale)]))
}

/// # Safety
///
/// 16 bytes must be readable.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_block(block: *const u8) -> __m128i {
    // SAFETY: the caller's promise; the load needs no alignment.
    unsafe { _mm_loadu_si128(block.cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_table(row: &[u16; 16]) -> __m512i {
    // SAFETY: 32 bytes of the row; the load needs no alignment.
    _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(row.as_ptr().cast()) })
}

/// # Safety
///
/// As [`TileKernel`](crate::arch::transpose::TileKernel).
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(in crate::arch) unsafe fn tile_bf16(
    blocks: *const u8,
    stride: usize,
    scales: &[u8; TILE],
    dst: *mut u16,
) {
    let Some(exponents) = exponents::<7>(scales, Dense16::BF16) else {
        // SAFETY: the caller's promise is the same.
        return unsafe { portable::tile_bf16(blocks, stride, scales, dst) };
    };
    let table = load_table(&values::BF16[127]);
    // SAFETY: as above.
    unsafe { tile(table, exponents, blocks, stride, dst) };
}

/// # Safety
///
/// As [`TileKernel`](crate::arch::transpose::TileKernel).
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(in crate::arch) unsafe fn tile_f16(
    blocks: *const u8,
    stride: usize,
    scales: &[u8; TILE],
    dst: *mut u16,
) {
    let Some(exponents) = exponents::<10>(scales, Dense16::F16) else {
        // SAFETY: the caller's promise is the same.
        return unsafe { portable::tile_f16(blocks, stride, scales, dst) };
    };
    let table = load_table(&values::F16[127]);
    // SAFETY: as above.
    unsafe { tile(table, exponents, blocks, stride, dst) };
}

/// What each scale adds to the pattern of a value other than zero; `None` where one would leave the
/// normal numbers of the format.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn exponents<const MANTISSA: u32>(scales: &[u8; TILE], format: Dense16) -> Option<__m512i> {
    // SAFETY: 32 scales; the load needs no alignment.
    let scales = unsafe { _mm256_loadu_si256(scales.as_ptr().cast()) };
    let below = _mm256_cmplt_epu8_mask(scales, _mm256_set1_epi8(format.first.cast_signed()));
    let above = _mm256_cmpgt_epu8_mask(scales, _mm256_set1_epi8(format.last.cast_signed()));
    if below | above != 0 {
        return None;
    }
    let exponents = _mm512_sub_epi16(_mm512_cvtepu8_epi16(scales), _mm512_set1_epi16(127));
    Some(_mm512_slli_epi16::<MANTISSA>(exponents))
}

/// Transposes the codes, two columns a byte, then decodes the 32 rows of each column.
///
/// # Safety
///
/// As [`TileKernel`](crate::arch::transpose::TileKernel).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn tile(
    table: __m512i,
    exponents: __m512i,
    blocks: *const u8,
    stride: usize,
    dst: *mut u16,
) {
    // SAFETY: the caller's promise is the same.
    let rows = unsafe { load_rows(blocks, stride) };
    let split = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    for (k, pair) in transpose_bytes(&rows).into_iter().enumerate() {
        // All rows of byte 2k, then all rows of byte 2k + 1.
        let pair = _mm512_permutexvar_epi64(split, pair);
        let bytes = [_mm512_castsi512_si256(pair), _mm512_extracti64x4_epi64::<1>(pair)];
        for (b, byte) in bytes.into_iter().enumerate() {
            let low = _mm512_cvtepu8_epi16(byte);
            for (nibble, codes) in [low, _mm512_srli_epi16::<4>(low)].into_iter().enumerate() {
                let column = 4 * k + 2 * b + nibble;
                let values = scale(_mm512_permutexvar_epi16(codes, table), exponents);
                // SAFETY: column < 32, of which 32 elements are writable.
                unsafe { _mm512_storeu_si512(dst.wrapping_add(column * COLUMN).cast(), values) };
            }
        }
    }
}

/// Adds exponents where a value is not zero.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn scale(values: __m512i, exponents: __m512i) -> __m512i {
    let nonzero = _mm512_test_epi16_mask(values, _mm512_set1_epi16(0x7FFF));
    _mm512_mask_add_epi16(values, nonzero, values, exponents)
}

/// Vector `j` holds the blocks of rows `j`, `j + 8`, `j + 16` and `j + 24`.
///
/// # Safety
///
/// 16 bytes must be readable at each of 32 rows.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_rows(blocks: *const u8, stride: usize) -> [__m512i; 8] {
    core::array::from_fn(|j| {
        let row = |lane: usize| {
            // SAFETY: j + 8 * lane < 32.
            unsafe { load_block(blocks.wrapping_add((j + 8 * lane) * stride)) }
        };
        let rows = _mm512_castsi128_si512(row(0));
        let rows = _mm512_inserti32x4::<1>(rows, row(1));
        let rows = _mm512_inserti32x4::<2>(rows, row(2));
        _mm512_inserti32x4::<3>(rows, row(3))
    })
}

/// Within each 16-byte lane, 8 rows of 16 bytes become 16 columns of 8 bytes: vector `k` holds
/// columns `2k` and `2k + 1`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose_bytes(rows: &[__m512i; 8]) -> [__m512i; 8] {
    // Columns 0..8 and 8..16 of two rows, then 0..4, ... of four, then 0..2, ... of eight.
    let two = |pair: usize| {
        let (upper, lower) = (rows[2 * pair], rows[2 * pair + 1]);
        [_mm512_unpacklo_epi8(upper, lower), _mm512_unpackhi_epi8(upper, lower)]
    };
    let four = |quad: usize| {
        let (upper, lower) = (two(2 * quad), two(2 * quad + 1));
        [
            _mm512_unpacklo_epi16(upper[0], lower[0]),
            _mm512_unpackhi_epi16(upper[0], lower[0]),
            _mm512_unpacklo_epi16(upper[1], lower[1]),
            _mm512_unpackhi_epi16(upper[1], lower[1]),
        ]
    };
    let (upper, lower) = (four(0), four(1));
    core::array::from_fn(|k| match k % 2 {
        0 => _mm512_unpacklo_epi32(upper[k / 2], lower[k / 2]),
        _ => _mm512_unpackhi_epi32(upper[k / 2], lower[k / 2]),
    })
}

/// [`quantize_blocks`], compiled for the level.
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl")]
pub(in crate::arch) fn quantize(
    values: &[[f32; BLOCK]],
    blocks: &mut [[u8; BLOCK_BYTES]],
    scales: &mut [u8],
    stats: &mut QuantizeStats,
) {
    quantize_blocks(values, blocks, scales, stats);
}
