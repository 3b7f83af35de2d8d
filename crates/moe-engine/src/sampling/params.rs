use std::collections::BTreeMap;

use super::SamplingError;

/// Settings of a [`Sampler`](super::Sampler); the defaults draw from the model's own distribution.
///
/// That is also what gpt-oss is recommended to run with: temperature 1, top-p 1.
///
/// ```
/// use moe_engine::sampling::SamplingParams;
///
/// let params = SamplingParams { temperature: 0.7, top_k: Some(40), ..SamplingParams::default() };
/// params.validate()?;
/// assert!(SamplingParams { top_p: 0.0, ..params }.validate().is_err());
/// # Ok::<(), moe_engine::sampling::SamplingError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingParams {
    /// Divides the logits: below 1 sharpens, above 1 flattens, 0 is greedy. At least 0.
    pub temperature: f32,
    /// Keeps this many of the most likely tokens; `None` keeps all. At least 1.
    pub top_k: Option<usize>,
    /// Keeps the most likely tokens that hold this share of the probability. Above 0, at most 1.
    pub top_p: f32,
    /// Drops tokens less likely than this share of the most likely. 0 to 1.
    pub min_p: f32,
    /// Makes tokens of prompt and answer less likely (above 1) or more (below). Above 0.
    pub repetition_penalty: f32,
    /// Taken off a token's logit for every time it was generated. Finite.
    pub frequency_penalty: f32,
    /// Taken off a token's logit if it was generated. Finite.
    pub presence_penalty: f32,
    /// Added to the logits of these ids; -∞ forbids a token.
    pub logit_bias: BTreeMap<u32, f32>,
    /// How many tokens the tokenizer has; logits beyond are never chosen. `None`: as many as there
    /// are logits. gpt-oss has 201,088 logits and 200,019 tokens.
    pub vocabulary: Option<usize>,
    /// Gives log-probabilities of the chosen token and of this many most likely ones.
    pub logprobs: Option<usize>,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            logit_bias: BTreeMap::new(),
            vocabulary: None,
            logprobs: None,
        }
    }
}

impl SamplingParams {
    /// Always the most likely token.
    #[must_use]
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Whether every parameter is in its range.
    ///
    /// # Errors
    ///
    /// [`SamplingError::Parameter`] or [`SamplingError::Bias`] for the first that is not.
    pub fn validate(&self) -> Result<(), SamplingError> {
        let finite = |value: f32| value.is_finite();
        check("temperature", self.temperature, "a number from 0", |t| t.is_finite() && t >= 0.0)?;
        check("top_p", self.top_p, "a number above 0, at most 1", |p| p > 0.0 && p <= 1.0)?;
        check("min_p", self.min_p, "a number from 0 to 1", |p| (0.0..=1.0).contains(&p))?;
        check("repetition_penalty", self.repetition_penalty, "a number above 0", |r| {
            r.is_finite() && r > 0.0
        })?;
        check("frequency_penalty", self.frequency_penalty, "a finite number", finite)?;
        check("presence_penalty", self.presence_penalty, "a finite number", finite)?;
        if self.top_k == Some(0) {
            return check("top_k", 0.0, "a whole number from 1, or none", |_| false);
        }
        let faulty = self.logit_bias.iter().find(|(_, value)| not_a_logit(**value));
        faulty.map_or(Ok(()), |(&id, &value)| Err(SamplingError::Bias { id, value }))
    }
}

/// NaN and +∞ are no logits; -∞ is that of a token that cannot be chosen.
pub(super) fn not_a_logit(value: f32) -> bool {
    value.is_nan() || value == f32::INFINITY
}

fn check(
    name: &'static str,
    value: f32,
    expected: &'static str,
    is_in_range: impl FnOnce(f32) -> bool,
) -> Result<(), SamplingError> {
    if is_in_range(value) {
        return Ok(());
    }
    Err(SamplingError::Parameter { name, value: f64::from(value), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked() {
        let fine = SamplingParams::default();
        fine.validate().unwrap();
        SamplingParams::greedy().validate().unwrap();
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0];
        for value in odd {
            for (name, params) in [
                ("temperature", SamplingParams { temperature: value, ..fine.clone() }),
                ("top_p", SamplingParams { top_p: value, ..fine.clone() }),
                ("min_p", SamplingParams { min_p: value, ..fine.clone() }),
                (
                    "repetition_penalty",
                    SamplingParams { repetition_penalty: value, ..fine.clone() },
                ),
            ] {
                match params.validate() {
                    Err(SamplingError::Parameter { name: found, .. }) => assert_eq!(found, name),
                    other => panic!("{name} {value}: {other:?}"),
                }
            }
        }
        for params in [
            SamplingParams { top_k: Some(0), ..fine.clone() },
            SamplingParams { top_p: 0.0, ..fine.clone() },
            SamplingParams { top_p: 1.001, ..fine.clone() },
            SamplingParams { min_p: 1.001, ..fine.clone() },
            SamplingParams { repetition_penalty: 0.0, ..fine.clone() },
            SamplingParams { frequency_penalty: f32::NAN, ..fine.clone() },
            SamplingParams { presence_penalty: f32::INFINITY, ..fine.clone() },
            SamplingParams { logit_bias: BTreeMap::from([(1, f32::NAN)]), ..fine.clone() },
        ] {
            assert!(params.validate().is_err(), "{params:?}");
        }
        let ban = BTreeMap::from([(1, f32::NEG_INFINITY)]);
        SamplingParams { logit_bias: ban, ..fine }.validate().unwrap();
    }
}
