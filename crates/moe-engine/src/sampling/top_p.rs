use super::candidates::{Candidate, rank_first, sort_by_id};

/// Step 7: keeps the fewest first in rank whose weights sum to at least `p` of all weights.
pub(super) fn apply(candidates: &mut Vec<Candidate>, p: f32) {
    if p >= 1.0 {
        return;
    }
    let total: f64 = candidates.iter().map(|candidate| candidate.weight).sum();
    let wanted = total * f64::from(p);
    // Mostly few tokens hold nearly everything: rank few, and more only if they do not.
    let mut ranked = 64;
    loop {
        rank_first(candidates, ranked);
        let mut sum = 0.0;
        let reaches = |candidate: &Candidate| {
            sum += candidate.weight;
            sum >= wanted
        };
        if let Some(crossing) = candidates.iter().take(ranked).position(reaches) {
            candidates.truncate(crossing + 1);
            break;
        }
        if ranked >= candidates.len() {
            break;
        }
        ranked *= 8;
    }
    sort_by_id(candidates);
}
