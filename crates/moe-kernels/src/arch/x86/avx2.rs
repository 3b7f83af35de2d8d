//! AVX2 with FMA: x86-64 CPUs since 2013.

use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_movehdup_ps,
    _mm256_permute2f128_ps, _mm256_set1_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
};

use crate::arch::simd::{Kernel, Simd};

/// Proof that the CPU has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(in crate::arch) struct Avx2(());

pub(in crate::arch) fn detected() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Safe to call on a CPU that has the features.
#[target_feature(enable = "avx2,fma")]
pub(in crate::arch) fn run<K: Kernel>(kernel: K) {
    kernel.run(Avx2(()));
}

impl Simd for Avx2 {
    /// Lanes 0 to 7, then 8 to 15.
    type Lanes = [__m256; 2];

    const REGISTERS: usize = 8;

    #[inline(always)]
    fn splat(self, value: f32) -> [__m256; 2] {
        // SAFETY: `self` is proof of AVX.
        let half = unsafe { _mm256_set1_ps(value) };
        [half, half]
    }

    #[inline(always)]
    fn load(self, from: &[f32; 16]) -> [__m256; 2] {
        let (halves, _) = from.as_chunks::<8>();
        // SAFETY: `self` is proof of AVX; eight elements are readable, the alignment is free.
        let low = unsafe { _mm256_loadu_ps(halves[0].as_ptr()) };
        // SAFETY: as above.
        let high = unsafe { _mm256_loadu_ps(halves[1].as_ptr()) };
        [low, high]
    }

    #[inline(always)]
    fn store(self, lanes: [__m256; 2], to: &mut [f32; 16]) {
        let (halves, _) = to.as_chunks_mut::<8>();
        // SAFETY: `self` is proof of AVX; eight elements are writable, the alignment is free.
        unsafe { _mm256_storeu_ps(halves[0].as_mut_ptr(), lanes[0]) };
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(halves[1].as_mut_ptr(), lanes[1]) };
    }

    #[inline(always)]
    fn mul_add(self, a: [__m256; 2], b: [__m256; 2], c: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: `self` is proof of FMA.
        let low = unsafe { _mm256_fmadd_ps(a[0], b[0], c[0]) };
        // SAFETY: as above.
        let high = unsafe { _mm256_fmadd_ps(a[1], b[1], c[1]) };
        [low, high]
    }

    #[inline(always)]
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn sums(self, lanes: [[__m256; 2]; 4]) -> [f32; 4] {
        let mut eight = [lanes[0][0]; 4];
        for i in 0..4 {
            // SAFETY: `self` is proof of AVX.
            eight[i] = unsafe { _mm256_add_ps(lanes[i][0], lanes[i][1]) };
        }
        // SAFETY: `self` is proof of AVX.
        unsafe { sums_of_eight(eight) }
    }
}

/// The sum of each vector: of lanes four apart, then two, one.
#[inline]
#[target_feature(enable = "avx")]
pub(super) fn sums_of_eight([a, b, c, d]: [__m256; 4]) -> [f32; 4] {
    // Four of `a` and four of `b`; the same of `c` and `d`.
    let ab =
        _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
    let cd =
        _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(c, d), _mm256_permute2f128_ps::<0x31>(c, d));
    // Two of a, two of c, two of b, two of d.
    let two = _mm256_add_ps(
        _mm256_shuffle_ps::<0b01_00_01_00>(ab, cd),
        _mm256_shuffle_ps::<0b11_10_11_10>(ab, cd),
    );
    let one = _mm256_add_ps(two, _mm256_movehdup_ps(two));
    let mut sums = [0.0; 8];
    // SAFETY: eight elements are writable, the alignment is free.
    unsafe { _mm256_storeu_ps(sums.as_mut_ptr(), one) };
    [sums[0], sums[4], sums[2], sums[6]]
}
