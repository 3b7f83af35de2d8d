//! Weighted sums of rows.

use super::simd::{Kernel, Simd};
use super::{Ahead, Level, Rows};

/// Adds `factors[v][i] · rows[i]` to output `v` for every row, in order.
///
/// Output `v` is the `rows.cols()` elements from `v · stride` on; `factors[v]` has as many elements
/// as there are rows. An element depends on its own column and factors only. What will be read next is
/// asked for meanwhile.
pub(crate) fn accumulate(
    level: Level,
    rows: Rows<'_>,
    factors: &[&[f32]],
    out: &mut [f32],
    stride: usize,
    ahead: &mut Ahead<'_>,
) {
    level.run(Accumulate { rows, factors, out, stride, ahead });
}

struct Accumulate<'a, 'm> {
    rows: Rows<'a>,
    factors: &'a [&'a [f32]],
    out: &'a mut [f32],
    stride: usize,
    ahead: &'a mut Ahead<'m>,
}

impl Kernel for Accumulate<'_, '_> {
    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        // As many sums at once as leave registers for a row and a factor.
        if S::REGISTERS >= 32 {
            self.outputs::<S, 4, 4>(simd);
        } else if S::REGISTERS >= 8 {
            self.outputs::<S, 2, 2>(simd);
        } else {
            self.outputs::<S, 2, 1>(simd);
        }
    }
}

impl Accumulate<'_, '_> {
    /// `V` outputs at a time, the rest one at a time, `C` chunks of columns each.
    #[inline(always)]
    fn outputs<S: Simd, const V: usize, const C: usize>(&mut self, simd: S) {
        let (blocks, rest) = self.factors.as_chunks::<V>();
        for (block, factors) in blocks.iter().enumerate() {
            self.columns::<S, V, C>(simd, factors, block * V);
        }
        for (i, factors) in rest.iter().enumerate() {
            self.columns::<S, 1, C>(simd, &[*factors], blocks.len() * V + i);
        }
    }

    #[inline(always)]
    fn columns<S: Simd, const V: usize, const C: usize>(
        &mut self,
        simd: S,
        factors: &[&[f32]; V],
        first: usize,
    ) {
        let cols = self.rows.cols();
        let mut column = 0;
        while column + 16 * C <= cols {
            self.chunks::<S, V, C>(simd, factors, first, column);
            column += 16 * C;
        }
        while column + 16 <= cols {
            self.chunks::<S, V, 1>(simd, factors, first, column);
            column += 16;
        }
        for (v, factors) in factors.iter().enumerate() {
            let start = (first + v) * self.stride;
            for (i, factor) in factors.iter().enumerate().take(self.rows.count()) {
                let tail = &self.rows.row(i)[column..];
                for (to, element) in self.out[start + column..start + cols].iter_mut().zip(tail) {
                    *to = simd.mul_add_one(*factor, *element, *to);
                }
            }
        }
    }

    /// `V` outputs from number `first` on, in the `16·C` columns from `column` on.
    #[inline(always)]
    fn chunks<S: Simd, const V: usize, const C: usize>(
        &mut self,
        simd: S,
        factors: &[&[f32]; V],
        first: usize,
        column: usize,
    ) {
        let count = self.rows.count();
        self.ahead.ask(simd, 2 * V * C);
        let mut sums = [[simd.splat(0.0); C]; V];
        for v in 0..V {
            let from = &self.out[(first + v) * self.stride + column..][..16 * C];
            let (chunks, _) = from.as_chunks();
            for c in 0..C {
                sums[v][c] = simd.load(&chunks[c]);
            }
        }
        let mut cut: [&[f32]; V] = [&[]; V];
        for v in 0..V {
            cut[v] = &factors[v][..count];
        }
        for (i, row) in self.rows.data().chunks_exact(self.rows.cols()).enumerate() {
            let (row, _) = row[column..][..16 * C].as_chunks();
            let mut loaded = [simd.splat(0.0); C];
            for c in 0..C {
                loaded[c] = simd.load(&row[c]);
            }
            for v in 0..V {
                let factor = simd.splat(cut[v][i]);
                for c in 0..C {
                    sums[v][c] = simd.mul_add(factor, loaded[c], sums[v][c]);
                }
            }
        }
        for v in 0..V {
            let to = &mut self.out[(first + v) * self.stride + column..][..16 * C];
            let (chunks, _) = to.as_chunks_mut();
            for c in 0..C {
                simd.store(sums[v][c], &mut chunks[c]);
            }
        }
    }
}
