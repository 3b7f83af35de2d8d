//! Conversions of single values as plain integer arithmetic on bit patterns, without branches, so
//! that loops over them become vector code. Every kernel gives the bits that these give.
//!
//! The NaN rule: widening bf16 to f32 is a shift and keeps every pattern. Every other conversion
//! to a type of 16 bits or more keeps the sign and as many upper payload bits as fit, and sets the
//! quiet bit, as IEEE 754 conversions on x86-64 and `AArch64` do. An fp8 NaN has the sign and the
//! one canonical pattern that `ml_dtypes` writes.

#![allow(clippy::float_cmp)] // exactness is what is asked

const F32_INFINITY: u32 = 0x7F80_0000;
const F32_QUIET: u32 = 0x0040_0000;
const F32_ABS: u32 = 0x7FFF_FFFF;

/// Picks without a branch where the optimiser turns the loop around it into vector code.
#[inline(always)]
const fn select(condition: bool, yes: u32, no: u32) -> u32 {
    if condition { yes } else { no }
}

/// Magnitude of an f32 rounded to nearest even in a format with `MANTISSA` stored bits and
/// exponent bias `BIAS`, with subnormals and without a largest value: what exceeds the format
/// comes back as a pattern above its largest.
#[inline(always)]
fn round_magnitude<const MANTISSA: u32, const BIAS: u32>(abs: u32) -> u32 {
    let dropped = 23 - MANTISSA;
    // A float whose last place is the smallest subnormal: adding it rounds at that place.
    let anchor = (127 - BIAS + dropped + 1) << 23;
    let subnormal = (f32::from_bits(abs) + f32::from_bits(anchor)).to_bits().wrapping_sub(anchor);
    let half_less_one = (1 << (dropped - 1)) - 1;
    let odd = (abs >> dropped) & 1;
    let rebiased = abs.wrapping_sub((127 - BIAS) << 23);
    let normal = rebiased.wrapping_add(half_less_one).wrapping_add(odd) >> dropped;
    let smallest_normal = (127 - BIAS + 1) << 23;
    select(abs < smallest_normal, subnormal, normal)
}

/// f32 bits of the finite value with magnitude pattern `abs` in such a format; exact.
#[inline(always)]
fn expand_magnitude<const MANTISSA: u32, const BIAS: u32>(abs: u32) -> u32 {
    let scale = f32::from_bits((254 - BIAS) << 23);
    (f32::from_bits(abs << (23 - MANTISSA)) * scale).to_bits()
}

#[inline(always)]
pub(crate) fn bf16_to_f32(bits: u16) -> u32 {
    u32::from(bits) << 16
}

#[inline(always)]
pub(crate) fn f32_to_bf16(bits: u32) -> u16 {
    let rounded = bits.wrapping_add(0x7FFF + ((bits >> 16) & 1));
    let nan = bits | F32_QUIET;
    (select(bits & F32_ABS > F32_INFINITY, nan, rounded) >> 16) as u16
}

#[inline(always)]
pub(crate) fn f16_to_f32(bits: u16) -> u32 {
    let abs = u32::from(bits) & 0x7FFF;
    let sign = (u32::from(bits) & 0x8000) << 16;
    let special = F32_INFINITY | (abs << 13) | select(abs > 0x7C00, F32_QUIET, 0);
    sign | select(abs >= 0x7C00, special, expand_magnitude::<10, 15>(abs))
}

#[inline(always)]
pub(crate) fn f32_to_f16(bits: u32) -> u16 {
    let abs = bits & F32_ABS;
    let rounded = round_magnitude::<10, 15>(abs).min(0x7C00);
    let nan = 0x7E00 | ((abs >> 13) & 0x3FF);
    (((bits >> 16) & 0x8000) | select(abs > F32_INFINITY, nan, rounded)) as u16
}

#[inline(always)]
pub(crate) fn e4m3_to_f32(bits: u8) -> u32 {
    let abs = u32::from(bits) & 0x7F;
    let sign = (u32::from(bits) & 0x80) << 24;
    let nan = F32_INFINITY | F32_QUIET;
    sign | select(abs == 0x7F, nan, expand_magnitude::<3, 7>(abs))
}

/// Above 448 (after rounding) and infinities become NaN, or ±448 where `SATURATE`.
#[inline(always)]
pub(crate) fn f32_to_e4m3<const SATURATE: bool>(bits: u32) -> u8 {
    let abs = bits & F32_ABS;
    let largest = if SATURATE { 0x7E } else { 0x7F };
    let rounded = round_magnitude::<3, 7>(abs).min(largest);
    (((bits >> 24) & 0x80) | select(abs > F32_INFINITY, 0x7F, rounded)) as u8
}

#[inline(always)]
pub(crate) fn e5m2_to_f32(bits: u8) -> u32 {
    let abs = u32::from(bits) & 0x7F;
    let sign = (u32::from(bits) & 0x80) << 24;
    let special = select(abs > 0x7C, F32_INFINITY | F32_QUIET, F32_INFINITY);
    sign | select(abs >= 0x7C, special, expand_magnitude::<2, 15>(abs))
}

/// Above 57344 (after rounding) and infinities become infinite, or ±57344 where `SATURATE`.
#[inline(always)]
pub(crate) fn f32_to_e5m2<const SATURATE: bool>(bits: u32) -> u8 {
    let abs = bits & F32_ABS;
    let largest = if SATURATE { 0x7B } else { 0x7C };
    let rounded = round_magnitude::<2, 15>(abs).min(largest);
    (((bits >> 24) & 0x80) | select(abs > F32_INFINITY, 0x7E, rounded)) as u8
}

/// Saturates at ±6; NaN, which the format lacks, becomes ±6 too.
#[inline(always)]
pub(crate) fn f32_to_e2m1(bits: u32) -> u8 {
    let rounded = round_magnitude::<1, 1>(bits & F32_ABS).min(7);
    (((bits >> 28) & 8) | rounded) as u8
}

#[inline(always)]
pub(crate) fn f32_to_f64(bits: u32) -> u64 {
    let sign = u64::from(bits & !F32_ABS) << 32;
    let nan = sign | 0x7FF8_0000_0000_0000 | (u64::from(bits & 0x007F_FFFF) << 29);
    let value = f64::from(f32::from_bits(bits)).to_bits();
    if bits & F32_ABS > F32_INFINITY { nan } else { value }
}

#[inline(always)]
fn f64_nan_to_f32(bits: u64) -> u32 {
    let sign = (bits >> 32) as u32 & !F32_ABS;
    sign | F32_INFINITY | F32_QUIET | ((bits >> 29) as u32 & 0x007F_FFFF)
}

#[inline(always)]
const fn is_nan_f64(bits: u64) -> bool {
    bits & (u64::MAX >> 1) > 0x7FF0_0000_0000_0000
}

#[inline(always)]
pub(crate) fn f64_to_f32(bits: u64) -> u32 {
    let nearest = (f64::from_bits(bits) as f32).to_bits();
    select(is_nan_f64(bits), f64_nan_to_f32(bits), nearest)
}

/// Rounds to odd: an inexact result has its last bit set. Rounding that once more to a format
/// with at least two bits less gives the correctly rounded value of the f64 (Boldo and
/// Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding
/// to odd", 2008).
#[inline(always)]
pub(crate) fn f64_to_f32_odd(bits: u64) -> u32 {
    let exact = f64::from_bits(bits);
    let nearest = exact as f32;
    let back = f64::from(nearest);
    let towards_zero = nearest.to_bits().wrapping_sub(u32::from(back.abs() > exact.abs()));
    let odd = towards_zero | u32::from(back != exact);
    select(is_nan_f64(bits), f64_nan_to_f32(bits), odd)
}
