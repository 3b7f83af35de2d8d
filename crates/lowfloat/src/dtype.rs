//! The element types of tensors in files.

use core::fmt;
use core::str::FromStr;

use crate::ParseDTypeError;

/// The type of a tensor's elements, with the names that safetensors files use.
///
/// ```
/// use lowfloat::DType;
///
/// assert_eq!(DType::BF16.name(), "BF16");
/// assert_eq!(DType::BF16.bits(), 16);
/// assert_eq!("f8_e4m3".parse(), Ok(DType::F8E4M3));
/// assert_eq!(DType::F4.bytes_for(6), Some(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DType {
    /// Boolean, one byte each.
    Bool,
    /// Unsigned 8-bit integer; also the container of packed MXFP4 blocks and scales.
    U8,
    /// Signed 8-bit integer.
    I8,
    /// Unsigned 16-bit integer.
    U16,
    /// Signed 16-bit integer.
    I16,
    /// Unsigned 32-bit integer.
    U32,
    /// Signed 32-bit integer.
    I32,
    /// Unsigned 64-bit integer.
    U64,
    /// Signed 64-bit integer.
    I64,
    /// 4-bit float e2m1 (OCP MX), two to a byte, the first in the low nibble.
    F4,
    /// 6-bit float e2m3 (OCP MX), four in three bytes.
    F6E2M3,
    /// 6-bit float e3m2 (OCP MX), four in three bytes.
    F6E3M2,
    /// 8-bit float e4m3fn: finite, no infinities, one NaN pattern a sign.
    F8E4M3,
    /// 8-bit float e5m2, with infinities.
    F8E5M2,
    /// 8-bit power-of-two scale (OCP MX): `2^(byte - 127)`, 255 is NaN.
    F8E8M0,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of an f32.
    BF16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Two f32: real, imaginary.
    C64,
    /// Two f64: real, imaginary. Not part of safetensors.
    C128,
}

impl DType {
    /// Every element type, narrow to wide within its kind.
    pub const ALL: [Self; 21] = [
        Self::Bool,
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F4,
        Self::F6E2M3,
        Self::F6E3M2,
        Self::F8E4M3,
        Self::F8E5M2,
        Self::F8E8M0,
        Self::F16,
        Self::BF16,
        Self::F32,
        Self::F64,
        Self::C64,
        Self::C128,
    ];

    /// Bits of one element.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::F4 => 4,
            Self::F6E2M3 | Self::F6E3M2 => 6,
            Self::Bool | Self::U8 | Self::I8 | Self::F8E4M3 | Self::F8E5M2 | Self::F8E8M0 => 8,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 16,
            Self::U32 | Self::I32 | Self::F32 => 32,
            Self::U64 | Self::I64 | Self::F64 | Self::C64 => 64,
            Self::C128 => 128,
        }
    }

    /// Bytes of one element; `None` where elements are packed into less than a byte.
    #[must_use]
    pub const fn size(self) -> Option<usize> {
        match self.bits() {
            bits if bits % 8 == 0 => Some(bits as usize / 8),
            _ => None,
        }
    }

    /// Bytes of `elements` elements; `None` where they do not fill whole bytes or overflow `u64`.
    #[must_use]
    pub const fn bytes_for(self, elements: u64) -> Option<u64> {
        match elements.checked_mul(self.bits() as u64) {
            Some(bits) if bits.is_multiple_of(8) => Some(bits / 8),
            // Whole-byte types may count more bits than fit while their bytes still do.
            None if self.bits().is_multiple_of(8) => elements.checked_mul(self.bits() as u64 / 8),
            Some(_) | None => None,
        }
    }

    /// True for the types with a sign, an exponent and a mantissa (not e8m0, which is a scale).
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(
            self,
            Self::F4
                | Self::F6E2M3
                | Self::F6E3M2
                | Self::F8E4M3
                | Self::F8E5M2
                | Self::F16
                | Self::BF16
                | Self::F32
                | Self::F64
        )
    }

    /// The name in a safetensors header (`"BF16"`, `"F8_E4M3"`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::U8 => "U8",
            Self::I8 => "I8",
            Self::U16 => "U16",
            Self::I16 => "I16",
            Self::U32 => "U32",
            Self::I32 => "I32",
            Self::U64 => "U64",
            Self::I64 => "I64",
            Self::F4 => "F4",
            Self::F6E2M3 => "F6_E2M3",
            Self::F6E3M2 => "F6_E3M2",
            Self::F8E4M3 => "F8_E4M3",
            Self::F8E5M2 => "F8_E5M2",
            Self::F8E8M0 => "F8_E8M0",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::F32 => "F32",
            Self::F64 => "F64",
            Self::C64 => "C64",
            Self::C128 => "C128",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for DType {
    type Err = ParseDTypeError;

    /// Reads a safetensors name, in upper or lower case.
    fn from_str(text: &str) -> Result<Self, ParseDTypeError> {
        Self::ALL
            .into_iter()
            .find(|dtype| dtype.name().eq_ignore_ascii_case(text))
            .ok_or(ParseDTypeError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for dtype in DType::ALL {
            assert_eq!(dtype.name().parse(), Ok(dtype));
            assert_eq!(dtype.name().to_ascii_lowercase().parse(), Ok(dtype));
        }
        assert_eq!("float32".parse::<DType>(), Err(ParseDTypeError));
    }

    #[test]
    fn packed_types_need_whole_bytes() {
        assert_eq!(DType::F4.size(), None);
        assert_eq!(DType::F4.bytes_for(3), None);
        assert_eq!(DType::F6E2M3.bytes_for(4), Some(3));
        assert_eq!(DType::F64.bytes_for(u64::MAX / 8), Some(u64::MAX / 8 * 8));
        assert_eq!(DType::F64.bytes_for(u64::MAX), None);
    }
}
