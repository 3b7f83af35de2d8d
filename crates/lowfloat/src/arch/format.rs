//! The formats that kernels read and write.

use crate::DType;

/// A number format as kernels see it; fp8 destinations come in two kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    F64,
    F32,
    F16,
    Bf16,
    E4m3,
    E5m2,
    /// Destination only: e4m3 where what is too large becomes ±448.
    E4m3Saturating,
    /// Destination only: e5m2 where what is too large becomes ±57344.
    E5m2Saturating,
}

impl Format {
    pub(crate) const fn of(dtype: DType) -> Option<Self> {
        Some(match dtype {
            DType::F64 => Self::F64,
            DType::F32 => Self::F32,
            DType::F16 => Self::F16,
            DType::BF16 => Self::Bf16,
            DType::F8E4M3 => Self::E4m3,
            DType::F8E5M2 => Self::E5m2,
            _ => return None,
        })
    }

    /// The kind that saturates, where there is one.
    pub(crate) const fn saturating(self) -> Self {
        match self {
            Self::E4m3 => Self::E4m3Saturating,
            Self::E5m2 => Self::E5m2Saturating,
            other => other,
        }
    }

    /// Bytes of one element.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::E4m3 | Self::E5m2 | Self::E4m3Saturating | Self::E5m2Saturating => 1,
        }
    }
}
