//! Sizes of element types.

use crate::sys::aclDataType;

/// Bits of an element; `None` for a type without a fixed size.
#[must_use]
pub fn bits_of(dtype: aclDataType) -> Option<usize> {
    Some(match dtype {
        aclDataType::INT4 | aclDataType::FLOAT4_E2M1 | aclDataType::FLOAT4_E1M2 => 4,
        aclDataType::INT8
        | aclDataType::UINT8
        | aclDataType::BOOL
        | aclDataType::HIFLOAT8
        | aclDataType::FLOAT8_E5M2
        | aclDataType::FLOAT8_E4M3FN
        | aclDataType::FLOAT8_E8M0 => 8,
        aclDataType::FLOAT16 | aclDataType::BF16 | aclDataType::INT16 | aclDataType::UINT16 => 16,
        aclDataType::FLOAT | aclDataType::INT32 | aclDataType::UINT32 | aclDataType::COMPLEX32 => {
            32
        }
        aclDataType::DOUBLE | aclDataType::INT64 | aclDataType::UINT64 | aclDataType::COMPLEX64 => {
            64
        }
        aclDataType::COMPLEX128 => 128,
        _ => return None,
    })
}

/// Whether it is a float that operators compute with.
pub(super) fn is_float(dtype: aclDataType) -> bool {
    FLOATS.contains(&dtype) || dtype == aclDataType::DOUBLE
}

/// The floats of most operators.
pub(super) const FLOATS: &[aclDataType] =
    &[aclDataType::FLOAT, aclDataType::FLOAT16, aclDataType::BF16];
/// The floats of the cube.
pub(super) const HALVES: &[aclDataType] = &[aclDataType::FLOAT16, aclDataType::BF16];
/// What indices are.
pub(super) const INDICES: &[aclDataType] = &[aclDataType::INT32, aclDataType::INT64];
