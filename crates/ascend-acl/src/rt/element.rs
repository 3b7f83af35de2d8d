//! Types of elements that host and device both know.

use half::{bf16, f16};

use crate::sys::{HcclDataType, aclDataType};

mod sealed {
    pub trait Sealed {}
}

/// A number type that can be copied between host and device.
///
/// # Safety
///
/// The type has no padding and every pattern of bits is a value of it, so that whatever is in device memory may be read.
/// [`Element::DTYPE`] and [`Element::COLLECTIVE`] name the same type.
pub unsafe trait Element: Copy + Send + Sync + 'static + sealed::Sealed {
    /// The type as operators know it.
    const DTYPE: aclDataType;
    /// The type as collectives know it.
    const COLLECTIVE: HcclDataType;
}

macro_rules! elements {
    ($($type:ty: $dtype:ident $collective:ident),* $(,)?) => {$(
        impl sealed::Sealed for $type {}

        // SAFETY: an integer or a float, without padding and with a value for every pattern of bits.
        unsafe impl Element for $type {
            const DTYPE: aclDataType = aclDataType::$dtype;
            const COLLECTIVE: HcclDataType = HcclDataType::$collective;
        }
    )*};
}

elements! {
    bf16: BF16 BFP16, f16: FLOAT16 FP16, f32: FLOAT FP32, f64: DOUBLE FP64,
    i8: INT8 INT8, i16: INT16 INT16, i32: INT32 INT32, i64: INT64 INT64,
    u8: UINT8 UINT8, u16: UINT16 UINT16, u32: UINT32 UINT32, u64: UINT64 UINT64,
}
