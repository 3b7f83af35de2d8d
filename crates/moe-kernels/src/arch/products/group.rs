//! Groups of vectors, in `f32` or in bf16.

use crate::arch::Level;
use crate::arch::order::{Narrow, Wide};
use crate::arch::simd::{Kernel, Simd};

/// A group of a vector.
pub(in crate::arch) trait Group: Copy {
    const ZERO: Self;

    /// Runs a kernel on a level, or on the one of those that this form is meant for: there are many
    /// kernels to compile.
    fn run<K: Kernel>(level: Level, kernel: K);

    /// Registers of a group.
    const PARTS: usize;

    /// Groups that decoded rows are multiplied with at a time: of four rows and six vectors 30 KiB, which
    /// share a first-level cache.
    const STRETCH: usize;

    type Part<S: Simd>: Copy;

    fn part<S: Simd>(&self, simd: S, part: usize) -> Self::Part<S>;

    /// The sum and the product of two parts.
    fn mul_add<S: Simd>(simd: S, a: Self::Part<S>, b: Self::Part<S>, sum: S::Lanes) -> S::Lanes;

    /// The sum and the product of a step with pairs.
    fn step<S: Simd>(&self, simd: S, step: usize, pairs: S::Pairs, sum: S::Lanes) -> S::Lanes;

    /// The sum and the product with a group in `f32`.
    fn wide<S: Simd>(&self, simd: S, wide: &Wide, sum: S::Lanes) -> S::Lanes;

    fn of_pairs<S: Simd>(simd: S, pairs: [S::Pairs; 4]) -> Self;
}

impl Group for Wide {
    const ZERO: Self = Self([[0.0; 16]; 8]);

    #[inline]
    fn run<K: Kernel>(level: Level, kernel: K) {
        level.run_wide(kernel);
    }

    const PARTS: usize = 8;
    const STRETCH: usize = 6;

    type Part<S: Simd> = S::Lanes;

    #[inline(always)]
    fn part<S: Simd>(&self, simd: S, part: usize) -> S::Lanes {
        simd.load(&self.0[part])
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::Lanes, b: S::Lanes, sum: S::Lanes) -> S::Lanes {
        simd.mul_add(a, b, sum)
    }

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, step: usize, pairs: S::Pairs, sum: S::Lanes) -> S::Lanes {
        let sum = simd.mul_add(simd.seconds(pairs), simd.load(&self.0[2 * step]), sum);
        simd.mul_add(simd.firsts(pairs), simd.load(&self.0[2 * step + 1]), sum)
    }

    #[inline(always)]
    fn wide<S: Simd>(&self, simd: S, wide: &Wide, mut sum: S::Lanes) -> S::Lanes {
        for part in 0..8 {
            sum = simd.mul_add(simd.load(&wide.0[part]), simd.load(&self.0[part]), sum);
        }
        sum
    }

    #[inline(always)]
    fn of_pairs<S: Simd>(simd: S, pairs: [S::Pairs; 4]) -> Self {
        let mut group = Self::ZERO;
        for step in 0..4 {
            simd.store(simd.seconds(pairs[step]), &mut group.0[2 * step]);
            simd.store(simd.firsts(pairs[step]), &mut group.0[2 * step + 1]);
        }
        group
    }
}

impl Group for Narrow {
    const ZERO: Self = Self([[0; 16]; 4]);

    #[inline]
    fn run<K: Kernel>(level: Level, kernel: K) {
        level.run_narrow(kernel);
    }

    const PARTS: usize = 4;
    const STRETCH: usize = 12;

    type Part<S: Simd> = S::Pairs;

    #[inline(always)]
    fn part<S: Simd>(&self, simd: S, part: usize) -> S::Pairs {
        simd.load_words(&self.0[part])
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::Pairs, b: S::Pairs, sum: S::Lanes) -> S::Lanes {
        simd.dot(a, b, sum)
    }

    #[inline(always)]
    fn step<S: Simd>(&self, simd: S, step: usize, pairs: S::Pairs, sum: S::Lanes) -> S::Lanes {
        simd.dot(pairs, simd.load_words(&self.0[step]), sum)
    }

    #[inline(always)]
    fn wide<S: Simd>(&self, simd: S, wide: &Wide, mut sum: S::Lanes) -> S::Lanes {
        for step in 0..4 {
            let pairs = simd.load_words(&self.0[step]);
            sum = simd.mul_add(simd.load(&wide.0[2 * step]), simd.seconds(pairs), sum);
            sum = simd.mul_add(simd.load(&wide.0[2 * step + 1]), simd.firsts(pairs), sum);
        }
        sum
    }

    #[inline(always)]
    fn of_pairs<S: Simd>(simd: S, pairs: [S::Pairs; 4]) -> Self {
        let mut group = Self::ZERO;
        for step in 0..4 {
            simd.store_pairs(pairs[step], &mut group.0[step]);
        }
        group
    }
}
