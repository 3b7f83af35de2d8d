//! Eight rows with few vectors: rows are decoded in registers.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi128_si256,
    _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_hadd_epi32, _mm256_inserti128_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_srli_epi16, _mm256_srli_epi32,
};

use super::STRIP;
use super::register::{codes, half_scales, load_words, prefetch, store_sums, twice, weights};
use crate::arch::fixed::{BLOCK, BlockRow, Fixed};

/// Bytes ahead that are asked for: what the memory of a row takes to arrive while eight are multiplied.
const AHEAD: usize = 512;

/// The products of the rows with every vector.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn products<F: Fixed, const V: usize>(
    rows: &[BlockRow<'_>; STRIP],
    vectors: [&[F]; V],
) -> [[f32; STRIP]; V] {
    let sums = sums(rows, vectors);
    let mut products = [[0.0; STRIP]; V];
    for v in 0..V {
        store_sums(sums[v], &mut products[v]);
    }
    products
}

/// Of every vector the sums with the eight rows.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn sums<F: Fixed, const V: usize>(rows: &[BlockRow<'_>; STRIP], vectors: [&[F]; V]) -> [__m256; V] {
    let blocks = rows[0].codes.len();
    let mut cut = *rows;
    for row in &mut cut {
        *row = BlockRow { codes: &row.codes[..blocks], scales: &row.scales[..blocks] };
    }
    let vectors = vectors.map(|vector| &vector[..blocks]);
    let codes = cut.map(|row| row.codes.as_chunks::<4>());
    let scales = cut.map(|row| row.scales.as_chunks::<4>());
    let elements = vectors.map(|vector| vector.as_chunks::<4>());
    // The one or two lines of scales of the row that follows, which it needs from its first block on.
    for row in &cut {
        prefetch(row.scales.as_ptr().wrapping_add(blocks));
        prefetch(row.scales.as_ptr().wrapping_add(blocks + 64));
    }
    let mut sums = [_mm256_setzero_ps(); V];
    for four in 0..blocks / 4 {
        let mut words = [0; STRIP];
        for (word, (codes, scales)) in words.iter_mut().zip(codes.iter().zip(&scales)) {
            prefetch(codes.0[four][0].as_ptr().wrapping_add(AHEAD));
            *word = u32::from_le_bytes(scales.0[four]);
        }
        let mut scales = load_words(&words);
        for block in 0..4 {
            let codes = codes.map(|codes| &codes.0[four][block]);
            let elements = elements.map(|vector| &vector.0[four][block]);
            add(codes, elements, half_scales(scales), &mut sums);
            scales = _mm256_srli_epi32::<8>(scales);
        }
    }
    for block in 0..blocks % 4 {
        let words = scales.map(|scales| u32::from(scales.1[block]));
        let codes = codes.map(|codes| &codes.1[block]);
        let elements = elements.map(|vector| &vector.1[block]);
        add(codes, elements, half_scales(load_words(&words)), &mut sums);
    }
    sums
}

/// Adds the products of a block of each row with one of each vector.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add<F: Fixed, const V: usize>(
    rows: [&[u8; BLOCK / 2]; STRIP],
    vectors: [&F; V],
    scale: __m256,
    sums: &mut [__m256; V],
) {
    let mut quarters = [[_mm256_setzero_si256(); 4]; V];
    for pair in 0..4 {
        let low = _mm256_castsi128_si256(codes(rows[pair]));
        let both = _mm256_inserti128_si256::<1>(low, codes(rows[pair + 4]));
        let even = weights(both);
        let odd = weights(_mm256_srli_epi16::<4>(both));
        for v in 0..V {
            quarters[v][pair] = quarter(even, odd, vectors[v]);
        }
    }
    for v in 0..V {
        let [a, b, c, d] = quarters[v];
        let integers = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        let correction = _mm256_set1_epi32(vectors[v].correction());
        let sum = _mm256_cvtepi32_ps(_mm256_add_epi32(integers, correction));
        let sum = _mm256_mul_ps(sum, _mm256_set1_ps(vectors[v].step()));
        sums[v] = _mm256_fmadd_ps(sum, scale, sums[v]);
    }
}

/// The products of two rows with a block, in four sums for each.
#[inline]
#[target_feature(enable = "avx2")]
fn quarter<F: Fixed>(even: __m256i, odd: __m256i, vector: &F) -> __m256i {
    match *vector.words() {
        [a, b, c, d] => {
            let byte = _mm256_set1_epi16(0xFF);
            let a = _mm256_madd_epi16(_mm256_and_si256(even, byte), twice(&a));
            let b = _mm256_madd_epi16(_mm256_srli_epi16::<8>(even), twice(&b));
            let c = _mm256_madd_epi16(_mm256_and_si256(odd, byte), twice(&c));
            let d = _mm256_madd_epi16(_mm256_srli_epi16::<8>(odd), twice(&d));
            _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d))
        }
        [a, b] => {
            // Four products of at most 24 · 127 fit sixteen bits.
            let even = _mm256_maddubs_epi16(even, twice(&a));
            let odd = _mm256_maddubs_epi16(odd, twice(&b));
            _mm256_madd_epi16(_mm256_add_epi16(even, odd), _mm256_set1_epi16(1))
        }
        _ => even,
    }
}
