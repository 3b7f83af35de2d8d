//! AVX-512: x86-64 server CPUs since 2017.

use std::arch::x86_64::{
    __m256, __m512, __m512i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_add_ps,
    _mm512_and_si512, _mm512_broadcast_i32x4, _mm512_castps_si512, _mm512_castps512_ps256,
    _mm512_castsi512_ps, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps, _mm512_extractf32x8_ps,
    _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_maskz_loadu_epi8, _mm512_or_si512,
    _mm512_permutexvar_epi16, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_shuffle_epi8, _mm512_slli_epi16, _mm512_slli_epi32, _mm512_srli_epi16,
    _mm512_srli_epi32, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_epi16, _mm512_subs_epu16,
    _mm512_unpackhi_epi8, _mm512_unpacklo_epi8,
};

use super::avx2::sums_of_eight;
use crate::arch::mxfp4::{OFFSET, VALUES};
use crate::arch::simd::{Kernel, Simd};

/// Proof that the CPU has AVX-512 F, BW, DQ and VL, and what [`Avx2`](super::avx2::Avx2) proves.
#[derive(Clone, Copy, Debug)]
pub(in crate::arch) struct Avx512(());

impl Avx512 {
    /// To be called where the features are enabled.
    #[inline]
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn new() -> Self {
        Self(())
    }
}

pub(in crate::arch) fn detected() -> bool {
    super::avx2::detected()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Safe to call on a CPU that has the features.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
pub(in crate::arch) fn run<K: Kernel>(kernel: K) {
    kernel.run(Avx512::new());
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

    type Pairs = __m512i;

    #[inline(always)]
    fn load_pairs(self, from: &[u8; 64]) -> __m512i {
        // SAFETY: `self` is proof of AVX-512; 64 bytes are readable, the alignment is free.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_part(self, from: &[u8]) -> __m512i {
        let mask = match from.len() {
            len @ 0..64 => (1 << len) - 1,
            _ => u64::MAX,
        };
        // SAFETY: `self` is proof of AVX-512 BW; the bytes under the mask are readable.
        unsafe { _mm512_maskz_loadu_epi8(mask, from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_words(self, from: &[u32; 16]) -> __m512i {
        // SAFETY: `self` is proof of AVX-512; 64 bytes are readable, the alignment is free.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store_pairs(self, pairs: __m512i, to: &mut [u32; 16]) {
        // SAFETY: `self` is proof of AVX-512; 64 bytes are writable, the alignment is free.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), pairs) };
    }

    #[inline(always)]
    fn firsts(self, pairs: __m512i) -> __m512 {
        // SAFETY: `self` is proof of AVX-512.
        unsafe { firsts(pairs) }
    }

    #[inline(always)]
    fn seconds(self, pairs: __m512i) -> __m512 {
        // SAFETY: `self` is proof of AVX-512.
        unsafe { seconds(pairs) }
    }

    #[inline(always)]
    fn mxfp4(self, codes: __m512i, scales: [u8; 4]) -> [__m512i; 4] {
        // SAFETY: `self` is proof of AVX-512 F and BW.
        unsafe { four_blocks(codes, i32::from_le_bytes(scales)) }
    }

    #[inline(always)]
    fn coded(self, indexes: &[u8; 64], lower: &[u8; 128], table: &[u8; 16]) -> [__m512i; 4] {
        let (lower, _) = lower.as_chunks::<64>();
        let (first, second) = (self.load_pairs(&lower[0]), self.load_pairs(&lower[1]));
        // SAFETY: `self` is proof of AVX-512 F and BW.
        unsafe { coded(self.load_pairs(indexes), first, second, table) }
    }

    #[inline(always)]
    fn signed(self, from: &[u8; 16]) -> __m512 {
        // SAFETY: `self` is proof of AVX-512.
        unsafe { signed(from) }
    }

    #[inline(always)]
    fn join(self, firsts: __m512, seconds: __m512) -> __m512i {
        // SAFETY: `self` is proof of AVX-512.
        unsafe { join(firsts, seconds) }
    }

    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        // SAFETY: a prefetch of any address does nothing that a program could see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
}

/// The pairs of a group.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn coded(indexes: __m512i, first: __m512i, second: __m512i, table: &[u8; 16]) -> [__m512i; 4] {
    // SAFETY: sixteen bytes are readable, the alignment is free.
    let table = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
    let table = _mm512_broadcast_i32x4(table);
    let nibble = _mm512_set1_epi8(0xF);
    let even = _mm512_shuffle_epi8(table, _mm512_and_si512(indexes, nibble));
    let odd = _mm512_srli_epi16::<4>(indexes);
    let odd = _mm512_shuffle_epi8(table, _mm512_and_si512(odd, nibble));
    [
        _mm512_unpacklo_epi8(first, even),
        _mm512_unpackhi_epi8(first, even),
        _mm512_unpacklo_epi8(second, odd),
        _mm512_unpackhi_epi8(second, odd),
    ]
}

/// Four blocks of MXFP4 as four times sixteen pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn four_blocks(codes: __m512i, scales: i32) -> [__m512i; 4] {
    // To 16 bits each, and once for every 16 bits of its block.
    const SPREAD: [i8; 64] = {
        let mut spread = [-1; 64];
        let mut i = 0;
        while i < 64 {
            spread[i] = (i / 16) as i8;
            i += 2;
        }
        spread
    };
    // SAFETY: 64 bytes are readable, the alignment is free.
    let spread = unsafe { _mm512_loadu_si512(SPREAD.as_ptr().cast()) };
    let scales = _mm512_shuffle_epi8(_mm512_set1_epi32(scales), spread);
    let offset =
        _mm512_sub_epi16(_mm512_set1_epi16(OFFSET.cast_signed()), _mm512_slli_epi16::<7>(scales));
    four_steps(codes, offset)
}

/// The pairs of four steps, from which `offset` is subtracted for the scale.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn four_steps(codes: __m512i, offset: __m512i) -> [__m512i; 4] {
    // An index is five bits, the code and one more; so the values are there twice.
    const TWICE: [u16; 32] = {
        let mut values = [0; 32];
        let mut i = 0;
        while i < 32 {
            values[i] = VALUES[i % 16];
            i += 1;
        }
        values
    };
    // SAFETY: 64 bytes are readable, the alignment is free.
    let values = unsafe { _mm512_loadu_si512(TWICE.as_ptr().cast()) };
    [
        _mm512_subs_epu16(_mm512_permutexvar_epi16(codes, values), offset),
        _mm512_subs_epu16(_mm512_permutexvar_epi16(_mm512_srli_epi16::<4>(codes), values), offset),
        _mm512_subs_epu16(_mm512_permutexvar_epi16(_mm512_srli_epi16::<8>(codes), values), offset),
        _mm512_subs_epu16(_mm512_permutexvar_epi16(_mm512_srli_epi16::<12>(codes), values), offset),
    ]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn firsts(pairs: __m512i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(pairs))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn seconds(pairs: __m512i) -> __m512 {
    let mask = _mm512_set1_epi32(0xFFFF_0000_u32.cast_signed());
    _mm512_castsi512_ps(_mm512_and_si512(pairs, mask))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn join(firsts: __m512, lanes: __m512) -> __m512i {
    let firsts = _mm512_srli_epi32::<16>(_mm512_castps_si512(firsts));
    _mm512_or_si512(firsts, _mm512_castps_si512(seconds(_mm512_castps_si512(lanes))))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn signed(bytes: &[u8; 16]) -> __m512 {
    // SAFETY: sixteen bytes are readable, the alignment is free.
    let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))
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
