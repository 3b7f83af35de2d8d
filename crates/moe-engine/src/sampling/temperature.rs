use super::candidates::Candidate;

/// Step 5: every token whose logit is above -∞, with its weight at this temperature.
///
/// The greatest logit is taken off before the division, so that no temperature overflows.
pub(super) fn weigh(logits: &[f32], temperature: f32, candidates: &mut Vec<Candidate>) {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    candidates.clear();
    let possible = (0..).zip(logits).filter(|(_, logit)| **logit > f32::NEG_INFINITY);
    candidates.extend(possible.map(|(id, &logit)| {
        let scaled = (f64::from(logit) - f64::from(greatest)) / f64::from(temperature);
        Candidate { id, logit, weight: scaled.exp() }
    }));
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    #[test]
    fn any_temperature_gives_weights() {
        let logits = [f32::MAX, 1.0, f32::NEG_INFINITY, f32::MIN];
        for temperature in [f32::from_bits(1), 0.5, 1.0, f32::MAX] {
            let mut candidates = Vec::new();
            weigh(&logits, temperature, &mut candidates);
            let ids: Vec<_> = candidates.iter().map(|candidate| candidate.id).collect();
            assert_eq!(ids, [0, 1, 3]);
            assert_eq!(candidates[0].weight, 1.0);
            assert!(candidates.iter().all(|c| (0.0..=1.0).contains(&c.weight)));
        }
    }
}
