//! Products of MXFP4 with integers, by AVX2.

mod decode;
mod few;
mod many;
mod register;

use super::super::Out;
use super::super::fixed::{BlockRow, Fixed, FixedPanel};

/// Vectors up to which rows are decoded in registers.
const FEW: usize = 4;

/// Rows of a register of sums.
const STRIP: usize = 8;

/// The product of every row with every vector; those of rows with other than plain scales mean nothing.
/// Safe to call on a CPU that has the features.
#[target_feature(enable = "avx2,fma")]
pub(in crate::arch) fn products<F: Fixed>(
    rows: &[BlockRow<'_>],
    vectors: &[&[F]],
    panel: &mut FixedPanel,
    out: &mut Out<'_>,
) {
    if vectors.len() > FEW {
        return many::products(rows, vectors, panel, out);
    }
    // One row of each eighth at a time: memory is read on and on at eight places.
    let steps = rows.len().div_ceil(STRIP);
    for step in 0..steps {
        let mut strip = [rows.first().copied().unwrap_or_default(); STRIP];
        for (to, row) in strip.iter_mut().zip(rows.iter().skip(step).step_by(steps)) {
            *to = *row;
        }
        let mut out = Apart { out, first: step, step: steps, rows: rows.len() };
        match *vectors {
            [] => {}
            [a] => out.put(few::products(&strip, [a])),
            [a, b] => out.put(few::products(&strip, [a, b])),
            [a, b, c] => out.put(few::products(&strip, [a, b, c])),
            [a, b, c, d, ..] => out.put(few::products(&strip, [a, b, c, d])),
        }
    }
}

/// The places of products with a row of each eighth.
struct Apart<'a, 'o> {
    out: &'a mut Out<'o>,
    first: usize,
    step: usize,
    /// How many rows there are: products of others are left out.
    rows: usize,
}

impl Apart<'_, '_> {
    fn put<const V: usize>(&mut self, products: [[f32; STRIP]; V]) {
        for (v, products) in products.iter().enumerate() {
            let rows = (self.first..self.rows).step_by(self.step);
            for (row, product) in rows.zip(products) {
                self.out.put(row, v, [[*product]]);
            }
        }
    }
}

/// At most eight rows, the first one in the places that are left.
fn strip<'a>(rows: &[BlockRow<'a>]) -> [BlockRow<'a>; STRIP] {
    let mut strip = [rows.first().copied().unwrap_or_default(); STRIP];
    for (to, row) in strip.iter_mut().zip(rows) {
        *to = *row;
    }
    strip
}
