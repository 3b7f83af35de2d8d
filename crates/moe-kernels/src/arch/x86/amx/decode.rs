//! Stored rows to tiles.

use std::arch::x86_64::{
    __m512i, _mm_cvtsi32_si128, _mm512_and_si512, _mm512_or_si512, _mm512_set1_epi16,
    _mm512_set1_epi32, _mm512_slli_epi16, _mm512_slli_epi32, _mm512_srl_epi32, _mm512_sub_epi16,
};

use super::many::ROWS;
use super::tile::Tile;
use super::transpose::transposed;
use super::{GROUPS, SIDE};
use crate::arch::mxfp4::OFFSET;
use crate::arch::simd::Simd;
use crate::arch::source::{Mxfp4Group, Source};
use crate::arch::x86::avx512::{Avx512, four_steps};

/// A superblock of up to sixteen rows, a lane in each tile, from stored rows.
#[inline(always)]
pub(super) fn decode<W: Source>(
    simd: Avx512,
    rows: &[W],
    superblock: usize,
    scratch: &mut [Tile; SIDE],
    to: &mut [Tile; SIDE],
) {
    if let Ok(rows) = <&[W; SIDE]>::try_from(rows)
        && (superblock + 1) * GROUPS <= rows[0].groups()
        && rows[0].mxfp4(superblock * GROUPS).is_some()
    {
        for group in 0..GROUPS {
            mxfp4(simd, rows, superblock * GROUPS + group, group, to);
        }
        return;
    }
    for (row, to) in rows.iter().zip(scratch.iter_mut()) {
        let (groups, _) = to.0.as_chunks_mut::<4>();
        for (group, to) in (superblock * GROUPS..).zip(groups) {
            let pairs = pairs(simd, *row, group);
            for step in 0..4 {
                simd.store_pairs(pairs[step], &mut to[step]);
            }
        }
    }
    for step in 0..SIDE {
        let steps = scratch.each_ref().map(|row| bytemuck::must_cast_ref(&row.0[step]));
        // SAFETY: `simd` is proof of AVX-512.
        let lanes = unsafe { transposed(steps) };
        for lane in 0..SIDE {
            simd.store_pairs(lanes[lane], &mut to[lane].0[step]);
        }
    }
}

/// A group of a row, the last one or zeros beyond.
#[inline(always)]
fn pairs<W: Source>(simd: Avx512, row: W, group: usize) -> [__m512i; 4] {
    if group < row.groups() {
        row.prefetch(simd, group, ROWS * row.row_bytes());
        return row.group(simd, group);
    }
    let zero = [simd.load_words(&[0; SIDE]); 4];
    if group == row.groups() { row.tail(simd).unwrap_or(zero) } else { zero }
}

/// A group of sixteen rows in MXFP4, which is number `place` of its superblock.
///
/// Thirty-two bits of codes are the pairs of one lane and four steps. So codes are transposed,
/// a quarter of what there would be to transpose once they are decoded.
#[inline(always)]
fn mxfp4<W: Source>(
    simd: Avx512,
    rows: &[W; SIDE],
    group: usize,
    place: usize,
    to: &mut [Tile; SIDE],
) {
    let (mut codes, mut scales) = ([&[0; 64]; SIDE], [0; SIDE]);
    for (r, row) in rows.iter().enumerate() {
        row.prefetch(simd, group, ROWS * row.row_bytes());
        if let Some(Mxfp4Group { codes: of_row, scales: of_group }) = row.mxfp4(group) {
            codes[r] = of_row;
            scales[r] = u32::from_le_bytes(of_group);
        }
    }
    // SAFETY: `simd` is proof of AVX-512.
    let lanes = unsafe { transposed(codes) };
    let scales = simd.load_words(&scales);
    for block in 0..4 {
        // SAFETY: as above.
        let offset = unsafe { offset(scales, block as u8) };
        for lane in 4 * block..4 * block + 4 {
            // SAFETY: as above.
            let pairs = unsafe { four_steps(lanes[lane], offset) };
            for step in 0..4 {
                simd.store_pairs(pairs[step], &mut to[lane].0[4 * place + step]);
            }
        }
    }
}

/// What is subtracted for the scales of a block: of each word one of the four bytes, twice.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn offset(scales: __m512i, block: u8) -> __m512i {
    let scale = _mm512_srl_epi32(scales, _mm_cvtsi32_si128(8 * i32::from(block)));
    let scale = _mm512_and_si512(scale, _mm512_set1_epi32(0xFF));
    let twice = _mm512_or_si512(scale, _mm512_slli_epi32::<16>(scale));
    _mm512_sub_epi16(_mm512_set1_epi16(OFFSET.cast_signed()), _mm512_slli_epi16::<7>(twice))
}
