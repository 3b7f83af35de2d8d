//! AVX-512: x86-64 server CPUs since 2017.

use std::arch::x86_64::{
    __m256, __m512, _mm256_add_ps, _mm512_castps512_ps256, _mm512_extractf32x8_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps,
};

use super::avx2::sums_of_eight;
use crate::arch::simd::{Kernel, Simd};

/// Proof that the CPU has AVX-512 F, DQ and VL, and what [`Avx2`](super::avx2::Avx2) proves.
#[derive(Clone, Copy, Debug)]
pub(in crate::arch) struct Avx512(());

pub(in crate::arch) fn detected() -> bool {
    super::avx2::detected()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Safe to call on a CPU that has the features.
#[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512vl")]
pub(in crate::arch) fn run<K: Kernel>(kernel: K) {
    kernel.run(Avx512(()));
}

impl Simd for Avx512 {
    type Lanes = __m512;

    const REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` is proof of AVX-512.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    fn load(self, from: &[f32; 16]) -> __m512 {
        // SAFETY: `self` is proof of AVX-512; sixteen elements are readable, the alignment is free.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, lanes: __m512, to: &mut [f32; 16]) {
        // SAFETY: `self` is proof of AVX-512; sixteen elements are writable, the alignment is free.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), lanes) };
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: `self` is proof of AVX-512.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn sums(self, lanes: [__m512; 4]) -> [f32; 4] {
        // SAFETY: `self` is proof of AVX-512 F and DQ.
        unsafe { sums(lanes) }
    }
}

#[inline]
#[target_feature(enable = "avx,avx512f,avx512dq")]
fn sums([a, b, c, d]: [__m512; 4]) -> [f32; 4] {
    sums_of_eight([eight(a), eight(b), eight(c), eight(d)])
}

/// The sums of lanes eight apart.
#[inline]
#[target_feature(enable = "avx,avx512f,avx512dq")]
fn eight(lanes: __m512) -> __m256 {
    _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps::<1>(lanes))
}
