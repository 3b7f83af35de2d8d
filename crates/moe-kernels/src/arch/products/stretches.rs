//! The order of work for few registers: what is decoded stays in the first-level cache.

use std::ops::Range;

use super::{Group, PanelProducts, add_products, lane_sums};
use crate::arch::simd::Simd;

/// Bytes of decoded rows that all vectors meet before the next: a part of a first-level cache of 32 KiB.
const PART: usize = 24 << 10;

/// Vectors that meet the rows of a panel at a time: their sums, 96 KiB, wait in a second-level cache.
const TOGETHER: usize = 96;

impl<G: Group> PanelProducts<'_, '_, G> {
    /// `R` rows with `V` vectors at a time, a stretch of groups after the other.
    #[inline(always)]
    pub(super) fn stretches<S: Simd, const R: usize, const V: usize>(&mut self, simd: S) {
        let groups = self.vectors.first().map_or(0, |vector| vector.len());
        let rows = self.rows.next_multiple_of(R);
        let stretch = (PART / (rows * size_of::<G>())).max(1);
        for (block, vectors) in self.vectors.chunks(TOGETHER).enumerate() {
            self.sums.clear();
            self.sums.resize(rows * vectors.len(), [0.0; 16]);
            for first in (0..groups).step_by(stretch) {
                let stretch = first..usize::min(first + stretch, groups);
                let (most, rest) = vectors.as_chunks::<V>();
                let mut at = 0;
                for vectors in most {
                    self.add::<S, R, V>(simd, vectors, stretch.clone(), at, rows);
                    at += V * rows;
                }
                let (pairs, last) = rest.as_chunks::<2>();
                for vectors in pairs {
                    self.add::<S, R, 2>(simd, vectors, stretch.clone(), at, rows);
                    at += 2 * rows;
                }
                for vector in last {
                    self.add::<S, R, 1>(simd, &[*vector], stretch.clone(), at, rows);
                    at += rows;
                }
            }
            for (v, sums) in self.sums.chunks_exact(rows).enumerate() {
                for (index, four) in sums.chunks(4).enumerate() {
                    let mut lanes = [[simd.splat(0.0)]; 4];
                    for (to, from) in lanes.iter_mut().zip(four) {
                        *to = [simd.load(from)];
                    }
                    let row = 4 * index;
                    let products = lane_sums(simd, lanes);
                    let (first, vector) = (self.first + row, block * TOGETHER + v);
                    self.out.put_some(first, vector, &products, (self.rows - row, 1));
                }
            }
        }
    }

    /// Adds a stretch of all rows to the sums of some vectors, which begin `at`.
    #[inline(always)]
    fn add<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        vectors: &[&[G]; V],
        stretch: Range<usize>,
        at: usize,
        rows: usize,
    ) {
        let groups = vectors[0].len();
        for row in (0..rows).step_by(R) {
            let panel = &self.panel[row * groups..][..R * groups];
            let sums = &mut self.sums[at + row..];
            add_products::<S, G, R, V>(simd, panel, vectors, stretch.clone(), sums, (1, rows));
        }
    }
}
