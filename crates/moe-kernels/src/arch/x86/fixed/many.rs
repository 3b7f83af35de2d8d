//! Rows with many vectors: sixteen at a time are decoded to memory.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_cvtepi32_ps, _mm256_fmadd_ps,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_si256,
};
use std::hint::black_box;
use std::ops::Range;

use super::decode::decode;
use super::register::{load, load_f32, load_sums, store_sums};
use super::{STRIP, strip};
use crate::arch::Out;
use crate::arch::fixed::{BlockRow, Fixed, FixedPanel, Line};

/// Vectors at a time: with two registers of rows eight sums, which leaves registers for what they meet.
const VECTORS: usize = 4;

/// Bytes of decoded rows that all vectors meet before the next are decoded: they share a first-level cache with
/// four vectors.
const STRETCH: usize = 18 << 10;

/// The products of all rows.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn products<F: Fixed>(
    rows: &[BlockRow<'_>],
    vectors: &[&[F]],
    panel: &mut FixedPanel,
    out: &mut Out<'_>,
) {
    let FixedPanel { lines, sums } = panel;
    let blocks = rows.first().map_or(0, |row| row.codes.len());
    let stretch = (STRETCH / (2 * size_of::<Line>() * F::LINES)).max(1);
    let half = stretch * F::LINES;
    if lines.len() < 2 * half {
        lines.resize(2 * half, Line::ZERO);
    }
    let (low, high) = lines[..2 * half].split_at_mut(half);
    for (index, some) in rows.chunks(2 * STRIP).enumerate() {
        let (first, second) = some.split_at(usize::min(STRIP, some.len()));
        let (first, second) = (strip(first), (!second.is_empty()).then(|| strip(second)));
        let ahead = 2 * STRIP * size_of_val(some[0].codes);
        sums.clear();
        sums.resize(vectors.len(), [0.0; 2 * STRIP]);
        for start in (0..blocks).step_by(stretch) {
            let blocks = start..usize::min(start + stretch, blocks);
            let low = &mut low[..blocks.len() * F::LINES];
            let high = &mut high[..blocks.len() * F::LINES];
            decode::<F>(&cut(&first, &blocks), low, ahead);
            match &second {
                Some(second) => decode::<F>(&cut(second, &blocks), high, ahead),
                None => high.fill(Line::ZERO),
            }
            let (fours, rest) = vectors.as_chunks::<VECTORS>();
            let (sums, rest_sums) = sums.as_chunks_mut::<VECTORS>();
            for (vectors, sums) in fours.iter().zip(sums) {
                add(low, high, vectors.map(|vector| &vector[blocks.clone()]), sums);
            }
            match *rest {
                [a] => add_some(low, high, [a].map(|v| &v[blocks.clone()]), rest_sums),
                [a, b] => add_some(low, high, [a, b].map(|v| &v[blocks.clone()]), rest_sums),
                [a, b, c] => add_some(low, high, [a, b, c].map(|v| &v[blocks.clone()]), rest_sums),
                _ => {}
            }
        }
        for (v, sums) in sums.iter().enumerate() {
            out.put_rows(2 * STRIP * index, v, &sums[..some.len()]);
        }
    }
}

/// Some blocks of rows.
fn cut<'a>(rows: &[BlockRow<'a>; STRIP], blocks: &Range<usize>) -> [BlockRow<'a>; STRIP] {
    rows.map(|row| BlockRow {
        codes: &row.codes[blocks.clone()],
        scales: &row.scales[blocks.clone()],
    })
}

/// [`add`] to a slice of as many sums.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_some<F: Fixed, const V: usize>(
    low: &[Line],
    high: &[Line],
    vectors: [&[F]; V],
    sums: &mut [[f32; 2 * STRIP]],
) {
    if let Some(sums) = sums.first_chunk_mut::<V>() {
        add(low, high, vectors, sums);
    }
}

/// Adds the products of some blocks of sixteen rows to the sums of some vectors.
#[target_feature(enable = "avx2,fma")]
fn add<F: Fixed, const V: usize>(
    low: &[Line],
    high: &[Line],
    vectors: [&[F]; V],
    sums: &mut [[f32; 2 * STRIP]; V],
) {
    let blocks = low.len() / F::LINES;
    let vectors = vectors.map(|vector| &vector[..blocks]);
    // So that the loop over the lines stays one: the optimiser would gather what its rounds need at its
    // beginning, and run out of registers.
    let lines = black_box(F::LINES);
    let panels = low.chunks_exact(F::LINES).zip(high.chunks_exact(F::LINES));
    for (block, (low, high)) in panels.enumerate() {
        let mut four = [&vectors[0][block]; V];
        for v in 1..V {
            four[v] = &vectors[v][block];
        }
        let integers = if F::LINES > 9 {
            pairs(low, high, four, lines)
        } else {
            quads(low, high, four, lines)
        };
        let scales = [load_f32(&low[F::LINES - 1]), load_f32(&high[F::LINES - 1])];
        for v in 0..V {
            let step = _mm256_set1_ps(four[v].step());
            let (halves, _) = sums[v].as_chunks_mut::<STRIP>();
            for half in 0..2 {
                let sum = _mm256_mul_ps(_mm256_cvtepi32_ps(integers[v][half]), step);
                let sum = _mm256_fmadd_ps(sum, scales[half], load_sums(&halves[half]));
                store_sums(sum, &mut halves[half]);
            }
        }
    }
}

/// The sums of a block where integers have sixteen bits.
#[inline]
#[target_feature(enable = "avx2")]
fn pairs<F: Fixed, const V: usize>(
    low: &[Line],
    high: &[Line],
    vectors: [&F; V],
    lines: usize,
) -> [[__m256i; 2]; V] {
    let mut sums = [[_mm256_setzero_si256(); 2]; V];
    let mut words = [vectors[0].words(); V];
    for v in 0..V {
        words[v] = &vectors[v].words()[..4];
        sums[v] = [_mm256_set1_epi32(vectors[v].correction()); 2];
    }
    let (low, high) = (&low[..16], &high[..16]);
    // Four lines a round, as words come in fours.
    for part in 0..usize::min(lines / 4, 4) {
        let (low, high) = (&low[4 * part..][..4], &high[4 * part..][..4]);
        let mut four = [&words[0][part]; V];
        for v in 1..V {
            four[v] = &words[v][part];
        }
        for line in 0..4 {
            let rows = [load(&low[line]), load(&high[line])];
            for v in 0..V {
                let word = _mm256_set1_epi32(four[v][line].cast_signed());
                for half in 0..2 {
                    let products = _mm256_madd_epi16(rows[half], word);
                    sums[v][half] = _mm256_add_epi32(sums[v][half], products);
                }
            }
        }
    }
    sums
}

/// The sums of a block where integers have eight bits.
#[inline]
#[target_feature(enable = "avx2")]
fn quads<F: Fixed, const V: usize>(
    low: &[Line],
    high: &[Line],
    vectors: [&F; V],
    lines: usize,
) -> [[__m256i; 2]; V] {
    let one = _mm256_set1_epi16(1);
    let mut sums = [[_mm256_setzero_si256(); 2]; V];
    for v in 0..V {
        sums[v] = [_mm256_set1_epi32(vectors[v].correction()); 2];
    }
    // Eight products of at most 24 · 127 fit sixteen bits, so half of a block.
    for part in 0..2 {
        let mut words = [&vectors[0].words()[part]; V];
        for v in 1..V {
            words[v] = &vectors[v].words()[part];
        }
        let mut halves = [[_mm256_setzero_si256(); 2]; V];
        let (low, high) = (&low[4 * part..][..4], &high[4 * part..][..4]);
        for line in 0..usize::min(lines, 4) {
            let rows = [load(&low[line]), load(&high[line])];
            for v in 0..V {
                let word = _mm256_set1_epi32(words[v][line].cast_signed());
                for half in 0..2 {
                    let products = _mm256_maddubs_epi16(rows[half], word);
                    halves[v][half] = _mm256_add_epi16(halves[v][half], products);
                }
            }
        }
        for v in 0..V {
            for half in 0..2 {
                let products = _mm256_madd_epi16(halves[v][half], one);
                sums[v][half] = _mm256_add_epi32(sums[v][half], products);
            }
        }
    }
    sums
}
