//! Rows that are decoded in registers, with vectors that together are larger than a first-level cache.

use std::ops::Range;

use super::{Few, Group, Places, Source, each_row, exactly, lane_sums};
use crate::arch::simd::Simd;

/// Bytes of vectors that some rows meet before those that follow in the vectors: a quarter of a first-level cache
/// of 32 KiB.
const PART: usize = 8 << 10;

/// Rows that are read at the same time.
const STREAMS: usize = 4;

impl<W: Source, G: Group> Few<'_, W, G> {
    /// `R` rows at a time, of rows that stand apart: a stretch of groups of a few rows after the other. In
    /// between sums wait in memory.
    #[inline(always)]
    pub(super) fn stretches<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        vectors: [&[G]; V],
    ) {
        let groups = self.rows.first().map_or(0, |row| row.groups());
        let stretch = (PART / (V * size_of::<G>())).max(1);
        let steps = self.rows.len().div_ceil(STREAMS);
        for step in 0..steps {
            let indexes: [usize; STREAMS] = Places::Apart.of(step, steps);
            // What is beyond the last row is filled up with the first.
            let mut rows = [self.rows[0]; STREAMS];
            for (to, index) in rows.iter_mut().zip(indexes) {
                *to = self.rows.get(index).copied().unwrap_or(self.rows[0]);
            }
            let mut sums = [[[0.0; 16]; V]; STREAMS];
            for first in (0..groups).step_by(stretch) {
                let stretch = first..usize::min(first + stretch, groups);
                let rows = rows.as_chunks::<R>().0.iter();
                for (rows, sums) in rows.zip(sums.chunks_exact_mut(R)) {
                    add::<S, W, G, R, V>(simd, rows, &vectors, stretch.clone(), sums);
                }
            }
            for (index, sums) in indexes.into_iter().zip(&sums) {
                let Some(row) = self.rows.get(index) else { break };
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
                let products = lane_sums(simd, lanes);
                self.out.put_some(index, 0, &products, (1, self.vectors.len()));
                if !row.has_pairs() {
                    exactly(simd, *row, index, self.vectors, &mut self.out);
                }
            }
        }
    }
}

/// Adds the products of some groups to the sums, and asks for as many groups that follow them.
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
    // Where rows stand apart, the next one follows the end of each.
    let ahead = stretch.len() * (rows[0].row_bytes() / rows[0].groups().max(1));
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
