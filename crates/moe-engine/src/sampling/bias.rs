use std::collections::BTreeMap;

use super::SamplingError;

/// Step 2: adds each id's bias to its logit.
pub(super) fn apply(logits: &mut [f32], bias: &BTreeMap<u32, f32>) -> Result<(), SamplingError> {
    let vocabulary = logits.len();
    for (&id, value) in bias {
        match logits.get_mut(id as usize) {
            Some(logit) => *logit += value,
            None => return Err(SamplingError::BiasOutOfRange { id, vocabulary }),
        }
    }
    Ok(())
}
