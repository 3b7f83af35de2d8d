//! Conversions sixteen values at a time; the last few with masks.

use core::arch::x86_64::{
    __m256i, __m512, __mmask16, _CMP_UNORD_Q, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT,
    _mm_maskz_loadu_epi8, _mm256_add_epi16, _mm256_and_si256, _mm256_cvtepu8_epi16,
    _mm256_mask_storeu_epi16, _mm256_maskz_loadu_epi16, _mm256_set1_epi16, _mm256_slli_epi16,
    _mm512_add_epi32, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps,
    _mm512_cmp_ps_mask, _mm512_cmpeq_epi32_mask, _mm512_cvtepi32_epi16, _mm512_cvtepu16_epi32,
    _mm512_cvtph_ps, _mm512_cvtps_ph, _mm512_mask_and_epi32, _mm512_mask_or_epi32,
    _mm512_mask_storeu_ps, _mm512_mask_xor_epi32, _mm512_maskz_loadu_ps, _mm512_mul_ps,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_slli_epi32, _mm512_srli_epi32,
};

use crate::arch::Format;
use crate::arch::kernel::Kernel;
use crate::arch::portable::{self, Compiled, Source, Target};

/// The kernel from one format to another; `None` where no conversion is needed.
pub(in crate::arch) fn kernel(from: Format, to: Format) -> Option<Kernel> {
    Some(match (from, to) {
        (Format::F16, Format::F32) => f16_to_f32,
        (Format::F32, Format::F16) => f32_to_f16,
        (Format::F16, Format::Bf16) => f16_to_bf16,
        (Format::Bf16, Format::F16) => bf16_to_f16,
        (Format::E4m3, Format::F32) => e4m3_to_f32,
        (Format::E4m3, Format::F16) => e4m3_to_f16,
        (Format::E4m3, Format::Bf16) => e4m3_to_bf16,
        (Format::E5m2, Format::F32) => e5m2_to_f32,
        (Format::E5m2, Format::F16) => e5m2_to_f16,
        (Format::E5m2, Format::Bf16) => e5m2_to_bf16,
        _ => return portable::kernel::<Avx512>(from, to),
    })
}

struct Avx512;

impl Compiled for Avx512 {
    unsafe fn convert<S: Source, D: Target>(src: *const u8, dst: *mut u8, n: usize) {
        // SAFETY: the caller's promise is the same.
        unsafe { convert::<S, D>(src, dst, n) };
    }
}

/// # Safety
///
/// As [`portable::convert`], with the features of the level.
#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn convert<S: Source, D: Target>(src: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { portable::convert::<S, D>(src, dst, n) };
}

const LANES: usize = 16;
/// Vectors in flight in the main loop.
const UNROLL: usize = 4;
const ALL: __mmask16 = 0xFFFF;

/// A function that converts elements of `$from` bytes, read by `$load`, to elements of `$to` bytes,
/// written by `$store`.
macro_rules! conversion {
    ($name:ident: $from:literal, $load:ident, $to:literal, $store:ident) => {
        /// # Safety
        ///
        /// As [`Kernel`], with the features of the level.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        unsafe fn $name(src: *const u8, dst: *mut u8, n: usize) {
            let unrolled = n - n % (LANES * UNROLL);
            for block in (0..unrolled).step_by(LANES * UNROLL) {
                let at = |vector: usize| block + vector * LANES;
                let vectors: [__m512; UNROLL] = core::array::from_fn(|v| {
                    // SAFETY: block + 4 vectors of 16 <= n elements.
                    unsafe { $load(src.wrapping_add(at(v) * $from), ALL) }
                });
                for (v, vector) in vectors.into_iter().enumerate() {
                    // SAFETY: as above.
                    unsafe { $store(dst.wrapping_add(at(v) * $to), ALL, vector) };
                }
            }
            for at in (unrolled..n).step_by(LANES) {
                let left = (n - at).min(LANES);
                let mask = ALL >> (LANES - left);
                // SAFETY: at + left <= n elements, and no others are masked in.
                let vector = unsafe { $load(src.wrapping_add(at * $from), mask) };
                // SAFETY: as above.
                unsafe { $store(dst.wrapping_add(at * $to), mask, vector) };
            }
        }
    };
}

conversion!(f16_to_f32: 2, load_f16, 4, store_f32);
conversion!(f32_to_f16: 4, load_f32, 2, store_f16);
conversion!(f16_to_bf16: 2, load_f16, 2, store_bf16);
conversion!(bf16_to_f16: 2, load_bf16, 2, store_f16);
conversion!(e4m3_to_f32: 1, load_e4m3, 4, store_f32);
conversion!(e4m3_to_f16: 1, load_e4m3, 2, store_f16);
conversion!(e4m3_to_bf16: 1, load_e4m3, 2, store_bf16_exact);
conversion!(e5m2_to_f32: 1, load_e5m2, 4, store_f32);
conversion!(e5m2_to_f16: 1, load_e5m2, 2, store_f16);
conversion!(e5m2_to_bf16: 1, load_e5m2, 2, store_bf16_exact);

/// # Safety
///
/// 4 bytes must be readable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_f32(src: *const u8, mask: __mmask16) -> __m512 {
    // SAFETY: the caller's promise; the load needs no alignment.
    unsafe { _mm512_maskz_loadu_ps(mask, src.cast()) }
}

/// # Safety
///
/// 2 bytes must be readable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load_half(src: *const u8, mask: __mmask16) -> __m256i {
    // SAFETY: the caller's promise; the load needs no alignment.
    unsafe { _mm256_maskz_loadu_epi16(mask, src.cast()) }
}

/// # Safety
///
/// 2 bytes must be readable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load_f16(src: *const u8, mask: __mmask16) -> __m512 {
    // SAFETY: the caller's promise is the same.
    _mm512_cvtph_ps(unsafe { load_half(src, mask) })
}

/// # Safety
///
/// 2 bytes must be readable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load_bf16(src: *const u8, mask: __mmask16) -> __m512 {
    // SAFETY: the caller's promise is the same.
    let bits = _mm512_cvtepu16_epi32(unsafe { load_half(src, mask) });
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
}

/// # Safety
///
/// A byte must be readable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load_bytes(src: *const u8, mask: __mmask16) -> __m256i {
    // SAFETY: the caller's promise; the load needs no alignment.
    _mm256_cvtepu8_epi16(unsafe { _mm_maskz_loadu_epi8(mask, src.cast()) })
}

/// An e4m3 is an f16 with other bias: the same bits further up are its 256th part.
///
/// # Safety
///
/// A byte must be readable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load_e4m3(src: *const u8, mask: __mmask16) -> __m512 {
    // SAFETY: the caller's promise is the same.
    let bits = _mm256_slli_epi16::<7>(unsafe { load_bytes(src, mask) });
    // Adding the sign to itself carries it to its place.
    let halves = _mm256_add_epi16(bits, _mm256_and_si256(bits, _mm256_set1_epi16(0x4000)));
    let values = _mm512_mul_ps(_mm512_cvtph_ps(halves), _mm512_set1_ps(256.0));
    let values = _mm512_castps_si512(values);
    // What would be ±480 is NaN.
    let (is, nan) = (480f32.to_bits().cast_signed(), 0x7FC0_0000);
    let wrong = _mm512_cmpeq_epi32_mask(_mm512_slli_epi32::<1>(values), _mm512_set1_epi32(is << 1));
    _mm512_castsi512_ps(_mm512_mask_xor_epi32(values, wrong, values, _mm512_set1_epi32(is ^ nan)))
}

/// An e5m2 is the upper half of an f16.
///
/// # Safety
///
/// A byte must be readable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn load_e5m2(src: *const u8, mask: __mmask16) -> __m512 {
    // SAFETY: the caller's promise is the same.
    let halves = _mm256_slli_epi16::<8>(unsafe { load_bytes(src, mask) });
    let values = _mm512_cvtph_ps(halves);
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(values, values);
    let values = _mm512_castps_si512(values);
    let no_payload = _mm512_set1_epi32(!0x003F_FFFF);
    _mm512_castsi512_ps(_mm512_mask_and_epi32(values, nan, values, no_payload))
}

/// # Safety
///
/// 4 bytes must be writable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_f32(dst: *mut u8, mask: __mmask16, values: __m512) {
    // SAFETY: the caller's promise; the store needs no alignment.
    unsafe { _mm512_mask_storeu_ps(dst.cast(), mask, values) };
}

/// # Safety
///
/// 2 bytes must be writable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn store_half(dst: *mut u8, mask: __mmask16, values: __m256i) {
    // SAFETY: the caller's promise; the store needs no alignment.
    unsafe { _mm256_mask_storeu_epi16(dst.cast(), mask, values) };
}

/// # Safety
///
/// 2 bytes must be writable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn store_f16(dst: *mut u8, mask: __mmask16, values: __m512) {
    const NEAREST_EVEN: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    let rounded = _mm512_cvtps_ph::<NEAREST_EVEN>(values);
    // SAFETY: the caller's promise is the same.
    unsafe { store_half(dst, mask, rounded) };
}

/// # Safety
///
/// 2 bytes must be writable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn store_bf16(dst: *mut u8, mask: __mmask16, values: __m512) {
    let rounded = round_bf16(values);
    // SAFETY: the caller's promise is the same.
    unsafe { store_half(dst, mask, rounded) };
}

/// Values that need no rounding.
///
/// # Safety
///
/// 2 bytes must be writable for every bit of the mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn store_bf16_exact(dst: *mut u8, mask: __mmask16, values: __m512) {
    let upper = _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(_mm512_castps_si512(values)));
    // SAFETY: the caller's promise is the same.
    unsafe { store_half(dst, mask, upper) };
}

/// As [`rounding::f32_to_bf16`](crate::rounding::f32_to_bf16). Not `vcvtneps2bf16`, which takes
/// subnormals for zeros (Intel, Architecture Instruction Set Extensions, "VCVTNEPS2BF16").
#[inline]
#[target_feature(enable = "avx512f")]
fn round_bf16(values: __m512) -> __m256i {
    let bits = _mm512_castps_si512(values);
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    let half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF));
    let rounded = _mm512_add_epi32(bits, half);
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(values, values);
    let quieted = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x0040_0000));
    _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(quieted))
}
