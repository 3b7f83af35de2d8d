use super::candidates::{Candidate, rank_first, sort_by_id};

/// Step 6: keeps the `k` first in rank.
pub(super) fn apply(candidates: &mut Vec<Candidate>, k: usize) {
    if k < candidates.len() {
        rank_first(candidates, k);
        candidates.truncate(k);
        sort_by_id(candidates);
    }
}
