//! AVX-512 with products of bf16: AMD since Zen 4, Intel since Cooper Lake.

use std::arch::x86_64::{__cpuid, __m512, __m512bh, __m512i, _mm512_dpbf16_ps};
use std::mem::transmute;

use super::avx512::{self, Avx512};
use crate::arch::simd::{Kernel, Simd};

/// Proof that the CPU has AVX-512 BF16, and what [`Avx512`] proves.
#[derive(Clone, Copy, Debug)]
pub(in crate::arch) struct Avx512Bf16(Avx512);

pub(in crate::arch) fn detected() -> bool {
    avx512::detected() && is_x86_feature_detected!("avx512bf16")
}

/// Whether a product of bf16 is faster than two of `f32`: on AMD it is, on Intel (measured up to
/// Granite Rapids) it takes twice the time.
pub(in crate::arch) fn preferred() -> bool {
    let id = __cpuid(0);
    (id.ebx, id.edx, id.ecx)
        == (
            u32::from_le_bytes(*b"Auth"),
            u32::from_le_bytes(*b"enti"),
            u32::from_le_bytes(*b"cAMD"),
        )
}

/// Safe to call on a CPU that has the features.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub(in crate::arch) fn run<K: Kernel>(kernel: K) {
    kernel.run(Avx512Bf16(Avx512::new()));
}

impl Simd for Avx512Bf16 {
    type Lanes = __m512;

    const REGISTERS: usize = 32;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        self.0.splat(value)
    }

    #[inline(always)]
    fn load(self, from: &[f32; 16]) -> __m512 {
        self.0.load(from)
    }

    #[inline(always)]
    fn store(self, lanes: __m512, to: &mut [f32; 16]) {
        self.0.store(lanes, to);
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        self.0.mul_add(a, b, c)
    }

    #[inline(always)]
    fn mul_add_one(self, a: f32, b: f32, c: f32) -> f32 {
        self.0.mul_add_one(a, b, c)
    }

    #[inline(always)]
    fn sums(self, lanes: [__m512; 4]) -> [f32; 4] {
        self.0.sums(lanes)
    }

    type Pairs = __m512i;

    #[inline(always)]
    fn load_pairs(self, from: &[u8; 64]) -> __m512i {
        self.0.load_pairs(from)
    }

    #[inline(always)]
    fn load_part(self, from: &[u8]) -> __m512i {
        self.0.load_part(from)
    }

    #[inline(always)]
    fn load_words(self, from: &[u32; 16]) -> __m512i {
        self.0.load_words(from)
    }

    #[inline(always)]
    fn store_pairs(self, pairs: __m512i, to: &mut [u32; 16]) {
        self.0.store_pairs(pairs, to);
    }

    #[inline(always)]
    fn firsts(self, pairs: __m512i) -> __m512 {
        self.0.firsts(pairs)
    }

    #[inline(always)]
    fn seconds(self, pairs: __m512i) -> __m512 {
        self.0.seconds(pairs)
    }

    /// The instruction adds the products of the seconds, rounds, adds those of the firsts, and rounds:
    /// Intel 64 Architectures Software Developer's Manual, VDPBF16PS. It takes subnormal numbers for
    /// zero.
    #[inline(always)]
    fn dot(self, a: __m512i, b: __m512i, c: __m512) -> __m512 {
        // SAFETY: `self` is proof of AVX-512 BF16.
        unsafe { dot(a, b, c) }
    }

    #[inline(always)]
    fn mxfp4(self, codes: __m512i, scales: [u8; 4]) -> [__m512i; 4] {
        self.0.mxfp4(codes, scales)
    }

    #[inline(always)]
    fn coded(self, indexes: &[u8; 64], lower: &[u8; 128], table: &[u8; 16]) -> [__m512i; 4] {
        self.0.coded(indexes, lower, table)
    }

    #[inline(always)]
    fn signed(self, from: &[u8; 16]) -> __m512 {
        self.0.signed(from)
    }

    #[inline(always)]
    fn join(self, firsts: __m512, seconds: __m512) -> __m512i {
        self.0.join(firsts, seconds)
    }

    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        self.0.prefetch(address);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn dot(a: __m512i, b: __m512i, c: __m512) -> __m512 {
    // SAFETY: both types are 64 bytes of plain data.
    let a = unsafe { transmute::<__m512i, __m512bh>(a) };
    // SAFETY: as above.
    let b = unsafe { transmute::<__m512i, __m512bh>(b) };
    _mm512_dpbf16_ps(c, a, b)
}
