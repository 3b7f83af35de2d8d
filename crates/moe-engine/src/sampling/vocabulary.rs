use super::SamplingError;
use super::params::not_a_logit;

/// Step 1: the logits that belong to tokens.
///
/// A model may have more rows than its tokenizer has tokens; those beyond are cut off, and what they
/// hold is not even looked at.
pub(super) fn usable(logits: &[f32], vocabulary: Option<usize>) -> Result<&[f32], SamplingError> {
    let size = vocabulary.unwrap_or(logits.len()).min(logits.len());
    let logits = logits.get(..size).unwrap_or_default();
    check(logits, "as the model gave it")?;
    Ok(logits)
}

/// Refuses NaN, +∞, and logits that leave nothing to choose.
pub(super) fn check(logits: &[f32], stage: &'static str) -> Result<(), SamplingError> {
    if let Some((id, value)) = (0..).zip(logits).find(|(_, value)| not_a_logit(**value)) {
        return Err(SamplingError::Logit { id, value: *value, stage });
    }
    if logits.iter().all(|value| *value == f32::NEG_INFINITY) {
        return Err(SamplingError::NothingToChoose { vocabulary: logits.len() });
    }
    Ok(())
}
