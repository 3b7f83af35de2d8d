//! Rows that are decoded in registers, with vectors that together are larger than a first-level cache.

use std::ops::Range;

use super::{Few, Group, ROWS, Source, each_row, exactly, lane_sums};
use crate::arch::simd::Simd;

/// Bytes of vectors that some rows meet before those that follow in the vectors: half of a first-level cache
/// of 32 KiB.
const PART: usize = 16 << 10;

impl<W: Source, G: Group> Few<'_, W, G> {
    /// `R` rows at a time, a stretch of groups of sixteen rows after the other. In between sums wait in
    /// memory.
    #[inline(always)]
    pub(super) fn stretches<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        vectors: [&[G]; V],
    ) {
        for (block, some) in self.rows.chunks(ROWS).enumerate() {
            let groups = some[0].groups();
            let stretch = (PART / (V * size_of::<G>())).max(1);
            let mut sums = [[[0.0; 16]; V]; ROWS];
            for first in (0..groups).step_by(stretch) {
                let stretch = first..usize::min(first + stretch, groups);
                for (rows, sums) in some.chunks(R).zip(sums.chunks_exact_mut(R)) {
                    // The last rows are filled up with the first of them.
                    let mut filled = [rows[0]; R];
                    for (to, row) in filled.iter_mut().zip(rows) {
                        *to = *row;
                    }
                    add::<S, W, G, R, V>(simd, &filled, &vectors, stretch.clone(), sums);
                }
            }
            for (index, (row, sums)) in some.iter().zip(&sums).enumerate() {
                let mut lanes = [[simd.splat(0.0); V]];
                for v in 0..V {
                    lanes[0][v] = simd.load(&sums[v]);
                }
                if let Some(pairs) = row.tail(simd) {
                    for step in 0..4 {
                        for v in 0..V {
                            let tail = &vectors[v][groups];
                            lanes[0][v] = tail.step(simd, step, pairs[step], lanes[0][v]);
                        }
                    }
                }
                let row_index = block * ROWS + index;
                let products = lane_sums(simd, lanes);
                self.out.put_some(row_index, 0, &products, (1, self.vectors.len()));
                if !row.has_pairs() {
                    exactly(simd, *row, row_index, self.vectors, &mut self.out);
                }
            }
        }
    }
}

/// Adds the products of some groups to the sums.
#[inline(always)]
fn add<S: Simd, W: Source, G: Group, const R: usize, const V: usize>(
    simd: S,
    rows: &[W; R],
    vectors: &[&[G]; V],
    stretch: Range<usize>,
    sums: &mut [[[f32; 16]; V]],
) {
    let mut cut: [&[G]; V] = [&[]; V];
    for v in 0..V {
        cut[v] = &vectors[v][..stretch.end];
    }
    let mut whole = *rows;
    let mut lanes = [[simd.splat(0.0); V]; R];
    for r in 0..R {
        whole[r] = rows[r].cut(stretch.end);
        for v in 0..V {
            lanes[r][v] = simd.load(&sums[r][v]);
        }
    }
    // The rows that come next, if they lie there.
    let ahead = R * rows[0].row_bytes();
    for group in stretch {
        each_row!(R, ROW => {
            whole[ROW].prefetch(simd, group, ahead);
            let pairs = whole[ROW].group(simd, group);
            for step in 0..4 {
                for v in 0..V {
                    lanes[ROW][v] = cut[v][group].step(simd, step, pairs[step], lanes[ROW][v]);
                }
            }
        });
    }
    for r in 0..R {
        for v in 0..V {
            simd.store(lanes[r][v], &mut sums[r][v]);
        }
    }
}
