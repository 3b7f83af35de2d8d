use super::SamplingParams;
use super::history::History;

/// Steps 3 and 4: makes what was said before less likely.
///
/// The repetition penalty divides positive logits and multiplies the others, so that a penalty above 1
/// lowers both.
pub(super) fn apply(logits: &mut [f32], history: &History, params: &SamplingParams) {
    let SamplingParams { repetition_penalty, frequency_penalty, presence_penalty, .. } = *params;
    for (id, count) in history.counts() {
        let Some(logit) = logits.get_mut(id as usize) else {
            continue;
        };
        if *logit > 0.0 {
            *logit /= repetition_penalty;
        } else {
            *logit *= repetition_penalty;
        }
        if count > 0 {
            *logit -= frequency_penalty * count as f32 + presence_penalty;
        }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    #[test]
    fn each_penalty_has_its_tokens() {
        let mut history = History::default();
        history.prompt(0);
        history.prompt(1);
        history.generated(1);
        history.generated(2);
        history.generated(2);
        history.generated(99);
        let params = SamplingParams {
            repetition_penalty: 2.0,
            frequency_penalty: 0.25,
            presence_penalty: 1.0,
            ..SamplingParams::default()
        };
        let mut logits = [4.0, -4.0, 8.0, 5.0];
        apply(&mut logits, &history, &params);
        assert_eq!(logits, [2.0, -9.25, 2.5, 5.0]);

        let mut forbidden = [f32::NEG_INFINITY; 3];
        apply(&mut forbidden, &history, &params);
        assert_eq!(forbidden, [f32::NEG_INFINITY; 3]);
    }

    #[test]
    fn neutral_penalties_change_nothing() {
        let mut history = History::default();
        for id in 0..4 {
            history.generated(id);
        }
        let mut logits = [0.1, -0.7, 3.3e8, 1e-20];
        apply(&mut logits, &history, &SamplingParams::default());
        assert_eq!(logits, [0.1, -0.7, 3.3e8, 1e-20]);
    }
}
