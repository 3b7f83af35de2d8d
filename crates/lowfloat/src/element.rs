//! The element types that the typed functions take.

use bytemuck::Pod;
use half::{bf16, f16};

use crate::{DType, F8E4M3, F8E5M2};

mod sealed {
    pub trait Sealed {}
}

/// A float that slices are converted from and to: `f64`, `f32`, `f16`, `bf16`, [`F8E4M3`],
/// [`F8E5M2`]. Sealed.
pub trait Element: Pod + sealed::Sealed {
    /// The name of the type in files.
    const DTYPE: DType;
}

/// An 8-bit float, which conversions may saturate. Sealed.
pub trait Fp8: Element {}

/// A float that MXFP4 blocks are decoded to and made from: `f32`, `f16`, `bf16`. Sealed.
pub trait Dense: Element {}

macro_rules! element {
    ($($type:ty: $dtype:ident),*) => {
        $(
            impl sealed::Sealed for $type {}
            impl Element for $type {
                const DTYPE: DType = DType::$dtype;
            }
        )*
    };
}

element!(f64: F64, f32: F32, f16: F16, bf16: BF16, F8E4M3: F8E4M3, F8E5M2: F8E5M2);

impl Fp8 for F8E4M3 {}
impl Fp8 for F8E5M2 {}

impl Dense for f32 {}
impl Dense for f16 {}
impl Dense for bf16 {}
