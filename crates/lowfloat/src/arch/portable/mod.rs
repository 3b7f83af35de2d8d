//! Conversions in plain Rust: loops that the optimiser turns into vector code, also under the
//! target features of the other levels.

pub(super) mod mxfp4;

use crate::arch::Format;
use crate::arch::kernel::Kernel;
use crate::rounding;

/// A format as source: any value as f32 bits, exactly (f64: rounded so that one more rounding
/// gives the right result).
pub(super) trait Source {
    type Bits: Copy;
    fn widen(bits: Self::Bits) -> u32;
}

/// A format as destination: f32 bits, rounded to nearest even.
pub(super) trait Target {
    type Bits: Copy;
    fn narrow(bits: u32) -> Self::Bits;
}

macro_rules! formats {
    ($($trait:ident $name:ident($bits:ty) = $method:ident($arg:ty) -> $out:ty: $function:expr;)*) => {
        $(
            impl $trait for $name {
                type Bits = $bits;
                #[inline(always)]
                fn $method(bits: $arg) -> $out {
                    $function(bits)
                }
            }
        )*
    };
}

pub(super) struct F64;
/// f64 as the source of f32, where the first rounding is the last.
pub(super) struct F64ToNearest;
pub(super) struct F32;
pub(super) struct F16;
pub(super) struct Bf16;
pub(super) struct E4m3;
pub(super) struct E5m2;
pub(super) struct E4m3Saturating;
pub(super) struct E5m2Saturating;

formats! {
    Source F64(u64) = widen(u64) -> u32: rounding::f64_to_f32_odd;
    Source F64ToNearest(u64) = widen(u64) -> u32: rounding::f64_to_f32;
    Source F32(u32) = widen(u32) -> u32: core::convert::identity;
    Source F16(u16) = widen(u16) -> u32: rounding::f16_to_f32;
    Source Bf16(u16) = widen(u16) -> u32: rounding::bf16_to_f32;
    Source E4m3(u8) = widen(u8) -> u32: rounding::e4m3_to_f32;
    Source E5m2(u8) = widen(u8) -> u32: rounding::e5m2_to_f32;
    Target F64(u64) = narrow(u32) -> u64: rounding::f32_to_f64;
    Target F32(u32) = narrow(u32) -> u32: core::convert::identity;
    Target F16(u16) = narrow(u32) -> u16: rounding::f32_to_f16;
    Target Bf16(u16) = narrow(u32) -> u16: rounding::f32_to_bf16;
    Target E4m3(u8) = narrow(u32) -> u8: rounding::f32_to_e4m3::<false>;
    Target E5m2(u8) = narrow(u32) -> u8: rounding::f32_to_e5m2::<false>;
    Target E4m3Saturating(u8) = narrow(u32) -> u8: rounding::f32_to_e4m3::<true>;
    Target E5m2Saturating(u8) = narrow(u32) -> u8: rounding::f32_to_e5m2::<true>;
}

/// Converts `n` elements.
///
/// # Safety
///
/// `src` must be readable for `n` elements, `dst` writable for `n` elements, and the two must not
/// overlap. Neither needs an alignment.
#[inline(always)]
pub(super) unsafe fn convert<S: Source, D: Target>(src: *const u8, dst: *mut u8, n: usize) {
    let src = src.cast::<S::Bits>();
    let dst = dst.cast::<D::Bits>();
    for i in 0..n {
        // SAFETY: i < n elements that the caller vouches for.
        let at = unsafe { src.add(i) };
        // SAFETY: readable as above, without alignment; every bit pattern is valid.
        let bits = unsafe { at.read_unaligned() };
        // SAFETY: i < n elements that the caller vouches for.
        let to = unsafe { dst.add(i) };
        // SAFETY: writable as above, without alignment.
        unsafe { to.write_unaligned(D::narrow(S::widen(bits))) };
    }
}

/// The loops of [`convert`], compiled for one level.
pub(super) trait Compiled {
    /// As [`convert`].
    ///
    /// # Safety
    ///
    /// As [`convert`], on a CPU that has the level.
    unsafe fn convert<S: Source, D: Target>(src: *const u8, dst: *mut u8, n: usize);
}

/// The kernel of a level from one format to another; `None` where no conversion is needed.
pub(super) fn kernel<C: Compiled>(from: Format, to: Format) -> Option<Kernel> {
    match (from, to) {
        (from, to) if from == to => None,
        (Format::F64, Format::F32) => Some(C::convert::<F64ToNearest, F32>),
        (Format::F64, _) => Some(kernel_to::<C, F64>(to)),
        (Format::F32, _) => Some(kernel_to::<C, F32>(to)),
        (Format::F16, _) => Some(kernel_to::<C, F16>(to)),
        (Format::Bf16, _) => Some(kernel_to::<C, Bf16>(to)),
        (Format::E4m3 | Format::E4m3Saturating, _) => Some(kernel_to::<C, E4m3>(to)),
        (Format::E5m2 | Format::E5m2Saturating, _) => Some(kernel_to::<C, E5m2>(to)),
    }
}

fn kernel_to<C: Compiled, S: Source>(to: Format) -> Kernel {
    match to {
        Format::F64 => C::convert::<S, F64>,
        Format::F32 => C::convert::<S, F32>,
        Format::F16 => C::convert::<S, F16>,
        Format::Bf16 => C::convert::<S, Bf16>,
        Format::E4m3 => C::convert::<S, E4m3>,
        Format::E5m2 => C::convert::<S, E5m2>,
        Format::E4m3Saturating => C::convert::<S, E4m3Saturating>,
        Format::E5m2Saturating => C::convert::<S, E5m2Saturating>,
    }
}

/// What the target has without asking the CPU.
pub(super) struct Baseline;

impl Compiled for Baseline {
    unsafe fn convert<S: Source, D: Target>(src: *const u8, dst: *mut u8, n: usize) {
        // SAFETY: the caller's promise is the same.
        unsafe { convert::<S, D>(src, dst, n) };
    }
}
