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
    for (index, some) in rows.chunks(STRIP).enumerate() {
        let strip = strip(some);
        let place = (STRIP * index, some.len());
        match *vectors {
            [] => {}
            [a] => few::products(&strip, [a], place, out),
            [a, b] => few::products(&strip, [a, b], place, out),
            [a, b, c] => few::products(&strip, [a, b, c], place, out),
            [a, b, c, d, ..] => few::products(&strip, [a, b, c, d], place, out),
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
