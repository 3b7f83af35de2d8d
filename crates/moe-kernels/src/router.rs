//! Which experts a token goes to.

use ndarray::{Array2, ArrayView2};

use crate::view::slice;
use crate::{Error, Result, Rounding};

/// The experts of every token and their weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Routing {
    /// `[T, k]`: indices of experts, largest logit first, of equal ones the lowest index.
    pub experts: Array2<u32>,
    /// `[T, k]`: the softmax of the `k` logits.
    pub weights: Array2<f32>,
}

/// The `k` experts with the largest logits of every token, and the softmax of those logits.
///
/// `logits` is `[T, E]`. Weights are rounded to bf16 where `rounding` is [`Rounding::Bf16`]; logits
/// are taken as they are (so round them before).
///
/// # Errors
///
/// [`Error::ExpertsPerToken`] where `k` is zero or larger than `E`; [`Error::Logit`] for the first
/// NaN, or a largest logit that is infinite; [`Error::NotRowMajor`].
///
/// ```
/// use moe_kernels::{Rounding, route};
/// use ndarray::array;
///
/// let two = 2f32.ln();
/// let routing = route(array![[-1.0, two, 0.0, two]].view(), 3, Rounding::None)?;
/// assert_eq!(routing.experts, array![[1, 3, 2]]);
/// assert_eq!(routing.weights, array![[0.4, 0.4, 0.2]]);
/// assert!(route(array![[0.0, f32::NAN]].view(), 1, Rounding::None).is_err());
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn route(logits: ArrayView2<'_, f32>, k: usize, rounding: Rounding) -> Result<Routing> {
    let (tokens, count) = logits.dim();
    if k == 0 || k > count {
        return Err(Error::ExpertsPerToken { k, experts: count });
    }
    let mut experts = Array2::zeros((tokens, k));
    let mut weights = Array2::zeros((tokens, k));
    let mut order = Vec::with_capacity(count);
    let logits = slice("logits of route", logits)?;
    for (row, logits) in logits.chunks_exact(count).enumerate() {
        order.clear();
        for (expert, &value) in logits.iter().enumerate() {
            if value.is_nan() {
                return Err(Error::Logit { row, expert, value });
            }
            order.push((expert, value));
        }
        // Stable: equal logits stay in the order of their indices. `+ 0.0` makes -0 equal to 0.
        order.sort_by(|a, b| (b.1 + 0.0).total_cmp(&(a.1 + 0.0)));
        let (expert, largest) = order[0];
        if largest.is_infinite() {
            return Err(Error::Logit { row, expert, value: largest });
        }
        for (to, (expert, _)) in experts.row_mut(row).iter_mut().zip(&order) {
            *to = *expert as u32;
        }
        softmax(&order[..k], largest, rounding.of_sums(), weights.row_mut(row).iter_mut());
    }
    Ok(Routing { experts, weights })
}

fn softmax<'a>(
    chosen: &[(usize, f32)],
    largest: f32,
    rounding: Rounding,
    weights: impl Iterator<Item = &'a mut f32>,
) {
    let exp = |logit: f32| (f64::from(logit) - f64::from(largest)).exp();
    let total: f64 = chosen.iter().map(|(_, logit)| exp(*logit)).sum();
    for (weight, (_, logit)) in weights.zip(chosen) {
        *weight = rounding.round((exp(*logit) / total) as f32);
    }
}
