//! Eight rows to a panel.

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_castsi128_si256, _mm256_inserti128_si256, _mm256_set1_epi16,
    _mm256_setzero_si256, _mm256_srli_epi16, _mm256_srli_epi32, _mm256_unpackhi_epi32,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

use super::STRIP;
use super::register::{codes, half_scales, load_words, prefetch, store, store_f32, weights};
use crate::arch::fixed::{BLOCK, BlockRow, Fixed, Line};

/// Writes rows so that a line has what the same integers of a vector meet in each row, in
/// [`Fixed::LINES`] lines a block, of which the last has the halves of plain scales. The memory `ahead` of
/// the codes is asked for.
#[target_feature(enable = "avx2")]
pub(super) fn decode<F: Fixed>(rows: &[BlockRow<'_>; STRIP], panel: &mut [Line], ahead: usize) {
    let mut scales = _mm256_setzero_si256();
    for (index, lines) in panel.chunks_exact_mut(F::LINES).enumerate() {
        let mut blocks = [&[0; BLOCK / 2]; STRIP];
        for (to, row) in blocks.iter_mut().zip(rows) {
            *to = &row.codes[index];
        }
        if index % 4 == 0 {
            let mut words = [0; STRIP];
            for (word, row) in words.iter_mut().zip(rows) {
                prefetch(row.codes[index].as_ptr().wrapping_add(ahead));
                *word = four(&row.scales[index..]);
            }
            scales = load_words(&words);
        }
        let Some((last, lines)) = lines.split_last_mut() else { return };
        write(words(blocks), lines);
        store_f32(half_scales(scales), last);
        scales = _mm256_srli_epi32::<8>(scales);
    }
}

/// The first four scales; zeros where there are fewer.
#[inline(always)]
fn four(scales: &[u8]) -> u32 {
    if let Some(four) = scales.first_chunk() {
        return u32::from_le_bytes(*four);
    }
    let mut four = [0; 4];
    four.iter_mut().zip(scales).for_each(|(to, scale)| *to = *scale);
    u32::from_le_bytes(four)
}

/// Each of the four words of codes, of all rows.
#[inline]
#[target_feature(enable = "avx2")]
fn words(rows: [&[u8; BLOCK / 2]; STRIP]) -> [__m256i; 4] {
    let mut both = [_mm256_setzero_si256(); 4];
    for (row, to) in both.iter_mut().enumerate() {
        let low = _mm256_castsi128_si256(codes(rows[row]));
        *to = _mm256_inserti128_si256::<1>(low, codes(rows[row + 4]));
    }
    let [a, b, c, d] = both;
    let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
    let (ab_high, cd_high) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
    [
        _mm256_unpacklo_epi64(ab, cd),
        _mm256_unpackhi_epi64(ab, cd),
        _mm256_unpacklo_epi64(ab_high, cd_high),
        _mm256_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// Of each word the weights of even elements, then of odd ones: four bytes of each row a line, or two lines
/// with two of them in 16 bits each.
#[inline]
#[target_feature(enable = "avx2")]
fn write(words: [__m256i; 4], lines: &mut [Line]) {
    if let Some(lines) = lines.first_chunk_mut::<16>() {
        let byte = _mm256_set1_epi16(0xFF);
        for (i, word) in words.into_iter().enumerate() {
            let odd = weights(_mm256_srli_epi16::<4>(word));
            for (first, quad) in [(i, weights(word)), (8 + i, odd)] {
                store(_mm256_and_si256(quad, byte), &mut lines[first]);
                store(_mm256_srli_epi16::<8>(quad), &mut lines[first + 4]);
            }
        }
    } else if let Some(lines) = lines.first_chunk_mut::<8>() {
        for (i, word) in words.into_iter().enumerate() {
            store(weights(word), &mut lines[i]);
            store(weights(_mm256_srli_epi16::<4>(word)), &mut lines[i + 4]);
        }
    }
}
