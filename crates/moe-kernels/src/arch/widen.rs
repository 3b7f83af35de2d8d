//! Rows of bf16 to `f32`.

use half::bf16;

use super::Level;
use super::simd::{Kernel, Simd};

/// Rows ahead of the one that is converted: it takes so long until memory that is read in pieces is there.
const AHEAD: usize = 16;

/// Elements of a line of a first-level cache, of 64 bytes.
const LINE: usize = 32;

/// The first `cols` elements of every `stride`, exactly; as many rows as `to` has whole ones.
pub(crate) fn widen(level: Level, values: &[bf16], stride: usize, cols: usize, to: &mut [f32]) {
    if cols > 0 && stride > 0 {
        level.run_wide(Widen { values, stride, cols, to });
    }
}

struct Widen<'a> {
    values: &'a [bf16],
    stride: usize,
    cols: usize,
    to: &'a mut [f32],
}

impl Kernel for Widen<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let rows = self.values.chunks(self.stride);
        for (row, to) in rows.zip(self.to.chunks_exact_mut(self.cols)) {
            for line in (0..self.cols).step_by(LINE) {
                simd.prefetch(row.as_ptr().wrapping_add(AHEAD * self.stride + line).cast());
            }
            for (to, value) in to.iter_mut().zip(row) {
                *to = f32::from_bits(u32::from(value.to_bits()) << 16);
            }
        }
    }
}
