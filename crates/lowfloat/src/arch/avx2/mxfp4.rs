//! MXFP4 decoding with byte shuffles: one for the low bytes of the patterns, one for the high.

use core::arch::x86_64::{
    __m128i, __m256i, _mm_and_si128, _mm_loadu_si128, _mm_set1_epi8, _mm_srli_epi16,
    _mm_unpackhi_epi8, _mm_unpacklo_epi8, _mm256_add_epi16, _mm256_and_si256, _mm256_andnot_si256,
    _mm256_broadcastsi128_si256, _mm256_castsi256_si128, _mm256_cmpeq_epi16, _mm256_cvtepu8_epi16,
    _mm256_cvtepu16_epi32, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_permute2x128_si256,
    _mm256_permute4x64_epi64, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16,
    _mm256_slli_epi32, _mm256_srli_epi16, _mm256_storeu_si256, _mm256_sub_epi16,
    _mm256_unpackhi_epi8, _mm256_unpackhi_epi16, _mm256_unpackhi_epi32, _mm256_unpacklo_epi8,
    _mm256_unpacklo_epi16, _mm256_unpacklo_epi32,
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
#[target_feature(enable = "avx2")]
unsafe fn blocks_bf16(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { decode_blocks(&values::BF16, blocks, scales, dst, n) };
}

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel).
#[target_feature(enable = "avx2")]
unsafe fn blocks_f16(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { decode_blocks(&values::F16, blocks, scales, dst, n) };
}

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel), for elements of 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn decode_blocks(
    table: &[[u16; 16]; 256],
    blocks: *const u8,
    scales: *const u8,
    dst: *mut u8,
    n: usize,
) {
    for i in 0..n {
        // SAFETY: i < n blocks and scales.
        let halves = unsafe { decode_block(table, blocks, scales, i) };
        for (half, values) in halves.into_iter().enumerate() {
            // SAFETY: i < n blocks of 64 bytes.
            unsafe { store(dst.wrapping_add(i * 64 + half * 32), values) };
        }
    }
}

/// # Safety
///
/// As [`BlocksKernel`](crate::arch::blocks::BlocksKernel).
#[target_feature(enable = "avx2")]
unsafe fn blocks_f32(blocks: *const u8, scales: *const u8, dst: *mut u8, n: usize) {
    for i in 0..n {
        // SAFETY: i < n blocks and scales.
        let [a, b] = unsafe { decode_block(&values::BF16, blocks, scales, i) };
        let quarters = [
            _mm256_castsi256_si128(a),
            _mm256_extracti128_si256::<1>(a),
            _mm256_castsi256_si128(b),
            _mm256_extracti128_si256::<1>(b),
        ];
        for (quarter, values) in quarters.into_iter().enumerate() {
            // A bf16 and 16 zero bits.
            let values = _mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(values));
            // SAFETY: i < n blocks of 128 bytes.
            unsafe { store(dst.wrapping_add(i * 128 + quarter * 32), values) };
        }
    }
}

/// The first and the last 16 values of a block.
///
/// # Safety
///
/// Block and scale `i` must be readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn decode_block(
    table: &[[u16; 16]; 256],
    blocks: *const u8,
    scales: *const u8,
    i: usize,
) -> [__m256i; 2] {
    // SAFETY: scale `i`.
    let scale = unsafe { scales.wrapping_add(i).read() };
    // SAFETY: block `i`.
    let block = unsafe { load_block(blocks.wrapping_add(i * BLOCK_BYTES)) };
    let nibble = _mm_set1_epi8(15);
    let (low, high) = (_mm_and_si128(block, nibble), _mm_srli_epi16::<4>(block));
    let high = _mm_and_si128(high, nibble);
    let codes = _mm256_set_m128i(_mm_unpackhi_epi8(low, high), _mm_unpacklo_epi8(low, high));
    Table::new(&table[usize::from(scale)]).decode(codes)
}

/// The low and the high bytes of sixteen patterns, each in both lanes.
#[derive(Clone, Copy)]
struct Table {
    low: __m256i,
    high: __m256i,
}

impl Table {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(row: &[u16; 16]) -> Self {
        #[rustfmt::skip]
        let split = _mm256_setr_epi8(
            0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15,
            0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15,
        );
        // SAFETY: 32 bytes of the row; the load needs no alignment.
        let row = unsafe { _mm256_loadu_si256(row.as_ptr().cast()) };
        let row = _mm256_shuffle_epi8(row, split);
        Self {
            low: _mm256_permute4x64_epi64::<0b10_00_10_00>(row),
            high: _mm256_permute4x64_epi64::<0b11_01_11_01>(row),
        }
    }

    /// Patterns of 32 codes, the lower lane first.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn decode(self, codes: __m256i) -> [__m256i; 2] {
        let [a, b] = self.decode_lanes(codes);
        [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)]
    }

    /// The first eight of each lane, then the last eight of each lane.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn decode_lanes(self, codes: __m256i) -> [__m256i; 2] {
        let low = _mm256_shuffle_epi8(self.low, codes);
        let high = _mm256_shuffle_epi8(self.high, codes);
        [_mm256_unpacklo_epi8(low, high), _mm256_unpackhi_epi8(low, high)]
    }
}

/// # Safety
///
/// 16 bytes must be readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_block(block: *const u8) -> __m128i {
    // SAFETY: the caller's promise; the load needs no alignment.
    unsafe { _mm_loadu_si128(block.cast()) }
}

/// # Safety
///
/// 32 bytes must be writable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store(dst: *mut u8, values: __m256i) {
    // SAFETY: the caller's promise; the store needs no alignment.
    unsafe { _mm256_storeu_si256(dst.cast(), values) };
}

/// # Safety
///
/// As [`TileKernel`](crate::arch::transpose::TileKernel).
#[target_feature(enable = "avx2")]
pub(in crate::arch) unsafe fn tile_bf16(
    blocks: *const u8,
    stride: usize,
    scales: &[u8; TILE],
    dst: *mut u16,
) {
    if !Dense16::BF16.fits(scales) {
        // SAFETY: the caller's promise is the same.
        return unsafe { portable::tile_bf16(blocks, stride, scales, dst) };
    }
    let table = Table::new(&values::BF16[127]);
    // SAFETY: as above.
    unsafe { tile::<7>(table, blocks, stride, scales, dst) };
}

/// # Safety
///
/// As [`TileKernel`](crate::arch::transpose::TileKernel).
#[target_feature(enable = "avx2")]
pub(in crate::arch) unsafe fn tile_f16(
    blocks: *const u8,
    stride: usize,
    scales: &[u8; TILE],
    dst: *mut u16,
) {
    if !Dense16::F16.fits(scales) {
        // SAFETY: the caller's promise is the same.
        return unsafe { portable::tile_f16(blocks, stride, scales, dst) };
    }
    let table = Table::new(&values::F16[127]);
    // SAFETY: as above.
    unsafe { tile::<10>(table, blocks, stride, scales, dst) };
}

/// Transposes the codes, two columns a byte, sixteen rows at a time, then decodes each column.
///
/// # Safety
///
/// As [`TileKernel`](crate::arch::transpose::TileKernel).
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tile<const MANTISSA: i32>(
    table: Table,
    blocks: *const u8,
    stride: usize,
    scales: &[u8; TILE],
    dst: *mut u16,
) {
    for (half, scales) in scales.as_chunks::<16>().0.iter().enumerate() {
        let exponents = exponents::<MANTISSA>(scales);
        // SAFETY: the caller's promise is the same.
        let rows = unsafe { load_rows(blocks.wrapping_add(half * 16 * stride), stride) };
        for (k, pair) in transpose_bytes(&rows).into_iter().enumerate() {
            // All rows of byte 2k, then all rows of byte 2k + 1.
            let pair = _mm256_permute4x64_epi64::<0b11_01_10_00>(pair);
            let nibble = _mm256_set1_epi8(15);
            let low = _mm256_and_si256(pair, nibble);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(pair), nibble);
            for (nibble, codes) in [low, high].into_iter().enumerate() {
                let [a, b] = table.decode_lanes(codes);
                let (a, b) = (scale(a, exponents[0]), scale(b, exponents[1]));
                let columns = [
                    _mm256_permute2x128_si256::<0x20>(a, b),
                    _mm256_permute2x128_si256::<0x31>(a, b),
                ];
                for (byte, values) in columns.into_iter().enumerate() {
                    let column = 4 * k + 2 * byte + nibble;
                    let at = dst.wrapping_add(column * COLUMN + half * 16);
                    // SAFETY: column < 32, of which 32 elements are writable.
                    unsafe { store(at.cast(), values) };
                }
            }
        }
    }
}

/// What the scales of the first and of the last eight rows add to the pattern of a value other than
/// zero, in both lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn exponents<const MANTISSA: i32>(scales: &[u8; 16]) -> [__m256i; 2] {
    // SAFETY: 16 scales; the load needs no alignment.
    let scales = unsafe { _mm_loadu_si128(scales.as_ptr().cast()) };
    let exponents = _mm256_sub_epi16(_mm256_cvtepu8_epi16(scales), _mm256_set1_epi16(127));
    let exponents = _mm256_slli_epi16::<MANTISSA>(exponents);
    [
        _mm256_broadcastsi128_si256(_mm256_castsi256_si128(exponents)),
        _mm256_broadcastsi128_si256(_mm256_extracti128_si256::<1>(exponents)),
    ]
}

/// Adds exponents where a value is not zero.
#[inline]
#[target_feature(enable = "avx2")]
fn scale(values: __m256i, exponents: __m256i) -> __m256i {
    let zero = _mm256_cmpeq_epi16(_mm256_slli_epi16::<1>(values), _mm256_setzero_si256());
    _mm256_add_epi16(values, _mm256_andnot_si256(zero, exponents))
}

/// Vector `j` holds the blocks of rows `j` and `j + 8`.
///
/// # Safety
///
/// 16 bytes must be readable at each of 16 rows.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_rows(blocks: *const u8, stride: usize) -> [__m256i; 8] {
    core::array::from_fn(|j| {
        let row = |lane: usize| {
            // SAFETY: j + 8 * lane < 16.
            unsafe { load_block(blocks.wrapping_add((j + 8 * lane) * stride)) }
        };
        _mm256_set_m128i(row(1), row(0))
    })
}

/// Within each 16-byte lane, 8 rows of 16 bytes become 16 columns of 8 bytes: vector `k` holds
/// columns `2k` and `2k + 1`.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_bytes(rows: &[__m256i; 8]) -> [__m256i; 8] {
    // Columns 0..8 and 8..16 of two rows, then 0..4, ... of four, then 0..2, ... of eight.
    let two = |pair: usize| {
        let (upper, lower) = (rows[2 * pair], rows[2 * pair + 1]);
        [_mm256_unpacklo_epi8(upper, lower), _mm256_unpackhi_epi8(upper, lower)]
    };
    let four = |quad: usize| {
        let (upper, lower) = (two(2 * quad), two(2 * quad + 1));
        [
            _mm256_unpacklo_epi16(upper[0], lower[0]),
            _mm256_unpackhi_epi16(upper[0], lower[0]),
            _mm256_unpacklo_epi16(upper[1], lower[1]),
            _mm256_unpackhi_epi16(upper[1], lower[1]),
        ]
    };
    let (upper, lower) = (four(0), four(1));
    core::array::from_fn(|k| match k % 2 {
        0 => _mm256_unpacklo_epi32(upper[k / 2], lower[k / 2]),
        _ => _mm256_unpackhi_epi32(upper[k / 2], lower[k / 2]),
    })
}

/// [`quantize_blocks`], compiled for the level.
#[target_feature(enable = "avx2")]
pub(in crate::arch) fn quantize(
    values: &[[f32; BLOCK]],
    blocks: &mut [[u8; BLOCK_BYTES]],
    scales: &mut [u8],
    stats: &mut QuantizeStats,
) {
    quantize_blocks(values, blocks, scales, stats);
}
