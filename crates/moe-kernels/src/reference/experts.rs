//! The feed-forward half of a layer.

use super::{Choice, check, linear, whole_rows};
use crate::{Error, Result};

/// The constants of the activation; 1.702 and 7 in gpt-oss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swiglu {
    /// Factor inside the sigmoid.
    pub alpha: f64,
    /// Largest gate, and largest absolute value of up.
    pub limit: f64,
}

/// The weights of one expert.
#[derive(Clone, Copy, Debug)]
pub struct Expert<'a> {
    /// `[2·intermediate, hidden]`; row `2i` is gate `i`, row `2i + 1` up `i`.
    pub gate_up: &'a [f32],
    /// `[2·intermediate]`, interleaved likewise.
    pub gate_up_bias: &'a [f32],
    /// `[hidden, intermediate]`.
    pub down: &'a [f32],
    /// `[hidden]`.
    pub down_bias: &'a [f32],
    /// The activation.
    pub swiglu: Swiglu,
}

impl Expert<'_> {
    /// `down · swiglu(gate_up · x + gate_up_bias) + down_bias`; `x` and the result are `[hidden]`.
    ///
    /// ```
    /// use moe_kernels::reference::{Expert, Swiglu};
    ///
    /// let expert = Expert {
    ///     gate_up: &[1.0, 0.0, 0.0, 1.0], // gate = x[0], up = x[1]
    ///     gate_up_bias: &[0.0, -3.0],
    ///     down: &[1.0, -1.0],
    ///     down_bias: &[0.0, 10.0],
    ///     swiglu: Swiglu { alpha: 0.0, limit: 7.0 }, // sigmoid(0) = ½
    /// };
    /// // Gate 9 is clamped to 7, up is 4 − 3, so 7 · ½ · (1 + 1).
    /// assert_eq!(expert.forward(&[9.0, 4.0])?, [7.0, 3.0]);
    /// # Ok::<(), moe_kernels::Error>(())
    /// ```
    pub fn forward(&self, x: &[f64]) -> Result<Vec<f64>> {
        let u = linear(x, self.gate_up, Some(self.gate_up_bias))?;
        linear(&swiglu(&u, self.swiglu)?, self.down, Some(self.down_bias))
    }
}

/// `gate · sigmoid(alpha·gate) · (up + 1)`, gate clamped above, up on both sides.
///
/// `u` is `[2·intermediate]`: gate at even, up at odd places. The result is `[intermediate]`.
///
/// ```
/// use moe_kernels::reference::{Swiglu, swiglu};
///
/// let gpt_oss = Swiglu { alpha: 1.702, limit: 7.0 };
/// let h = swiglu(&[1.0, 2.0, 100.0, -100.0], gpt_oss)?;
/// assert!((h[0] - 3.0 / (1.0 + (-1.702f64).exp())).abs() < 1e-15);
/// assert!((h[1] + 42.0 / (1.0 + (-1.702f64 * 7.0).exp())).abs() < 1e-13);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn swiglu(u: &[f64], Swiglu { alpha, limit }: Swiglu) -> Result<Vec<f64>> {
    whole_rows("u of the reference swiglu", 2, u.len())?;
    let pairs = u.chunks_exact(2).map(|pair| (pair[0].min(limit), pair[1].max(-limit).min(limit)));
    Ok(pairs.map(|(gate, up)| gate / (1.0 + (-alpha * gate).exp()) * (up + 1.0)).collect())
}

/// `Σ weight · expert(x)` over the choices, in their order; `x` and the result are `[hidden]`.
///
/// ```
/// use moe_kernels::reference::{Choice, Expert, Swiglu, mixture};
///
/// let swiglu = Swiglu { alpha: 1.702, limit: 7.0 };
/// let zero = Expert {
///     gate_up: &[0.0, 0.0], gate_up_bias: &[0.0, 0.0], down: &[0.0], down_bias: &[8.0], swiglu,
/// };
/// let experts = [zero, Expert { down_bias: &[16.0], ..zero }];
/// let choices = [Choice { expert: 1, weight: 0.75 }, Choice { expert: 0, weight: 0.25 }];
/// assert_eq!(mixture(&[1.0], &choices, &experts)?, [14.0]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
pub fn mixture(x: &[f64], choices: &[Choice], experts: &[Expert<'_>]) -> Result<Vec<f64>> {
    let mut y = vec![0.0; x.len()];
    for (slot, choice) in choices.iter().enumerate() {
        let expert = experts.get(choice.expert).ok_or(Error::NoSuchExpert {
            row: 0,
            slot,
            expert: u32::try_from(choice.expert).unwrap_or(u32::MAX),
            experts: experts.len(),
        })?;
        let out = expert.forward(x)?;
        check("down projection of the reference mixture", x.len(), out.len())?;
        for (y, out) in y.iter_mut().zip(out) {
            *y += choice.weight * out;
        }
    }
    Ok(y)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::{Choice, Expert, Swiglu, mixture, swiglu};
    use crate::Error;

    const PLAIN: Swiglu = Swiglu { alpha: 0.0, limit: 7.0 };

    #[test]
    fn the_gate_is_clamped_above_only_and_up_on_both_sides() {
        // With alpha 0 an element is gate · ½ · (up + 1).
        let h = |gate, up| swiglu(&[gate, up], PLAIN).unwrap()[0];
        assert_eq!(h(8.0, 1.0), 7.0);
        assert_eq!(h(-8.0, 1.0), -8.0);
        assert_eq!(h(2.0, 8.0), 8.0);
        assert_eq!(h(2.0, -8.0), -6.0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let argument = "u of the reference swiglu";
        let odd = Error::Length { argument, expected: 4, found: 3 };
        assert_eq!(swiglu(&[0.0; 3], PLAIN), Err(odd));

        let expert = Expert {
            gate_up: &[0.0; 4],
            gate_up_bias: &[0.0; 2],
            down: &[0.0; 3],
            down_bias: &[0.0; 3],
            swiglu: PLAIN,
        };
        let mix = |expert_index| {
            let choice = Choice { expert: expert_index, weight: 1.0 };
            mixture(&[0.0; 2], &[choice], &[expert])
        };
        let argument = "down projection of the reference mixture";
        assert_eq!(mix(0), Err(Error::Length { argument, expected: 2, found: 3 }));
        assert_eq!(mix(1), Err(Error::NoSuchExpert { row: 0, slot: 0, expert: 1, experts: 1 }));
    }
}
