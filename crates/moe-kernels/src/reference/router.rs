//! Which experts a token goes to.

use crate::{Error, Result};

/// An expert and its share of the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Index of the expert.
    pub expert: usize,
    /// Positive; those of a token sum to 1.
    pub weight: f64,
}

/// The `k` experts with the largest logits, and the softmax of those logits.
///
/// `logits` is `[experts]`. Largest first; of equal ones the lowest index. Numbers are expected: the
/// place of a NaN is not defined.
///
/// ```
/// use moe_kernels::reference::route;
///
/// let two = 2f64.ln();
/// let choices = route(&[-1.0, two, 0.0, two], 3)?;
/// let experts: Vec<usize> = choices.iter().map(|choice| choice.expert).collect();
/// assert_eq!(experts, [1, 3, 2]);
/// for (choice, weight) in choices.iter().zip([0.4, 0.4, 0.2]) {
///     assert!((choice.weight - weight).abs() < 1e-15);
/// }
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn route(logits: &[f64], k: usize) -> Result<Vec<Choice>> {
    if k == 0 || k > logits.len() {
        return Err(Error::ExpertsPerToken { k, experts: logits.len() });
    }
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // Stable, so that equal logits stay in the order of their indices. `+ 0.0` makes -0 equal to 0.
    order.sort_by(|&a, &b| (logits[b] + 0.0).total_cmp(&(logits[a] + 0.0)));
    order.truncate(k);
    let largest = logits[order[0]];
    let total: f64 = order.iter().map(|&expert| (logits[expert] - largest).exp()).sum();
    let weight = |expert: usize| (logits[expert] - largest).exp() / total;
    Ok(order.into_iter().map(|expert| Choice { expert, weight: weight(expert) }).collect())
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::route;
    use crate::Error;

    #[test]
    fn equal_logits_go_to_the_lowest_index() {
        let experts = |logits: &[f64], k| -> Vec<usize> {
            route(logits, k).unwrap().iter().map(|choice| choice.expert).collect()
        };
        assert_eq!(experts(&[1.0; 5], 3), [0, 1, 2]);
        assert_eq!(experts(&[-0.0, 0.0, -0.0], 2), [0, 1]);
        assert_eq!(experts(&[1.0, 3.0, 2.0, 3.0], 2), [1, 3]);
    }

    #[test]
    fn no_expert_and_too_many_are_refused() {
        let refused = |experts, k| {
            assert_eq!(route(&vec![1.0; experts], k), Err(Error::ExpertsPerToken { k, experts }));
        };
        refused(4, 0);
        refused(4, 5);
        refused(0, 1);
    }

    #[test]
    fn logits_of_hundreds_do_not_overflow() {
        assert_eq!(route(&[1000.0, -1000.0], 2).unwrap()[0].weight, 1.0);
    }
}
