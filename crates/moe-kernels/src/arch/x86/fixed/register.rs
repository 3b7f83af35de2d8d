//! Registers from memory, and what both kernels do with them.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_castsi256_ps, _mm256_load_ps, _mm256_load_si256,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_shuffle_epi8,
    _mm256_slli_epi32, _mm256_store_ps, _mm256_store_si256, _mm256_storeu_ps, _mm256_sub_epi32,
};

use crate::arch::fixed::{CODES, Line};

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load(line: &Line) -> __m256i {
    // SAFETY: 32 bytes are readable, and aligned by their type.
    unsafe { _mm256_load_si256(line.0.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_f32(line: &Line) -> __m256 {
    // SAFETY: 32 bytes are readable, and aligned by their type.
    unsafe { _mm256_load_ps(line.0.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store(register: __m256i, line: &mut Line) {
    // SAFETY: 32 bytes are writable, and aligned by their type.
    unsafe { _mm256_store_si256(line.0.as_mut_ptr().cast(), register) };
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_words(words: &[u32; 8]) -> __m256i {
    // SAFETY: 32 bytes are readable, the alignment is free.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_sums(sums: &[f32; 8]) -> __m256 {
    // SAFETY: eight elements are readable, the alignment is free.
    unsafe { _mm256_loadu_ps(sums.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store_sums(register: __m256, sums: &mut [f32; 8]) {
    // SAFETY: eight elements are writable, the alignment is free.
    unsafe { _mm256_storeu_ps(sums.as_mut_ptr(), register) };
}

/// The codes of a block.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn codes(block: &[u8; 16]) -> __m128i {
    // SAFETY: sixteen bytes are readable, the alignment is free.
    unsafe { _mm_loadu_si128(block.as_ptr().cast()) }
}

/// The same four words in both halves.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn twice(words: &[u32; 4]) -> __m256i {
    // SAFETY: sixteen bytes are readable, the alignment is free.
    let words = unsafe { _mm_loadu_si128(words.as_ptr().cast()) };
    _mm256_broadcastsi128_si256(words)
}

/// Twice the weights, plus the offset, of codes in the lower four bits of every byte.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn weights(codes: __m256i) -> __m256i {
    // SAFETY: sixteen bytes are readable, the alignment is free.
    let table = unsafe { _mm_loadu_si128(CODES.as_ptr().cast()) };
    let nibbles = _mm256_and_si256(codes, _mm256_set1_epi8(0xF));
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), nibbles)
}

/// Half of plain scales, in the lowest bytes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn half_scales(scales: __m256i) -> __m256 {
    let scales = _mm256_and_si256(scales, _mm256_set1_epi32(0xFF));
    let exponents = _mm256_sub_epi32(scales, _mm256_set1_epi32(1));
    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponents))
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store_f32(register: __m256, line: &mut Line) {
    // SAFETY: 32 bytes are writable, and aligned by their type.
    unsafe { _mm256_store_ps(line.0.as_mut_ptr().cast(), register) };
}

#[inline(always)]
pub(super) fn prefetch(address: *const u8) {
    // SAFETY: a prefetch of any address does nothing that a program could see.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}
