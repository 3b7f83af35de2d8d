//! Matrix times vector.

use super::{Result, check, whole_rows};

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
/// # Ok::<(), moe_kernels::reference::Misfit>(())
/// ```
pub fn linear(x: &[f64], weight: &[f32], bias: Option<&[f32]>) -> Result<Vec<f64>> {
    let rows = whole_rows("elements of the weight", x.len(), weight.len())?;
    let mut y = vec![0.0; rows];
    if let Some(bias) = bias {
        check("elements of the bias", rows, bias.len())?;
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
    use crate::reference::Misfit;

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        let weight = Misfit { what: "elements of the weight", expected: 4, actual: 3 };
        assert_eq!(linear(&[0.0; 2], &[0.0; 3], None), Err(weight));
        assert_eq!(linear(&[], &[0.0; 3], None).unwrap_err().what, "elements of the weight");
        assert_eq!(linear(&[0.0; 2], &[], None).unwrap_err().expected, 2);
        let bias = Misfit { what: "elements of the bias", expected: 2, actual: 1 };
        assert_eq!(linear(&[0.0; 2], &[0.0; 4], Some(&[0.0])), Err(bias));
    }
}
