//! How activations are rounded.

use std::fmt;
use std::str::FromStr;

use lowfloat::DType;

use crate::Error;

/// How exact the activations are; weights are always used as they are stored.
///
/// | | activations | keys and values |
/// |---|---|---|
/// | `F32` | f32 throughout: the exact one | f32 |
/// | `Bf16` | rounded to bf16 wherever transformers' bf16 model rounds them | bf16 |
/// | `F16` | f16 where they enter a matrix product, f32 elsewhere, the residual stream too | f16 |
///
/// Products are summed in f32 in all of them. How far each is from the reference stands in the
/// repository's `docs/accuracy.md`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// IEEE 754 binary32.
    #[default]
    F32,
    /// The upper half of binary32.
    Bf16,
    /// IEEE 754 binary16.
    F16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::F16];

    /// The name: `f32`, `bf16` or `f16`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }

    /// The type of keys and values in the cache.
    #[must_use]
    pub fn kv_dtype(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|precision| precision.name() == text).ok_or_else(|| {
            let reason = format!("{text:?} is none, expected f32, bf16 or f16");
            Error::Option { option: "precision", reason }
        })
    }
}
