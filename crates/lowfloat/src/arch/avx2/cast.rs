//! Conversions eight values at a time.

use core::arch::x86_64::{
    __m128i, __m256, __m256i, _CMP_UNORD_Q, _MM_FROUND_TO_NEAREST_INT, _mm_add_epi16,
    _mm_and_si128, _mm_cvtepu8_epi16, _mm_loadl_epi64, _mm_loadu_si128, _mm_packus_epi32,
    _mm_set1_epi16, _mm_slli_epi16, _mm_storeu_si128, _mm256_add_epi32, _mm256_and_ps,
    _mm256_and_si256, _mm256_andnot_ps, _mm256_blendv_epi8, _mm256_castps_si256,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cmpeq_epi32,
    _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_cvtps_ph, _mm256_extracti128_si256,
    _mm256_loadu_ps, _mm256_mul_ps, _mm256_or_si256, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_slli_epi32, _mm256_srli_epi32, _mm256_storeu_ps, _mm256_xor_ps,
};

use crate::arch::Format;
use crate::arch::kernel::Kernel;
use crate::arch::portable::{self, Bf16, Compiled, E4m3, E5m2, F16, F32, Source, Target};

/// The kernel from one format to another; `None` where no conversion is needed.
pub(in crate::arch) fn kernel(from: Format, to: Format) -> Option<Kernel> {
    Some(match (from, to) {
        // What the compiler has no instruction for without being told.
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
        _ => return portable::kernel::<Avx2>(from, to),
    })
}

struct Avx2;

impl Compiled for Avx2 {
    unsafe fn convert<S: Source, D: Target>(src: *const u8, dst: *mut u8, n: usize) {
        // SAFETY: the caller's promise is the same.
        unsafe { convert::<S, D>(src, dst, n) };
    }
}

/// # Safety
///
/// As [`portable::convert`], with AVX2 and F16C.
#[target_feature(enable = "avx2,f16c")]
unsafe fn convert<S: Source, D: Target>(src: *const u8, dst: *mut u8, n: usize) {
    // SAFETY: the caller's promise is the same.
    unsafe { portable::convert::<S, D>(src, dst, n) };
}

const LANES: usize = 8;
/// Vectors in flight in the main loop.
const UNROLL: usize = 4;

/// A function that converts with `$load` and `$store`, and the last few elements as `$source` to
/// `$target` one by one.
macro_rules! conversion {
    ($name:ident: $source:ident, $load:ident, $target:ident, $store:ident) => {
        /// # Safety
        ///
        /// As [`Kernel`], with AVX2 and F16C.
        #[target_feature(enable = "avx2,f16c")]
        unsafe fn $name(src: *const u8, dst: *mut u8, n: usize) {
            const FROM: usize = size_of::<<$source as Source>::Bits>();
            const TO: usize = size_of::<<$target as Target>::Bits>();
            let unrolled = n - n % (LANES * UNROLL);
            let whole = n - n % LANES;
            for block in (0..unrolled).step_by(LANES * UNROLL) {
                let at = |vector: usize| block + vector * LANES;
                let vectors: [__m256; UNROLL] = core::array::from_fn(|v| {
                    // SAFETY: block + 4 vectors of 8 <= n elements.
                    unsafe { $load(src.wrapping_add(at(v) * FROM)) }
                });
                for (v, vector) in vectors.into_iter().enumerate() {
                    // SAFETY: as for the loads.
                    unsafe { $store(dst.wrapping_add(at(v) * TO), vector) };
                }
            }
            for at in (unrolled..whole).step_by(LANES) {
                // SAFETY: at + 8 <= n elements.
                let vector = unsafe { $load(src.wrapping_add(at * FROM)) };
                // SAFETY: as above.
                unsafe { $store(dst.wrapping_add(at * TO), vector) };
            }
            let (src, dst) = (src.wrapping_add(whole * FROM), dst.wrapping_add(whole * TO));
            // SAFETY: the elements after `whole` of `n`.
            unsafe { portable::convert::<$source, $target>(src, dst, n - whole) };
        }
    };
}

conversion!(f16_to_f32: F16, load_f16, F32, store_f32);
conversion!(f32_to_f16: F32, load_f32, F16, store_f16);
conversion!(f16_to_bf16: F16, load_f16, Bf16, store_bf16);
conversion!(bf16_to_f16: Bf16, load_bf16, F16, store_f16);
conversion!(e4m3_to_f32: E4m3, load_e4m3, F32, store_f32);
conversion!(e4m3_to_f16: E4m3, load_e4m3, F16, store_f16);
conversion!(e4m3_to_bf16: E4m3, load_e4m3, Bf16, store_bf16_exact);
conversion!(e5m2_to_f32: E5m2, load_e5m2, F32, store_f32);
conversion!(e5m2_to_f16: E5m2, load_e5m2, F16, store_f16);
conversion!(e5m2_to_bf16: E5m2, load_e5m2, Bf16, store_bf16_exact);

/// # Safety
///
/// 32 bytes must be readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_f32(src: *const u8) -> __m256 {
    // SAFETY: the caller's promise; the load needs no alignment.
    unsafe { _mm256_loadu_ps(src.cast()) }
}

/// # Safety
///
/// 16 bytes must be readable.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn load_f16(src: *const u8) -> __m256 {
    // SAFETY: the caller's promise; the load needs no alignment.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(src.cast()) })
}

/// # Safety
///
/// 16 bytes must be readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_bf16(src: *const u8) -> __m256 {
    // SAFETY: the caller's promise; the load needs no alignment.
    let bits = _mm256_cvtepu16_epi32(unsafe { _mm_loadu_si128(src.cast()) });
    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
}

/// An e4m3 is an f16 with other bias: the same bits further up are its 256th part.
///
/// # Safety
///
/// 8 bytes must be readable.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn load_e4m3(src: *const u8) -> __m256 {
    // SAFETY: the caller's promise; the load needs no alignment.
    let bytes = unsafe { _mm_loadl_epi64(src.cast()) };
    let bits = _mm_slli_epi16::<7>(_mm_cvtepu8_epi16(bytes));
    // Adding the sign to itself carries it to its place.
    let halves = _mm_add_epi16(bits, _mm_and_si128(bits, _mm_set1_epi16(0x4000)));
    let values = _mm256_mul_ps(_mm256_cvtph_ps(halves), _mm256_set1_ps(256.0));
    // What would be ±480 is NaN.
    let magnitudes = _mm256_slli_epi32::<1>(_mm256_castps_si256(values));
    let nan =
        _mm256_cmpeq_epi32(magnitudes, _mm256_set1_epi32(480f32.to_bits().cast_signed() << 1));
    let change = _mm256_set1_ps(f32::from_bits(480f32.to_bits() ^ 0x7FC0_0000));
    _mm256_xor_ps(values, _mm256_and_ps(_mm256_castsi256_ps(nan), change))
}

/// An e5m2 is the upper half of an f16.
///
/// # Safety
///
/// 8 bytes must be readable.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn load_e5m2(src: *const u8) -> __m256 {
    // SAFETY: the caller's promise; the load needs no alignment.
    let bytes = unsafe { _mm_loadl_epi64(src.cast()) };
    let values = _mm256_cvtph_ps(_mm_slli_epi16::<8>(_mm_cvtepu8_epi16(bytes)));
    let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(values, values);
    let payload = _mm256_set1_ps(f32::from_bits(0x003F_FFFF));
    _mm256_andnot_ps(_mm256_and_ps(nan, payload), values)
}

/// # Safety
///
/// 32 bytes must be writable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_f32(dst: *mut u8, values: __m256) {
    // SAFETY: the caller's promise; the store needs no alignment.
    unsafe { _mm256_storeu_ps(dst.cast(), values) };
}

/// # Safety
///
/// 16 bytes must be writable.
#[inline]
#[target_feature(enable = "avx2,f16c")]
unsafe fn store_f16(dst: *mut u8, values: __m256) {
    let rounded = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(values);
    // SAFETY: the caller's promise; the store needs no alignment.
    unsafe { _mm_storeu_si128(dst.cast(), rounded) };
}

/// # Safety
///
/// 16 bytes must be writable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_bf16(dst: *mut u8, values: __m256) {
    let rounded = round_bf16(values);
    // SAFETY: the caller's promise; the store needs no alignment.
    unsafe { _mm_storeu_si128(dst.cast(), rounded) };
}

/// Values that need no rounding.
///
/// # Safety
///
/// 16 bytes must be writable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_bf16_exact(dst: *mut u8, values: __m256) {
    let upper = upper_halves(_mm256_castps_si256(values));
    // SAFETY: the caller's promise; the store needs no alignment.
    unsafe { _mm_storeu_si128(dst.cast(), upper) };
}

/// As [`rounding::f32_to_bf16`](crate::rounding::f32_to_bf16).
#[inline]
#[target_feature(enable = "avx2")]
fn round_bf16(values: __m256) -> __m128i {
    let bits = _mm256_castps_si256(values);
    let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
    let half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF));
    let rounded = _mm256_add_epi32(bits, half);
    let quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x0040_0000));
    let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(values, values));
    upper_halves(_mm256_blendv_epi8(rounded, quiet, nan))
}

#[inline]
#[target_feature(enable = "avx2")]
fn upper_halves(bits: __m256i) -> __m128i {
    let upper = _mm256_srli_epi32::<16>(bits);
    _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256::<1>(upper))
}
