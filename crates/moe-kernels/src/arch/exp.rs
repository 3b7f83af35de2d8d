//! The exponential function, the same on every platform.

use std::f32::consts::LOG2_E;
use std::f64::consts::LN_2;

use super::simd::Simd;

/// `e^x` with a relative error below 1.2e-7 (subnormal results: and half a last place); 0 far
/// below, infinite above, NaN of NaN. Without branches, so that loops become vectors.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: f32) -> f32 {
    // Where the result is 0 or infinite, whatever x. The order of the operands keeps NaN.
    let x = if x < -105.0 { -105.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    // The nearest integer to x / ln 2 stands in the last bits of the sum.
    let shifted = simd.mul_add_one(x, LOG2_E, TO_INTEGER);
    let n = shifted - TO_INTEGER;
    let power = shifted.to_bits().wrapping_sub(TO_INTEGER.to_bits()).cast_signed();
    let r = simd.mul_add_one(n, -LN_2_HIGH, x);
    let r = simd.mul_add_one(n, -LN_2_LOW, r);
    let mut e = TERMS[0];
    for term in &TERMS[1..] {
        e = simd.mul_add_one(e, r, *term);
    }
    // In two steps: the power itself may be beyond the normal numbers.
    let half = power >> 1;
    e * power_of_two(half) * power_of_two(power - half)
}

#[inline(always)]
fn power_of_two(power: i32) -> f32 {
    f32::from_bits(((power + 127) << 23).cast_unsigned())
}

/// 1.5 · 2^23: the last place of sums with it is 1.
const TO_INTEGER: f32 = 12_582_912.0;

/// The upper bits of ln 2, so few that a product with the exponent of any `f32` is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = (LN_2 - 355.0 / 512.0) as f32;

/// `1 / k!` for k from 7 down to 0. Of arguments up to ½ ln 2 the next term is below 2^-27.
const TERMS: [f32; 8] =
    [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
