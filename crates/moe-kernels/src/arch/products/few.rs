//! Products with few vectors: rows are decoded in registers.

use std::ops::Range;

use super::{Group, ROWS, Source, each_row, exactly, lane_sums};
use crate::arch::simd::{Kernel, Simd};
use crate::arch::{Level, Out};

/// Vectors that are multiplied with rows in registers at a time.
pub(crate) const FEW: usize = 4;

/// Bytes of vectors that some rows meet before those that follow in the vectors: a quarter of a first-level cache
/// of 32 KiB.
const PART: usize = 8 << 10;

/// Rows that are read at the same time.
const STREAMS: usize = 4;

/// At most [`FEW`] vectors at a time with rows that a second-level cache keeps for the next.
pub(super) fn few_at_a_time<W: Source, G: Group>(
    level: Level,
    rows: &[W],
    vectors: &[&[G]],
    out: Out<'_>,
) {
    let Out { data, row_step, vector_step } = out;
    let together = if vectors.len() <= FEW { rows.len() } else { 2 * ROWS };
    for (block, rows) in rows.chunks(together.max(1)).enumerate() {
        for (part, vectors) in vectors.chunks(FEW).enumerate() {
            let at = block * together * row_step + part * FEW * vector_step;
            let data = data.get_mut(at..).unwrap_or_default();
            G::run(level, Few { rows, vectors, out: Out { data, row_step, vector_step } });
        }
    }
}

/// Products with few vectors: rows are decoded in registers.
struct Few<'a, W, G> {
    rows: &'a [W],
    vectors: &'a [&'a [G]],
    out: Out<'a>,
}

impl<W: Source, G: Group> Kernel for Few<'_, W, G> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        match *self.vectors {
            [] => {}
            [a] => self.vectors(simd, [a]),
            [a, b] => self.vectors(simd, [a, b]),
            // One more product costs less than one more kernel.
            [a, b, c] => self.vectors(simd, [a, b, c, c]),
            [a, b, c, d, ..] => self.vectors(simd, [a, b, c, d]),
        }
    }
}

impl<W: Source, G: Group> Few<'_, W, G> {
    #[inline(always)]
    fn vectors<S: Simd, const V: usize>(&mut self, simd: S, vectors: [&[G]; V]) {
        // As many sums at once as hide the latency of an addition and leave registers.
        if S::REGISTERS >= 32 {
            self.blocks::<S, 4, V>(simd, vectors, Places::Neighbours);
        } else if V == 1 {
            self.blocks::<S, 4, V>(simd, vectors, Places::Apart);
        } else if V == 2 {
            self.stretches::<S, 2, V, 1>(simd, vectors);
        } else if S::HALVES == 2 {
            self.stretches::<S, 2, V, 2>(simd, vectors);
        } else {
            self.stretches::<S, 1, V, 1>(simd, vectors);
        }
    }

    /// The rows with these numbers; the first one in place of those beyond the last.
    #[inline(always)]
    fn filled<const R: usize>(&self, indexes: [usize; R]) -> [W; R] {
        let mut rows = [self.rows[0]; R];
        for (to, index) in rows.iter_mut().zip(indexes) {
            *to = self.rows.get(index).copied().unwrap_or(self.rows[0]);
        }
        rows
    }

    /// `R` rows at a time.
    #[inline(always)]
    fn blocks<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        vectors: [&[G]; V],
        places: Places,
    ) {
        let steps = self.rows.len().div_ceil(R);
        for step in 0..steps {
            let indexes: [usize; R] = places.of(step, steps);
            let rows = self.filled(indexes);
            let products = in_registers::<S, W, G, R, V>(simd, &rows, &vectors, places);
            for (index, products) in indexes.into_iter().zip(products) {
                let Some(row) = self.rows.get(index) else { break };
                self.out.put_some(index, 0, &[products], (1, self.vectors.len()));
                if !row.has_pairs() {
                    exactly(simd, *row, index, self.vectors, &mut self.out);
                }
            }
        }
    }
}

/// Where the rows stand that are read at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Places {
    /// Next to each other; what comes next is asked for.
    Neighbours,
    /// In as many parts of equal size, so that memory is read on and on in each: AMD's Zen 3 reads four or eight such
    /// streams half as fast again as one, and asking for what comes next disturbs them.
    Apart,
}

impl Places {
    /// The rows of a step; numbers beyond the last row, if any, are at the end.
    #[inline(always)]
    fn of<const R: usize>(self, step: usize, steps: usize) -> [usize; R] {
        let mut rows = [0; R];
        for (place, row) in rows.iter_mut().enumerate() {
            *row = match self {
                Self::Neighbours => step * R + place,
                Self::Apart => place * steps + step,
            };
        }
        rows
    }
}

impl<W: Source, G: Group> Few<'_, W, G> {
    /// `R` rows at a time, of rows that stand apart: a stretch of groups of a few rows after the other, and of that
    /// all lanes or one of two `HALVES` after the other. In between sums wait in memory.
    #[inline(always)]
    fn stretches<S: Simd, const R: usize, const V: usize, const HALVES: usize>(
        &mut self,
        simd: S,
        vectors: [&[G]; V],
    ) {
        let groups = self.rows.first().map_or(0, |row| row.groups());
        let stretch = (PART / (V * size_of::<G>())).max(1);
        let steps = self.rows.len().div_ceil(STREAMS);
        for step in 0..steps {
            let indexes: [usize; STREAMS] = Places::Apart.of(step, steps);
            let rows = self.filled(indexes);
            let mut sums = [[[0.0; 16]; V]; STREAMS];
            for first in (0..groups).step_by(stretch) {
                let stretch = first..usize::min(first + stretch, groups);
                let rows = rows.as_chunks::<R>().0.iter();
                for (rows, sums) in rows.zip(sums.chunks_exact_mut(R)) {
                    let (vectors, stretch) = (&vectors, stretch.clone());
                    if HALVES == 1 {
                        add::<S, W, G, R, V, ALL>(simd, rows, vectors, stretch, sums);
                    } else {
                        add::<S, W, G, R, V, 0>(simd, rows, vectors, stretch.clone(), sums);
                        add::<S, W, G, R, V, 1>(simd, rows, vectors, stretch, sums);
                    }
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

/// In place of a half of the lanes: all of them.
const ALL: usize = usize::MAX;

/// Adds the products of some groups to a half of the sums. With [`ALL`] or the first half, asks for as many groups
/// that follow them.
#[inline(always)]
fn add<S: Simd, W: Source, G: Group, const R: usize, const V: usize, const HALF: usize>(
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
        // Before all loads: the optimiser moves none of them over a prefetch, and would keep them too long.
        if HALF == 0 || HALF == ALL {
            each_row!(R, ROW => {
                whole[ROW].prefetch(simd, group, ahead);
            });
        }
        let mut pairs = [whole[0].group(simd, group); R];
        each_row!(R, ROW => {
            pairs[ROW] = whole[ROW].group(simd, group);
        });
        for step in 0..4 {
            for v in 0..V {
                each_row!(R, ROW => {
                    let sum = lanes[ROW][v];
                    lanes[ROW][v] = cut[v][group].step(simd, step, pairs[ROW][step], sum);
                });
            }
        }
    }
    for r in 0..R {
        for v in 0..V {
            if HALF == ALL {
                simd.store(lanes[r][v], &mut sums[r][v]);
            } else {
                simd.store_half::<HALF>(lanes[r][v], &mut sums[r][v]);
            }
        }
    }
}

/// The products of rows that are decoded on the way.
#[inline(always)]
fn in_registers<S: Simd, W: Source, G: Group, const R: usize, const V: usize>(
    simd: S,
    rows: &[W; R],
    vectors: &[&[G]; V],
    places: Places,
) -> [[f32; V]; R] {
    let groups = rows[0].groups();
    let mut cut: [&[G]; V] = [&[]; V];
    for v in 0..V {
        cut[v] = &vectors[v][..groups];
    }
    let mut whole = *rows;
    for r in 0..R {
        whole[r] = rows[r].cut(groups);
    }
    // The rows that come next, if they lie there.
    let ahead = R * rows[0].row_bytes();
    let mut sums = [[simd.splat(0.0); V]; R];
    for group in 0..groups {
        each_row!(R, ROW => {
            if places == Places::Neighbours {
                whole[ROW].prefetch(simd, group, ahead);
            }
            let pairs = whole[ROW].group(simd, group);
            for step in 0..4 {
                for v in 0..V {
                    sums[ROW][v] = cut[v][group].step(simd, step, pairs[step], sums[ROW][v]);
                }
            }
        });
    }
    each_row!(R, ROW => {
        if let Some(pairs) = rows[ROW].tail(simd) {
            for step in 0..4 {
                for v in 0..V {
                    sums[ROW][v] = vectors[v][groups].step(simd, step, pairs[step], sums[ROW][v]);
                }
            }
        }
    });
    lane_sums(simd, sums)
}
