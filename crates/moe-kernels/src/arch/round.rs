//! Rounding to bf16.

use super::Level;
use super::simd::{Kernel, Simd};

/// The nearest bf16, ties to even; NaN stays NaN.
#[inline(always)]
pub(crate) fn bf16(value: f32) -> f32 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1));
    let bits = if value.is_nan() { bits | 0x0040_0000 } else { rounded };
    f32::from_bits(bits & 0xFFFF_0000)
}

/// [`bf16`] of every value.
pub(crate) fn to_bf16(level: Level, values: &mut [f32]) {
    level.run(ToBf16(values));
}

struct ToBf16<'a>(&'a mut [f32]);

impl Kernel for ToBf16<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for value in self.0 {
            *value = bf16(*value);
        }
    }
}
