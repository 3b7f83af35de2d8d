use std::cmp::Ordering;

/// A token that may be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) id: u32,
    pub(super) logit: f32,
    /// Its probability times a factor all candidates share; the greatest logit has 1.
    pub(super) weight: f64,
}

/// The greater logit first, of equal ones the lower id.
pub(super) fn by_rank(a: &Candidate, b: &Candidate) -> Ordering {
    // Logits are never NaN here; 0 and -0 are equal.
    b.logit.partial_cmp(&a.logit).unwrap_or(Ordering::Equal).then(a.id.cmp(&b.id))
}

/// Every step leaves its candidates in the order of ids.
pub(super) fn sort_by_id(candidates: &mut [Candidate]) {
    candidates.sort_unstable_by_key(|candidate| candidate.id);
}

/// Brings the first of all in rank, `count` of them, to the front and in order.
pub(super) fn rank_first(candidates: &mut [Candidate], count: usize) {
    let count = count.min(candidates.len());
    if count > 0 && count < candidates.len() {
        candidates.select_nth_unstable_by(count - 1, by_rank);
    }
    if let Some(first) = candidates.get_mut(..count) {
        first.sort_unstable_by(by_rank);
    }
}
