//! Eight rows to a panel.

use std::arch::x86_64::{
    __m256i, _mm_srli_epi16, _mm256_and_si256, _mm256_castsi128_si256, _mm256_inserti128_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi16, _mm256_setzero_si256, _mm256_srli_epi16,
    _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
};

use super::STRIP;
use super::register::{codes, prefetch, store, weights};
use crate::arch::fixed::{BlockRow, Fixed, Line, scale};

/// Writes rows so that a line has what the same integers of a vector meet in each row, in
/// [`Fixed::LINES`] lines a block, of which the last has the halves of the scales.
#[target_feature(enable = "avx2")]
pub(super) fn decode<F: Fixed>(rows: &[BlockRow<'_>; STRIP], panel: &mut [Line], ahead: usize) {
    for (index, lines) in panel.chunks_exact_mut(F::LINES).enumerate() {
        let mut eight = [_mm256_setzero_si256(); STRIP];
        for (to, row) in eight.iter_mut().zip(rows) {
            let block = &row.codes[index];
            if index % 4 == 0 {
                prefetch(block.as_ptr().wrapping_add(ahead));
            }
            let even = codes(block);
            let odd = _mm_srli_epi16::<4>(even);
            let both = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(even), odd);
            *to = weights(both);
        }
        let Some((last, lines)) = lines.split_last_mut() else { return };
        write(transposed(eight), lines);
        let (places, _) = last.0.as_chunks_mut::<4>();
        for (to, row) in places.iter_mut().zip(rows) {
            *to = scale(row.scales[index]).to_ne_bytes();
        }
    }
}

/// Four bytes of each row a line, or two lines with two of them in 16 bits each.
#[inline]
#[target_feature(enable = "avx2")]
fn write(quads: [__m256i; 8], lines: &mut [Line]) {
    if let Some(lines) = lines.first_chunk_mut::<16>() {
        let byte = _mm256_set1_epi16(0xFF);
        for (i, quad) in quads.into_iter().enumerate() {
            let line = 8 * (i / 4) + i % 4;
            store(_mm256_and_si256(quad, byte), &mut lines[line]);
            store(_mm256_srli_epi16::<8>(quad), &mut lines[line + 4]);
        }
    } else {
        for (quad, line) in quads.into_iter().zip(lines) {
            store(quad, line);
        }
    }
}

/// Eight by eight words, rows and columns exchanged.
#[inline]
#[target_feature(enable = "avx2")]
fn transposed(rows: [__m256i; 8]) -> [__m256i; 8] {
    let mut twos = rows;
    for i in 0..4 {
        let (a, b) = (rows[2 * i], rows[2 * i + 1]);
        twos[2 * i] = _mm256_unpacklo_epi32(a, b);
        twos[2 * i + 1] = _mm256_unpackhi_epi32(a, b);
    }
    let mut fours = twos;
    for i in [0, 4] {
        fours[i] = _mm256_unpacklo_epi64(twos[i], twos[i + 2]);
        fours[i + 1] = _mm256_unpackhi_epi64(twos[i], twos[i + 2]);
        fours[i + 2] = _mm256_unpacklo_epi64(twos[i + 1], twos[i + 3]);
        fours[i + 3] = _mm256_unpackhi_epi64(twos[i + 1], twos[i + 3]);
    }
    let mut columns = fours;
    for i in 0..4 {
        columns[i] = _mm256_permute2x128_si256::<0x20>(fours[i], fours[i + 4]);
        columns[i + 4] = _mm256_permute2x128_si256::<0x31>(fours[i], fours[i + 4]);
    }
    columns
}
