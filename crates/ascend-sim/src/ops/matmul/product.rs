//! Products of matrices in f32: sums in an order that depends on the layout of the weight alone, never on how many rows are
//! multiplied.

use super::super::access;
use crate::kernel::Fault;
use crate::memory::Memory;
use crate::tensor::{FRACTAL_NZ, Tensor};

/// Extents of `[rows, depth] · [depth, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) struct Extents {
    pub(in crate::ops) rows: usize,
    pub(in crate::ops) depth: usize,
    pub(in crate::ops) columns: usize,
}

impl Extents {
    /// Multiplications and additions.
    pub(in crate::ops) fn flops(self) -> u64 {
        2 * self.rows as u64 * self.depth as u64 * self.columns as u64
    }
}

/// What lies row after row in memory: an index of the depth with all columns, or a column with all of the depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Major {
    Depth,
    Column,
}

/// Elements of a tile, which stays in the cache while all rows of x pass over it.
const TILE: usize = 1 << 16;

/// `x · weight`. `tile(first, count)` gives rows of the weight as its memory has them.
pub(in crate::ops) fn multiply(
    x: &[f32],
    extents: Extents,
    major: Major,
    tile: impl Fn(usize, usize) -> Result<Vec<f32>, Fault>,
) -> Result<Vec<f32>, Fault> {
    let Extents { rows, depth, columns } = extents;
    let mut out = vec![0.0; rows * columns];
    let (count, width) = match major {
        Major::Depth => (depth, columns),
        Major::Column => (columns, depth),
    };
    if out.is_empty() || width == 0 {
        return Ok(out);
    }
    let step = (TILE / width).max(1);
    for first in (0..count).step_by(step) {
        let tile = tile(first, step.min(count - first))?;
        for (at, weights) in (first..).zip(tile.chunks_exact(width)) {
            match major {
                Major::Depth => {
                    for (x, out) in x.chunks_exact(depth).zip(out.chunks_exact_mut(columns)) {
                        add_scaled(out, x[at], weights);
                    }
                }
                Major::Column => {
                    for (x, out) in x.chunks_exact(depth).zip(out.chunks_exact_mut(columns)) {
                        out[at] = dot(x, weights);
                    }
                }
            }
        }
    }
    Ok(out)
}

fn add_scaled(out: &mut [f32], scale: f32, values: &[f32]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += scale * value;
    }
}

/// Sixteen sums side by side, then those in order: what a compiler turns into vectors.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..16 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>();
    sums.iter().sum::<f32>() + rest
}

/// Reads the matrices of a weight `[..., depth, columns]` by the rows of its memory.
pub(in crate::ops) struct Weight {
    /// The view whose last dimension is contiguous, where one is.
    oriented: Tensor,
    pub(in crate::ops) major: Major,
    count: usize,
    width: usize,
}

impl Weight {
    pub(in crate::ops) fn new(weight: &Tensor) -> Self {
        let (oriented, major) = if weight.exchanged() {
            (weight.transposed(), Major::Column)
        } else {
            (weight.clone(), Major::Depth)
        };
        let rank = oriented.shape.len();
        let (count, width) = (oriented.shape[rank - 2] as usize, oriented.shape[rank - 1] as usize);
        Self { oriented, major, count, width }
    }

    /// `count` rows of memory of a matrix, from `first` on.
    pub(in crate::ops) fn rows(
        &self,
        mem: &dyn Memory,
        matrix: usize,
        first: usize,
        count: usize,
    ) -> Result<Vec<f32>, Fault> {
        let row = matrix * self.count + first;
        access::floats_at(mem, &self.oriented, row * self.width, count * self.width)
    }

    /// `x · weight` for one matrix of the weight.
    pub(in crate::ops) fn multiply(
        &self,
        mem: &dyn Memory,
        x: &[f32],
        extents: Extents,
        matrix: usize,
        prepare: impl Fn(&mut [f32]),
    ) -> Result<Vec<f32>, Fault> {
        // Rows of blocked memory lie far apart: all at once is one read.
        let all = if self.oriented.format == FRACTAL_NZ {
            Some(self.rows(mem, matrix, 0, self.count)?)
        } else {
            None
        };
        multiply(x, extents, self.major, |first, count| {
            let mut tile = match &all {
                Some(all) => all[first * self.width..(first + count) * self.width].to_vec(),
                None => self.rows(mem, matrix, first, count)?,
            };
            prepare(&mut tile);
            Ok(tile)
        })
    }
}
