//! Where results are rounded to 16 bits.

use half::f16;
use lowfloat::cast;

use crate::arch::{Level, bf16, to_bf16};

/// How the activations of a model are rounded; every function says what it rounds.
///
/// Sums of products are accumulated in `f32` whatever the rounding. The three kinds are three sets
/// of places, not only three formats:
///
/// - [`None`](Self::None): nowhere. The exact one.
/// - [`Bf16`](Self::Bf16): where transformers rounds when it runs a model in bf16: after every
///   operation of its own.
/// - [`F16`](Self::F16): only what enters a product with a matrix next: norms, rotated queries and
///   keys, attention outputs, the activation inside an expert. Results of products, the
///   residual stream and router weights stay `f32`.
///
/// ```
/// use moe_kernels::Rounding;
///
/// let third = 1.0f32 / 3.0;
/// assert_eq!(Rounding::None.round(third), third);
/// assert_eq!(Rounding::Bf16.round(third), 0.333984375);
/// assert_eq!(Rounding::F16.round(third), 0.333251953125);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// `f32` throughout.
    #[default]
    None,
    /// Nearest bf16, ties to even, after every operation.
    Bf16,
    /// Nearest f16, ties to even, of what enters a matrix product; beyond 65504 infinite.
    F16,
}

impl Rounding {
    /// The nearest value of the format.
    #[must_use]
    #[inline]
    pub fn round(self, value: f32) -> f32 {
        match self {
            Self::None => value,
            Self::Bf16 => bf16(value),
            Self::F16 => f16::from_f32(value).to_f32(),
        }
    }

    /// Rounds every value.
    ///
    /// ```
    /// use moe_kernels::Rounding;
    ///
    /// let mut values = [1.0, 1.001953125, 1.00390625];
    /// Rounding::Bf16.apply(&mut values);
    /// assert_eq!(values, [1.0, 1.0, 1.0]); // the last is halfway to 1.0078125; 1 is even
    /// ```
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Bf16 => to_bf16(Level::current(), values),
            Self::F16 => values.chunks_mut(CHUNK).for_each(to_f16),
        }
    }

    /// The rounding of results that are added to `f32` values, not multiplied with a matrix.
    pub(crate) const fn of_sums(self) -> Self {
        match self {
            Self::Bf16 => Self::Bf16,
            Self::None | Self::F16 => Self::None,
        }
    }
}

const CHUNK: usize = 256;

/// At most [`CHUNK`] values.
fn to_f16(values: &mut [f32]) {
    let mut halves = [f16::ZERO; CHUNK];
    let Some(halves) = halves.get_mut(..values.len()) else { return };
    let done = cast(values, halves).and_then(|()| cast(halves, values));
    debug_assert!(done.is_ok(), "the lengths are the same");
}
