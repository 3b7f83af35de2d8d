//! Products of rows with rows.

use super::Rows;
use super::portable::Portable;
use super::simd::{Simd, sum};

/// Where the product of row `r` with vector `t` goes: `data[r·row_step + t·vector_step]`.
#[derive(Debug)]
pub(crate) struct Out<'a> {
    pub(crate) data: &'a mut [f32],
    pub(crate) row_step: usize,
    pub(crate) vector_step: usize,
}

/// The product of every row with every vector, which are as long as the rows.
///
/// Lane `l` of sixteen sums the elements `l`, `l + 16`, … in order; then the lanes are summed as a
/// tree. So a product depends on its row and vector only.
pub(crate) fn dots(rows: Rows<'_>, vectors: &[&[f32]], out: Out<'_>) {
    for r in 0..rows.count() {
        for (t, vector) in vectors.iter().enumerate() {
            if let Some(y) = out.data.get_mut(r * out.row_step + t * out.vector_step) {
                *y = dot(Portable, rows.row(r), vector);
            }
        }
    }
}

#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (a, a_tail) = a.as_chunks::<16>();
    let (b, b_tail) = b.as_chunks::<16>();
    let mut lanes = simd.splat(0.0);
    for (a, b) in a.iter().zip(b) {
        lanes = simd.mul_add(simd.load(a), simd.load(b), lanes);
    }
    let mut stored = [0.0; 16];
    simd.store(lanes, &mut stored);
    for ((a, b), lane) in a_tail.iter().zip(b_tail).zip(&mut stored) {
        *lane = simd.mul_add_one(*a, *b, *lane);
    }
    sum(&stored)
}
