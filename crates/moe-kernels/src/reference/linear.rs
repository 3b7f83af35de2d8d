//! Matrix times vector.

use super::{check, whole_rows};
use crate::Result;

/// `y[r] = Σ_k x[k]·weight[r, k] + bias[r]`.
///
/// `x` is `[in]`, `weight` `[out, in]`, `bias` and the result `[out]`.
///
/// ```
/// use moe_kernels::reference::linear;
///
/// let weight = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // [3, 2]
/// assert_eq!(linear(&[10.0, 1.0], &weight, None)?, [12.0, 34.0, 56.0]);
/// assert_eq!(linear(&[10.0, 1.0], &weight, Some(&[0.5, 0.0, -1.0]))?, [12.5, 34.0, 55.0]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn linear(x: &[f64], weight: &[f32], bias: Option<&[f32]>) -> Result<Vec<f64>> {
    let rows = whole_rows("weight of the reference linear", x.len(), weight.len())?;
    let mut y = vec![0.0; rows];
    if let Some(bias) = bias {
        check("bias of the reference linear", rows, bias.len())?;
        y = bias.iter().copied().map(f64::from).collect();
    }
    for (y, row) in y.iter_mut().zip(weight.chunks_exact(x.len())) {
        *y += x.iter().zip(row).map(|(x, w)| x * f64::from(*w)).sum::<f64>();
    }
    Ok(y)
}

#[cfg(test)]
mod tests {
    use super::linear;
    use crate::Error;

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let weight = |expected, found| {
            let argument = "weight of the reference linear";
            Err(Error::Length { argument, expected, found })
        };
        assert_eq!(linear(&[0.0; 2], &[0.0; 3], None), weight(4, 3));
        assert_eq!(linear(&[0.0; 2], &[], None), weight(2, 0));
        assert_eq!(linear(&[], &[0.0; 3], None), weight(1, 3));
        let argument = "bias of the reference linear";
        let bias = Err(Error::Length { argument, expected: 2, found: 1 });
        assert_eq!(linear(&[0.0; 2], &[0.0; 4], Some(&[0.0])), bias);
    }
}
