//! The activation inside an expert.

use super::Level;
use super::exp::exp;
use super::round::bf16;
use super::simd::{Kernel, Simd};

/// Gates and ups to activations.
#[derive(Debug)]
pub(crate) struct Swiglu<'a> {
    /// Gates at even, ups at odd places.
    pub(crate) pairs: &'a [f32],
    /// One element a pair.
    pub(crate) out: &'a mut [f32],
    pub(crate) alpha: f32,
    pub(crate) limit: f32,
    /// Round every step to bf16.
    pub(crate) bf16: bool,
}

/// `gate · sigmoid(alpha·gate) · (up + 1)` of every pair, gate clamped above, up on both sides.
pub(crate) fn swiglu(level: Level, swiglu: Swiglu<'_>) {
    level.run(swiglu);
}

impl Kernel for Swiglu<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        if self.bf16 { self.rounded::<S, true>(simd) } else { self.rounded::<S, false>(simd) }
    }
}

impl Swiglu<'_> {
    #[inline(always)]
    fn rounded<S: Simd, const BF16: bool>(self, simd: S) {
        let (pairs, _) = self.pairs.as_chunks::<2>();
        for ([gate, up], out) in pairs.iter().zip(self.out) {
            // Written so that NaN passes.
            let gate = if *gate > self.limit { self.limit } else { *gate };
            let up = if *up > self.limit { self.limit } else { *up };
            let up = if up < -self.limit { -self.limit } else { up };
            let (gate, up) = (step::<BF16>(gate), step::<BF16>(up));
            let e = exp(simd, -step::<BF16>(gate * self.alpha));
            let glu = step::<BF16>(gate * step::<BF16>(1.0 / (1.0 + e)));
            *out = step::<BF16>(step::<BF16>(up + 1.0) * glu);
        }
    }
}

#[inline(always)]
fn step<const BF16: bool>(value: f32) -> f32 {
    if BF16 { bf16(value) } else { value }
}
