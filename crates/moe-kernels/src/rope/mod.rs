//! Rotary position embedding.

mod rotate;
mod yarn;

pub use rotate::rotate;
pub use yarn::Yarn;

use crate::view::check_len;
use crate::{Error, Result};

/// The angles by which queries and keys are turned.
///
/// ```
/// use moe_kernels::{Rope, Yarn};
///
/// let rope = Rope::new(&Yarn {
///     head_dim: 64,
///     theta: 150_000.0,
///     factor: 32.0,
///     beta_fast: 32.0,
///     beta_slow: 1.0,
///     original_context: 4096,
///     truncate: false,
/// })?;
/// assert_eq!(rope.inv_freq().len(), 32);
/// assert_eq!(rope.concentration(), 1.3465736);
///
/// let (mut cos, mut sin) = ([0.0; 32], [0.0; 32]);
/// rope.cos_sin(1, &mut cos, &mut sin)?;
/// assert_eq!(cos[0], 1.3465736 * 1f32.cos()); // inv_freq[0] is 1
/// # Ok::<(), moe_kernels::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    inv_freq: Vec<f32>,
    concentration: f32,
}

impl Rope {
    /// The angles for these constants.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] where `head_dim` is zero or odd or `original_context` zero,
    /// [`Error::Constant`] where another constant is not a positive number (`theta`: above 1).
    pub fn new(yarn: &Yarn) -> Result<Self> {
        yarn.check()?;
        Ok(Self { inv_freq: yarn.inverse_frequencies(), concentration: yarn.concentration() })
    }

    /// Radians a position, `[head_dim / 2]`: computed in `f32` in the order of transformers, with
    /// correctly rounded powers. torch's vector code rounds some powers otherwise, by one unit in the
    /// last place; which ones depends on its version and on the processor.
    #[must_use]
    pub fn inv_freq(&self) -> &[f32] {
        &self.inv_freq
    }

    /// By how much queries and keys are lengthened: `0.1·ln(factor) + 1`, 1 for factors up to 1.
    #[must_use]
    pub const fn concentration(&self) -> f32 {
        self.concentration
    }

    /// Elements of a head.
    #[must_use]
    pub const fn head_dim(&self) -> usize {
        2 * self.inv_freq.len()
    }

    /// Cosines and sines of a position times the concentration, `[head_dim / 2]` each.
    ///
    /// The angle is the `f32` product of position and frequency, as in the model; its cosine and
    /// sine are rounded once before the multiplication.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] where `cos` or `sin` has another length.
    pub fn cos_sin(&self, position: usize, cos: &mut [f32], sin: &mut [f32]) -> Result<()> {
        check_len("cos of cos_sin", self.inv_freq.len(), cos.len())?;
        check_len("sin of cos_sin", self.inv_freq.len(), sin.len())?;
        for ((cos, sin), inv_freq) in cos.iter_mut().zip(sin).zip(&self.inv_freq) {
            // In f64 because a platform's f32 functions may be off by more for large angles.
            let angle = f64::from(position as f32 * inv_freq);
            *cos = angle.cos() as f32 * self.concentration;
            *sin = angle.sin() as f32 * self.concentration;
        }
        Ok(())
    }
}

fn constant(argument: &'static str, expected: &'static str, found: f64, ok: bool) -> Result<()> {
    if ok { Ok(()) } else { Err(Error::Constant { argument, expected, found }) }
}
