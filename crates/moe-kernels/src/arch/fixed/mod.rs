//! Products of MXFP4 with activations that are integers.
//!
//! 32 activations, as many as a block of weights, are integers that count the same step. Twice a weight
//! of E2M1 is an integer too, so the sum of the products of a block is exact. It is scaled, and added
//! to those of the blocks before in one fused operation: the only rounding there is, the same on every
//! level and in any batch.

mod plain;
mod vector;

pub(crate) use vector::{Fixed, Fixed8, Fixed16};

use super::mxfp4::all_plain;
use super::{Level, Out};

/// Elements of a block; OCP Microscaling Formats v1.0, section 5.3.3.
pub(crate) const BLOCK: usize = 32;

/// Added to twice a weight, so that none is negative.
pub(super) const OFFSET: i32 = 12;

/// Twice the values of E2M1, plus [`OFFSET`].
pub(super) const CODES: [u8; 16] = [12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0];

/// A row of weights in MXFP4, block after block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BlockRow<'a> {
    pub(super) codes: &'a [[u8; BLOCK / 2]],
    pub(super) scales: &'a [u8],
}

impl<'a> BlockRow<'a> {
    /// There is a scale for every sixteen bytes of codes.
    pub(crate) fn new(codes: &'a [u8], scales: &'a [u8]) -> Self {
        let (codes, _) = codes.as_chunks();
        Self { codes, scales: &scales[..codes.len()] }
    }

    /// Whether [`scale`] is a shift of the exponent for all of its scales.
    pub(super) fn is_plain(&self) -> bool {
        all_plain(self.scales)
    }
}

/// Memory that is kept from one call to the next.
#[derive(Debug, Default)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "there are products of integers on x86-64 only")
)]
pub(crate) struct FixedPanel {
    /// Decoded rows, in lines of a register.
    pub(super) lines: Vec<Line>,
    /// Of each vector the sums with sixteen rows.
    pub(super) sums: Vec<[f32; 16]>,
}

/// What a register holds.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(crate) struct Line(pub(super) [u8; 32]);

#[cfg(target_arch = "x86_64")]
impl Line {
    pub(super) const ZERO: Self = Self([0; 32]);
}

/// The product of every row with every vector, which has as many blocks as a row.
pub(crate) fn fixed_products<F: Fixed>(
    level: Level,
    rows: &[BlockRow<'_>],
    vectors: &[&[F]],
    panel: &mut FixedPanel,
    mut out: Out<'_>,
) {
    #[cfg(target_arch = "x86_64")]
    let done = level.fixed_products(rows, vectors, panel, &mut out);
    #[cfg(not(target_arch = "x86_64"))]
    let done = {
        let _ = (level, panel);
        false
    };
    for (index, row) in rows.iter().enumerate() {
        if done && row.is_plain() {
            continue;
        }
        for (v, vector) in vectors.iter().enumerate() {
            out.put(index, v, [[plain::product(*row, vector)]]);
        }
    }
}

/// Half of a scale, for weights that are twice themselves: powers of two down to 2⁻¹²⁸, and NaN.
pub(super) const fn scale(code: u8) -> f32 {
    match code {
        0 => f32::from_bits(0x0020_0000), // 2⁻¹²⁸
        1 => f32::from_bits(0x0040_0000), // 2⁻¹²⁷
        u8::MAX => f32::NAN,
        code => f32::from_bits((code as u32 - 1) << 23),
    }
}

#[cfg(test)]
mod tests;
