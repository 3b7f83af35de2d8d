use super::candidates::Candidate;

/// Step 9: the candidate in whose share of all weights `fraction` falls, in the order of ids.
///
/// `fraction` is in [0, 1). A candidate without weight is never drawn; 0 if there are no candidates.
pub(super) fn draw(candidates: &[Candidate], fraction: f64) -> u32 {
    let total: f64 = candidates.iter().map(|candidate| candidate.weight).sum();
    let target = fraction * total;
    let mut sum = 0.0;
    let mut last = 0;
    for candidate in candidates.iter().filter(|candidate| candidate.weight > 0.0) {
        sum += candidate.weight;
        last = candidate.id;
        if sum > target {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_fall_into_shares() {
        let weights = [(3, 0.0), (5, 1.0), (6, 0.0), (9, 3.0), (11, 0.0)];
        let candidates: Vec<_> =
            weights.map(|(id, weight)| Candidate { id, logit: 0.0, weight }).to_vec();
        let below_one = 1.0 - f64::EPSILON / 2.0;
        for (fraction, id) in [(0.0, 5), (0.249, 5), (0.25, 9), (0.9, 9), (below_one, 9)] {
            assert_eq!(draw(&candidates, fraction), id);
        }
    }
}
