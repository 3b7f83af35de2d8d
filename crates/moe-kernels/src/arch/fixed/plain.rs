//! The definition, for any CPU.

use super::{BlockRow, CODES, Fixed, OFFSET, scale};

/// The product of a row with a vector.
pub(super) fn product<F: Fixed>(row: BlockRow<'_>, vector: &[F]) -> f32 {
    let mut product = 0.0;
    for ((codes, code), block) in row.codes.iter().zip(row.scales).zip(vector) {
        // A multiplication with a power of two rounds nothing, so this is the fused operation.
        product += sum(codes, block) as f32 * block.step() * scale(*code);
    }
    product
}

/// The sum of the products of a block's weights, twice what they are, with integers.
fn sum<F: Fixed>(codes: &[u8; 16], block: &F) -> i32 {
    let mut sum = 0;
    for (pair, codes) in codes.iter().enumerate() {
        for (half, code) in [codes & 0xF, codes >> 4].into_iter().enumerate() {
            let weight = i32::from(CODES[usize::from(code)]) - OFFSET;
            sum += weight * block.integer(2 * pair + half);
        }
    }
    sum
}
