//! The element types of a checkpoint.

use std::fmt;
use std::str::FromStr;

use lowfloat::DType;

use crate::Error;

/// The type of a tensor's elements, as MindSpore names it.
///
/// The names are those that `str(mindspore.dtype)` gives; MindSpore compares them exactly.
///
/// ```
/// use lowfloat::DType;
/// use mindspore_ckpt::Dtype;
///
/// let dtype: Dtype = "BFloat16".parse()?;
/// assert_eq!((dtype.item_size(), dtype.to_dtype()), (2, Some(DType::BF16)));
/// assert_eq!(Dtype::try_from(DType::F32)?.name(), "Float32");
/// assert!("float32".parse::<Dtype>().is_err());
/// # Ok::<(), mindspore_ckpt::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// One byte each; bytes other than 0 and 1 are kept as they are.
    Bool,
    /// Signed 8-bit integer.
    Int8,
    /// Signed 16-bit integer.
    Int16,
    /// Signed 32-bit integer.
    Int32,
    /// Signed 64-bit integer.
    Int64,
    /// Unsigned 8-bit integer; also what MXFP4 blocks and scales are stored as.
    UInt8,
    /// Unsigned 16-bit integer.
    UInt16,
    /// Unsigned 32-bit integer.
    UInt32,
    /// Unsigned 64-bit integer.
    UInt64,
    /// IEEE 754 binary16.
    Float16,
    /// IEEE 754 binary32.
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// The upper half of a binary32, two bytes. Readers also meet four bytes an element; see
    /// [`Entry::legacy_bf16`](crate::Entry::legacy_bf16).
    BFloat16,
    /// MindSpore's `qint4x2`: two 4-bit integers in a byte; shapes count the bytes.
    Int4,
    /// UTF-32LE text, four bytes a character (`"str"`, from `append_dict`).
    Str,
    /// Two binary32: real, imaginary.
    Complex64,
    /// Two binary64: real, imaginary.
    Complex128,
    /// 8-bit float e4m3fn.
    Float8E4M3FN,
    /// 8-bit float e5m2.
    Float8E5M2,
    /// Huawei's 8-bit float with a tapered exponent.
    HiFloat8,
}

/// Which MindSpore versions load a type; see [`Dtype::support`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Support {
    /// Every version tried, 2.0.0 to 2.10.0.
    All,
    /// From about this version on; 2.0.0 refuses it.
    Since(&'static str),
    /// None: 2.10.0 saves it and then refuses to load it.
    SaveOnly,
}

impl Dtype {
    /// Every type.
    pub const ALL: [Self; 20] = [
        Self::Bool,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::UInt8,
        Self::UInt16,
        Self::UInt32,
        Self::UInt64,
        Self::Float16,
        Self::Float32,
        Self::Float64,
        Self::BFloat16,
        Self::Int4,
        Self::Str,
        Self::Complex64,
        Self::Complex128,
        Self::Float8E4M3FN,
        Self::Float8E5M2,
        Self::HiFloat8,
    ];

    /// The name in a checkpoint (`"Float32"`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "Bool",
            Self::Int8 => "Int8",
            Self::Int16 => "Int16",
            Self::Int32 => "Int32",
            Self::Int64 => "Int64",
            Self::UInt8 => "UInt8",
            Self::UInt16 => "UInt16",
            Self::UInt32 => "UInt32",
            Self::UInt64 => "UInt64",
            Self::Float16 => "Float16",
            Self::Float32 => "Float32",
            Self::Float64 => "Float64",
            Self::BFloat16 => "BFloat16",
            Self::Int4 => "Int4",
            Self::Str => "str",
            Self::Complex64 => "Complex64",
            Self::Complex128 => "Complex128",
            Self::Float8E4M3FN => "Float8E4M3FN",
            Self::Float8E5M2 => "Float8E5M2",
            Self::HiFloat8 => "HiFloat8",
        }
    }

    /// Bytes of one element: of one character for [`Str`](Self::Str), of one pair for
    /// [`Int4`](Self::Int4).
    #[must_use]
    pub const fn item_size(self) -> u64 {
        match self {
            Self::Bool
            | Self::Int8
            | Self::UInt8
            | Self::Int4
            | Self::Float8E4M3FN
            | Self::Float8E5M2
            | Self::HiFloat8 => 1,
            Self::Int16 | Self::UInt16 | Self::Float16 | Self::BFloat16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float32 | Self::Str => 4,
            Self::Int64 | Self::UInt64 | Self::Float64 | Self::Complex64 => 8,
            Self::Complex128 => 16,
        }
    }

    /// The same type under the name of safetensors; `None` for `Int4`, `Str` and `HiFloat8`.
    #[must_use]
    pub const fn to_dtype(self) -> Option<DType> {
        Some(match self {
            Self::Bool => DType::Bool,
            Self::Int8 => DType::I8,
            Self::Int16 => DType::I16,
            Self::Int32 => DType::I32,
            Self::Int64 => DType::I64,
            Self::UInt8 => DType::U8,
            Self::UInt16 => DType::U16,
            Self::UInt32 => DType::U32,
            Self::UInt64 => DType::U64,
            Self::Float16 => DType::F16,
            Self::Float32 => DType::F32,
            Self::Float64 => DType::F64,
            Self::BFloat16 => DType::BF16,
            Self::Complex64 => DType::C64,
            Self::Complex128 => DType::C128,
            Self::Float8E4M3FN => DType::F8E4M3,
            Self::Float8E5M2 => DType::F8E5M2,
            Self::Int4 | Self::Str | Self::HiFloat8 => return None,
        })
    }

    /// Which MindSpore versions load this type.
    ///
    /// 2.0.0 and 2.10.0 were run; what lies between is from reading the sources of 2.3, 2.7 and
    /// 2.9.
    ///
    /// ```
    /// use mindspore_ckpt::{Dtype, Support};
    ///
    /// assert_eq!(Dtype::BFloat16.support(), Support::Since("2.3"));
    /// assert_eq!(Dtype::Complex64.support(), Support::SaveOnly);
    /// ```
    #[must_use]
    pub const fn support(self) -> Support {
        match self {
            Self::BFloat16 => Support::Since("2.3"),
            Self::Int4 => Support::Since("2.7"),
            Self::Complex64
            | Self::Complex128
            | Self::Float8E4M3FN
            | Self::Float8E5M2
            | Self::HiFloat8 => Support::SaveOnly,
            _ => Support::All,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Dtype {
    type Err = Error;

    /// Reads a name exactly as MindSpore spells it.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|dtype| dtype.name() == text)
            .ok_or_else(|| Error::ParseDtype { found: text.chars().take(64).collect() })
    }
}

impl TryFrom<DType> for Dtype {
    type Error = Error;

    /// Fails for the packed types (`F4`, `F6_*`) and for `F8_E8M0`, which MindSpore does not have.
    fn try_from(dtype: DType) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|own| own.to_dtype() == Some(dtype))
            .ok_or(Error::NoMindSporeType { dtype })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_are_exact() {
        for dtype in Dtype::ALL {
            assert_eq!(dtype.name().parse::<Dtype>().unwrap(), dtype);
        }
        for refused in
            ["", "float32", "FLOAT32", "Uint8", "BF16", "Float", "Bool_", "String", "Int2"]
        {
            assert!(refused.parse::<Dtype>().is_err(), "{refused}");
        }
        assert!("Int8\0".parse::<Dtype>().is_err());
        assert!(" Int8".parse::<Dtype>().is_err());
    }

    #[test]
    fn both_vocabularies_agree_on_sizes() {
        let mut known = 0;
        for dtype in DType::ALL {
            let Ok(own) = Dtype::try_from(dtype) else { continue };
            known += 1;
            assert_eq!(own.to_dtype(), Some(dtype));
            assert_eq!(Some(own.item_size() as usize), dtype.size());
        }
        assert_eq!(known, 17);
        for none in [DType::F4, DType::F6E2M3, DType::F6E3M2, DType::F8E8M0] {
            assert!(Dtype::try_from(none).is_err());
        }
    }
}
