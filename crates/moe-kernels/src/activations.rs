//! How activations meet weights in MXFP4.

/// The form in which activations enter a product with weights in MXFP4. The weights are exact in all of them.
///
/// ```
/// use moe_kernels::{Activations, Matrix, Rounding, Strips, linear};
/// use ndarray::{Array2, array};
///
/// // 1 and fifteen pairs of zeros, with a scale of 2⁰.
/// let mut codes = vec![0u8; 16];
/// codes[0] = 0x02;
/// let weights = Matrix::mxfp4(32, Strips::new(16, vec![codes])?, Strips::new(1, vec![vec![127]])?)?;
/// let mut x = Array2::zeros((1, 32));
/// x[[0, 0]] = 1.0 / 3.0;
/// x[[0, 1]] = 1.0;
/// let mut y = Array2::zeros((1, 1));
/// linear(x.view(), &weights, None, Rounding::None, y.view_mut())?;
/// assert_eq!(y, array![[1.0 / 3.0]]);
/// let weights = weights.with_activations(Activations::Int8);
/// linear(x.view(), &weights, None, Rounding::None, y.view_mut())?;
/// assert_eq!(y, array![[42.0 / 127.0]]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activations {
    /// As they are, in the fastest way that keeps them: `f32`, bf16, or, for bf16 on CPUs with AVX2 and
    /// without products of bf16, integers of sixteen bits for every 32. Of these a value of bf16 is exact
    /// unless it is smaller than 2⁻⁷ of the largest of its 32, and then off by at most 2⁻¹⁵ of
    /// the largest: less than a hundredth of what rounding to bf16 has cost.
    #[default]
    Exact,
    /// Integers of eight bits for every 32, of which the largest is 127: what other engines do. Faster where
    /// there are no products of bf16, and a rounding of its own, of half a 127th of the largest.
    Int8,
}
