//! Eight rows with few vectors: rows are decoded in registers.

use std::arch::x86_64::{
    __m256, __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi128_si256,
    _mm256_castsi256_ps, _mm256_cvtepi32_ps, _mm256_fmadd_ps, _mm256_hadd_epi32,
    _mm256_inserti128_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32,
    _mm256_srli_epi16, _mm256_srli_epi32, _mm256_sub_epi32,
};

use super::STRIP;
use super::register::{codes, load_words, prefetch, store_sums, twice, weights};
use crate::arch::Out;
use crate::arch::fixed::{BlockRow, Fixed};

/// The products of the first `count` rows, which are number `first` and those after it.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn products<F: Fixed, const V: usize>(
    rows: &[BlockRow<'_>; STRIP],
    vectors: [&[F]; V],
    (first, count): (usize, usize),
    out: &mut Out<'_>,
) {
    let sums = sums(rows, vectors);
    for (v, sums) in sums.iter().enumerate() {
        let mut products = [0.0; STRIP];
        store_sums(*sums, &mut products);
        out.put_rows(first, v, &products[..count]);
    }
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
    // The rows that come next, if they lie there.
    let ahead = STRIP * size_of_val(rows[0].codes);
    let mut sums = [_mm256_setzero_ps(); V];
    for first in (0..blocks).step_by(4) {
        let mut words = [0; STRIP];
        for (word, row) in words.iter_mut().zip(&cut) {
            prefetch(row.codes[first].as_ptr().wrapping_add(ahead));
            *word = four_scales(row.scales, first);
        }
        let mut scales = load_words(&words);
        for block in first..usize::min(first + 4, blocks) {
            let scale = half_scales(scales);
            scales = _mm256_srli_epi32::<8>(scales);
            let mut quarters = [[scales; 4]; V];
            for pair in 0..4 {
                let [low, high] = [cut[pair].codes[block], cut[pair + 4].codes[block]];
                let low = _mm256_castsi128_si256(codes(&low));
                let both = _mm256_inserti128_si256::<1>(low, codes(&high));
                let even = weights(both);
                let odd = weights(_mm256_srli_epi16::<4>(both));
                for v in 0..V {
                    quarters[v][pair] = quarter(even, odd, &vectors[v][block]);
                }
            }
            for v in 0..V {
                let [a, b, c, d] = quarters[v];
                let integers = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
                let vector = &vectors[v][block];
                let correction = _mm256_set1_epi32(vector.correction());
                let sum = _mm256_cvtepi32_ps(_mm256_add_epi32(integers, correction));
                let sum = _mm256_mul_ps(sum, _mm256_set1_ps(vector.step()));
                sums[v] = _mm256_fmadd_ps(sum, scale, sums[v]);
            }
        }
    }
    sums
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

/// The scales of four blocks; zeros where there are fewer.
#[inline]
fn four_scales(scales: &[u8], first: usize) -> u32 {
    let scales = scales.get(first..).unwrap_or_default();
    if let Some(four) = scales.first_chunk() {
        return u32::from_le_bytes(*four);
    }
    let mut four = [0; 4];
    four.iter_mut().zip(scales).for_each(|(to, scale)| *to = *scale);
    u32::from_le_bytes(four)
}

/// Half of plain scales, in the lowest bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn half_scales(scales: __m256i) -> __m256 {
    let scales = _mm256_and_si256(scales, _mm256_set1_epi32(0xFF));
    let exponents = _mm256_sub_epi32(scales, _mm256_set1_epi32(1));
    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponents))
}
