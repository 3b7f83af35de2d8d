//! AVX2 with FMA: x86-64 CPUs since 2013.

use std::arch::x86_64::{
    __m256, __m256i, _MM_HINT_T0, _mm_loadl_epi64, _mm_loadu_si128, _mm_prefetch, _mm256_add_ps,
    _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_castps_si256, _mm256_castsi256_ps,
    _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_movehdup_ps, _mm256_or_si256, _mm256_permute2f128_ps, _mm256_permute2x128_si256,
    _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi8,
    _mm256_shuffle_epi8, _mm256_shuffle_ps, _mm256_slli_epi16, _mm256_slli_epi32,
    _mm256_srli_epi16, _mm256_srli_epi32, _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_epi16,
    _mm256_subs_epu16, _mm256_unpackhi_epi8, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi8, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

use crate::arch::mxfp4::{OFFSET, VALUES};
use crate::arch::simd::{Kernel, Simd};

/// Proof that the CPU has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(in crate::arch) struct Avx2(());

pub(in crate::arch) fn detected() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Safe to call on a CPU that has the features.
#[target_feature(enable = "avx2,fma")]
pub(in crate::arch) fn run<K: Kernel>(kernel: K) {
    kernel.run(Avx2(()));
}

impl Simd for Avx2 {
    /// Lanes 0 to 7, then 8 to 15.
    type Lanes = [__m256; 2];

    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> [__m256; 2] {
        // SAFETY: `self` is proof of AVX.
        let half = unsafe { _mm256_set1_ps(value) };
        [half, half]
    }

    #[inline(always)]
    fn load(self, from: &[f32; 16]) -> [__m256; 2] {
        let (halves, _) = from.as_chunks::<8>();
        // SAFETY: `self` is proof of AVX; eight elements are readable, the alignment is free.
        let low = unsafe { _mm256_loadu_ps(halves[0].as_ptr()) };
        // SAFETY: as above.
        let high = unsafe { _mm256_loadu_ps(halves[1].as_ptr()) };
        [low, high]
    }

    #[inline(always)]
    fn store(self, lanes: [__m256; 2], to: &mut [f32; 16]) {
        let (halves, _) = to.as_chunks_mut::<8>();
        // SAFETY: `self` is proof of AVX; eight elements are writable, the alignment is free.
        unsafe { _mm256_storeu_ps(halves[0].as_mut_ptr(), lanes[0]) };
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(halves[1].as_mut_ptr(), lanes[1]) };
    }

    const HALVES: usize = 2;

    #[inline(always)]
    fn store_half<const HALF: usize>(self, lanes: [__m256; 2], to: &mut [f32; 16]) {
        let (halves, _) = to.as_chunks_mut::<8>();
        // SAFETY: `self` is proof of AVX; eight elements are writable, the alignment is free.
        unsafe { _mm256_storeu_ps(halves[HALF].as_mut_ptr(), lanes[HALF]) };
    }

    #[inline(always)]
    fn mul_add(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` is proof of FMA.
        let low = unsafe { _mm256_fmadd_ps(a[0], b[0], c[0]) };
        // SAFETY: as above.
        let high = unsafe { _mm256_fmadd_ps(a[1], b[1], c[1]) };
        [low, high]
    }

    #[inline(always)]
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn sums(self, lanes: [[__m256; 2]; 4]) -> [f32; 4] {
        let mut eight = [lanes[0][0]; 4];
        for i in 0..4 {
            // SAFETY: `self` is proof of AVX.
            eight[i] = unsafe { _mm256_add_ps(lanes[i][0], lanes[i][1]) };
        }
        // SAFETY: `self` is proof of AVX.
        unsafe { sums_of_eight(eight) }
    }

    /// Pairs 0 to 7, then 8 to 15.
    type Pairs = [__m256i; 2];

    #[inline(always)]
    fn load_pairs(self, from: &[u8; 64]) -> [__m256i; 2] {
        let (halves, _) = from.as_chunks::<32>();
        // SAFETY: `self` is proof of AVX; 32 bytes are readable, the alignment is free.
        let low = unsafe { _mm256_loadu_si256(halves[0].as_ptr().cast()) };
        // SAFETY: as above.
        let high = unsafe { _mm256_loadu_si256(halves[1].as_ptr().cast()) };
        [low, high]
    }

    #[inline(always)]
    fn load_words(self, from: &[u32; 16]) -> [__m256i; 2] {
        let (halves, _) = from.as_chunks::<8>();
        // SAFETY: `self` is proof of AVX; 32 bytes are readable, the alignment is free.
        let low = unsafe { _mm256_loadu_si256(halves[0].as_ptr().cast()) };
        // SAFETY: as above.
        let high = unsafe { _mm256_loadu_si256(halves[1].as_ptr().cast()) };
        [low, high]
    }

    #[inline(always)]
    fn store_pairs(self, pairs: [__m256i; 2], to: &mut [u32; 16]) {
        let (halves, _) = to.as_chunks_mut::<8>();
        // SAFETY: `self` is proof of AVX; 32 bytes are writable, the alignment is free.
        unsafe { _mm256_storeu_si256(halves[0].as_mut_ptr().cast(), pairs[0]) };
        // SAFETY: as above.
        unsafe { _mm256_storeu_si256(halves[1].as_mut_ptr().cast(), pairs[1]) };
    }

    #[inline(always)]
    fn transpose(self, rows: [[__m256i; 2]; 16]) -> [[__m256i; 2]; 16] {
        let mut columns = rows;
        for half in 0..2 {
            for other in 0..2 {
                let mut eight = [rows[0][0]; 8];
                for row in 0..8 {
                    eight[row] = rows[8 * other + row][half];
                }
                // SAFETY: `self` is proof of AVX2.
                let eight = unsafe { transposed(eight) };
                for column in 0..8 {
                    columns[8 * half + column][other] = eight[column];
                }
            }
        }
        columns
    }

    #[inline(always)]
    fn firsts(self, [low, high]: [__m256i; 2]) -> [__m256; 2] {
        // SAFETY: `self` is proof of AVX2.
        let low = unsafe { firsts(low) };
        // SAFETY: as above.
        let high = unsafe { firsts(high) };
        [low, high]
    }

    #[inline(always)]
    fn seconds(self, [low, high]: [__m256i; 2]) -> [__m256; 2] {
        // SAFETY: `self` is proof of AVX2.
        let low = unsafe { seconds(low) };
        // SAFETY: as above.
        let high = unsafe { seconds(high) };
        [low, high]
    }

    #[inline(always)]
    fn mxfp4(self, [low, high]: [__m256i; 2], scales: [u8; 4]) -> [[__m256i; 2]; 4] {
        let scales = i32::from_le_bytes(scales);
        // SAFETY: `self` is proof of AVX2.
        let low = unsafe { two_blocks::<0>(low, scales) };
        // SAFETY: as above.
        let high = unsafe { two_blocks::<2>(high, scales) };
        [[low[0], high[0]], [low[1], high[1]], [low[2], high[2]], [low[3], high[3]]]
    }

    #[inline(always)]
    fn coded(self, indexes: &[u8; 64], lower: &[u8; 128], table: &[u8; 16]) -> [[__m256i; 2]; 4] {
        let [low, high] = self.load_pairs(indexes);
        let (lower, _) = lower.as_chunks::<64>();
        let (first, second) = (self.load_pairs(&lower[0]), self.load_pairs(&lower[1]));
        // SAFETY: `self` is proof of AVX2.
        let low = unsafe { coded(low, first[0], second[0], table) };
        // SAFETY: as above.
        let high = unsafe { coded(high, first[1], second[1], table) };
        [[low[0], high[0]], [low[1], high[1]], [low[2], high[2]], [low[3], high[3]]]
    }

    #[inline(always)]
    fn signed(self, from: &[u8; 16]) -> [__m256; 2] {
        let (halves, _) = from.as_chunks::<8>();
        // SAFETY: `self` is proof of AVX2.
        let low = unsafe { signed(&halves[0]) };
        // SAFETY: as above.
        let high = unsafe { signed(&halves[1]) };
        [low, high]
    }

    #[inline(always)]
    fn join(self, firsts: [__m256; 2], seconds: [__m256; 2]) -> [__m256i; 2] {
        // SAFETY: `self` is proof of AVX2.
        let low = unsafe { join(firsts[0], seconds[0]) };
        // SAFETY: as above.
        let high = unsafe { join(firsts[1], seconds[1]) };
        [low, high]
    }

    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        // SAFETY: a prefetch of any address does nothing that a program could see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
}

/// Word `c` of row `r` becomes word `r` of row `c`.
#[inline]
#[target_feature(enable = "avx2")]
fn transposed(rows: [__m256i; 8]) -> [__m256i; 8] {
    // Of rows in twos, words 0, 1, 4, 5 in turn and words 2, 3, 6, 7.
    let mut twos = rows;
    for two in 0..4 {
        let (a, b) = (rows[2 * two], rows[2 * two + 1]);
        twos[2 * two] = _mm256_unpacklo_epi32(a, b);
        twos[2 * two + 1] = _mm256_unpackhi_epi32(a, b);
    }
    // Of rows in fours, a word of the lower half and the one four places on.
    let mut fours = rows;
    for four in 0..2 {
        for high in 0..2 {
            let (a, b) = (twos[4 * four + high], twos[4 * four + 2 + high]);
            fours[4 * four + 2 * high] = _mm256_unpacklo_epi64(a, b);
            fours[4 * four + 2 * high + 1] = _mm256_unpackhi_epi64(a, b);
        }
    }
    let mut columns = rows;
    for column in 0..4 {
        let (a, b) = (fours[column], fours[4 + column]);
        columns[column] = _mm256_permute2x128_si256::<0x20>(a, b);
        columns[4 + column] = _mm256_permute2x128_si256::<0x31>(a, b);
    }
    columns
}

#[inline]
#[target_feature(enable = "avx2")]
fn firsts(pairs: __m256i) -> __m256 {
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(pairs))
}

#[inline]
#[target_feature(enable = "avx2")]
fn seconds(pairs: __m256i) -> __m256 {
    let mask = _mm256_set1_epi32(0xFFFF_0000_u32.cast_signed());
    _mm256_castsi256_ps(_mm256_and_si256(pairs, mask))
}

#[inline]
#[target_feature(enable = "avx2")]
fn join(firsts: __m256, lanes: __m256) -> __m256i {
    let firsts = _mm256_srli_epi32::<16>(_mm256_castps_si256(firsts));
    _mm256_or_si256(firsts, _mm256_castps_si256(seconds(_mm256_castps_si256(lanes))))
}

#[inline]
#[target_feature(enable = "avx2")]
fn signed(bytes: &[u8; 8]) -> __m256 {
    // SAFETY: eight bytes are readable, the alignment is free.
    let bytes = unsafe { _mm_loadl_epi64(bytes.as_ptr().cast()) };
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))
}

/// One byte of each of [`VALUES`], for both halves of a register.
const fn bytes(which: usize) -> [i8; 32] {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = VALUES[i % 16].to_le_bytes()[which].cast_signed();
        i += 1;
    }
    bytes
}

/// Half of the pairs of a group.
#[inline]
#[target_feature(enable = "avx2")]
fn coded(indexes: __m256i, first: __m256i, second: __m256i, table: &[u8; 16]) -> [__m256i; 4] {
    // SAFETY: sixteen bytes are readable, the alignment is free.
    let table = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
    let table = _mm256_broadcastsi128_si256(table);
    let nibble = _mm256_set1_epi8(0xF);
    let even = _mm256_shuffle_epi8(table, _mm256_and_si256(indexes, nibble));
    let odd = _mm256_srli_epi16::<4>(indexes);
    let odd = _mm256_shuffle_epi8(table, _mm256_and_si256(odd, nibble));
    [
        _mm256_unpacklo_epi8(first, even),
        _mm256_unpackhi_epi8(first, even),
        _mm256_unpacklo_epi8(second, odd),
        _mm256_unpackhi_epi8(second, odd),
    ]
}

/// Two blocks of MXFP4 as four times eight pairs; their scales are bytes `FIRST` and `FIRST + 1`.
#[inline]
#[target_feature(enable = "avx2")]
fn two_blocks<const FIRST: i8>(codes: __m256i, scales: i32) -> [__m256i; 4] {
    const LOW: [i8; 32] = bytes(0);
    const HIGH: [i8; 32] = bytes(1);
    // SAFETY: 32 bytes are readable, the alignment is free.
    let low_bytes = unsafe { _mm256_loadu_si256(LOW.as_ptr().cast()) };
    // SAFETY: as above.
    let high_bytes = unsafe { _mm256_loadu_si256(HIGH.as_ptr().cast()) };
    let (a, b) = (FIRST, FIRST + 1);
    #[rustfmt::skip]
    let spread = _mm256_setr_epi8(
        a, -1, a, -1, a, -1, a, -1, a, -1, a, -1, a, -1, a, -1,
        b, -1, b, -1, b, -1, b, -1, b, -1, b, -1, b, -1, b, -1,
    );
    let scales = _mm256_shuffle_epi8(_mm256_set1_epi32(scales), spread);
    let offset =
        _mm256_sub_epi16(_mm256_set1_epi16(OFFSET.cast_signed()), _mm256_slli_epi16::<7>(scales));
    let nibble = _mm256_set1_epi32(0x0F0F_0F0F);
    let low_byte = _mm256_set1_epi16(0xFF);
    let mut pairs = [codes; 4];
    for parity in 0..2 {
        let shifted = if parity == 0 { codes } else { _mm256_srli_epi16::<4>(codes) };
        let index = _mm256_and_si256(shifted, nibble);
        let low = _mm256_shuffle_epi8(low_bytes, index);
        let high = _mm256_shuffle_epi8(high_bytes, index);
        // Of the codes in the lower byte of every 16 bits, then of those in the upper byte.
        let lower = _mm256_or_si256(_mm256_and_si256(low, low_byte), _mm256_slli_epi16::<8>(high));
        let upper = _mm256_or_si256(
            _mm256_srli_epi16::<8>(low),
            _mm256_slli_epi16::<8>(_mm256_srli_epi16::<8>(high)),
        );
        pairs[parity] = _mm256_subs_epu16(lower, offset);
        pairs[parity + 2] = _mm256_subs_epu16(upper, offset);
    }
    pairs
}

/// The sum of each vector: of lanes four apart, then two, one.
#[inline]
#[target_feature(enable = "avx")]
pub(super) fn sums_of_eight([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
    // Four of `a` and four of `b`; the same of `c` and `d`.
    let ab =
        _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
    let cd =
        _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(c, d), _mm256_permute2f128_ps::<0x31>(c, d));
    // Two of a, two of c, two of b, two of d.
    let two = _mm256_add_ps(
        _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd),
        _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd),
    );
    let one = _mm256_add_ps(two, _mm256_movehdup_ps(two));
    let mut sums = [0.0; 8];
    // SAFETY: eight elements are writable, the alignment is free.
    unsafe { _mm256_storeu_ps(sums.as_mut_ptr(), one) };
    [sums[0], sums[4], sums[2], sums[6]]
}
