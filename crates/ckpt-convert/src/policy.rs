//! What a conversion should do.

use lowfloat::DType;

use crate::rule::{FloatTarget, Rules};

/// What becomes of the tensors of a checkpoint.
///
/// The default keeps every tensor as it is.
///
/// ```
/// use ckpt_convert::{Experts, FloatTarget, Policy};
/// use lowfloat::DType;
///
/// let policy = Policy { floats: FloatTarget::To(DType::F32), ..Policy::default() };
/// assert_eq!(policy.experts, Experts::Keep);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What bf16, f16 and f32 tensors become. Those of f64 and fp8 stay unless a rule names them;
    /// integers always stay.
    pub floats: FloatTarget,
    /// What becomes of the experts' weights.
    pub experts: Experts,
    /// Exceptions and names.
    pub rules: Rules,
}

/// What becomes of the experts' weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Experts {
    /// MXFP4 blocks and scales stay uint8, dense weights stay dense.
    #[default]
    Keep,
    /// MXFP4 pairs become dense tensors of [`Policy::floats`], bf16 where that is
    /// [`FloatTarget::Keep`]; in the Hugging Face layout transposed to `[experts, in, out]`.
    Dequantize,
    /// Dense expert weights become MXFP4 pairs: exactly where their values are representable, else
    /// to nearest (see [`lowfloat::mxfp4::quantize`] for the rounding).
    Quantize,
}

impl Experts {
    /// `keep`, `dequantize` or `quantize`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Dequantize => "dequantize",
            Self::Quantize => "quantize",
        }
    }
}

impl Policy {
    /// The type that tensor `name` of type `dtype` is to have.
    pub(crate) fn dtype_for(&self, name: &str, dtype: DType) -> DType {
        let by_rule = self.rules.dtype(name).filter(|_| dtype.is_float());
        let plain = matches!(dtype, DType::F16 | DType::BF16 | DType::F32);
        match by_rule.unwrap_or(if plain { self.floats } else { FloatTarget::Keep }) {
            FloatTarget::Keep => dtype,
            FloatTarget::To(target) => target,
        }
    }

    /// The type of a tensor dequantised to `name`.
    pub(crate) fn dense_dtype_for(&self, name: &str) -> DType {
        match self.rules.dtype(name).unwrap_or(self.floats) {
            FloatTarget::Keep => DType::BF16,
            FloatTarget::To(target) => target,
        }
    }

    /// The policy as text, the same for the same policy: part of a plan's identity.
    pub(crate) fn describe(&self) -> Vec<String> {
        let mut lines =
            vec![format!("dtype {}", self.floats), format!("experts {}", self.experts.name())];
        lines.extend(self.rules.describe());
        lines
    }
}
