//! Sixteen rows to sixteen columns.

use std::arch::x86_64::{
    __m128i, __m512i, _mm_loadu_si128, _mm512_broadcast_i32x4, _mm512_mask_broadcast_i32x4,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

/// Of sixteen rows of sixteen words, the columns.
///
/// Loads bring the quarters of four rows together, so that shuffles need not cross quarters.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn transposed(rows: [&[u8; 64]; 16]) -> [__m512i; 16] {
    let mut columns = [quarters(&rows, 0, 0); 16];
    for quarter in 0..4 {
        let [a, b, c, d] = [
            quarters(&rows, quarter, 0),
            quarters(&rows, quarter, 1),
            quarters(&rows, quarter, 2),
            quarters(&rows, quarter, 3),
        ];
        let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
        columns[4 * quarter] = _mm512_unpacklo_epi64(ab, cd);
        columns[4 * quarter + 1] = _mm512_unpackhi_epi64(ab, cd);
        let (ab, cd) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
        columns[4 * quarter + 2] = _mm512_unpacklo_epi64(ab, cd);
        columns[4 * quarter + 3] = _mm512_unpackhi_epi64(ab, cd);
    }
    columns
}

/// The same quarter of rows `first`, `first + 4`, `first + 8` and `first + 12`.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters(rows: &[&[u8; 64]; 16], quarter: usize, first: usize) -> __m512i {
    let part = _mm512_broadcast_i32x4(load(rows[first], quarter));
    let part = _mm512_mask_broadcast_i32x4(part, 0x00F0, load(rows[first + 4], quarter));
    let part = _mm512_mask_broadcast_i32x4(part, 0x0F00, load(rows[first + 8], quarter));
    _mm512_mask_broadcast_i32x4(part, 0xF000, load(rows[first + 12], quarter))
}

#[inline]
fn load(row: &[u8; 64], quarter: usize) -> __m128i {
    let (quarters, _) = row.as_chunks::<16>();
    // SAFETY: sixteen bytes are readable, the alignment is free.
    unsafe { _mm_loadu_si128(quarters[quarter].as_ptr().cast()) }
}

#[cfg(test)]
mod tests {
    use std::array;

    use super::transposed;
    use crate::arch::simd::Simd;
    use crate::arch::x86::amx::tests::avx512;

    #[test]
    fn rows_become_columns() {
        let Some(simd) = avx512() else { return };
        let rows: [[u32; 16]; 16] = array::from_fn(|r| array::from_fn(|c| (100 * r + c) as u32));
        // SAFETY: the CPU has AVX-512.
        let columns = unsafe { transposed(rows.each_ref().map(bytemuck::must_cast_ref)) };
        for (c, column) in columns.into_iter().enumerate() {
            let mut stored = [0; 16];
            simd.store_pairs(column, &mut stored);
            assert_eq!(stored, array::from_fn(|r| (100 * r + c) as u32));
        }
    }
}
