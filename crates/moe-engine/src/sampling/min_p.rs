use super::candidates::Candidate;

/// Step 8: keeps what has at least `p` times the greatest weight.
///
/// The greatest weight is 1, and no step before drops the token that has it.
pub(super) fn apply(candidates: &mut Vec<Candidate>, p: f32) {
    candidates.retain(|candidate| candidate.weight >= f64::from(p));
}
