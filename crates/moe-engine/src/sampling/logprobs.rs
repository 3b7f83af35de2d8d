use std::cmp::Ordering;

/// Log-probabilities the model gave, before bias, penalties and temperature.
///
/// They are of the tokens the tokenizer has: rows beyond have no share.
#[derive(Debug, Clone, PartialEq)]
pub struct Logprobs {
    /// The token that was chosen.
    pub chosen: TokenLogprob,
    /// The most likely tokens, as many as asked for (if there are as many), most likely first; of
    /// equal ones the lower id first.
    pub top: Vec<TokenLogprob>,
}

/// One token's log-probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub id: u32,
    /// Natural logarithm of its probability; -∞ for one that the model excludes.
    pub logprob: f64,
    /// Its place among all tokens, 1 for the most likely.
    pub rank: usize,
}

/// The log-probabilities of `chosen` and of the `count` most likely tokens.
pub(super) fn logprobs(logits: &[f32], chosen: u32, count: usize) -> Logprobs {
    let greatest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - greatest).exp()).sum();
    let log_of_sum = greatest + sum.ln();
    let logit_of = |id: u32| logits.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY);
    let by_rank = |a: &u32, b: &u32| {
        let order = logit_of(*b).partial_cmp(&logit_of(*a)).unwrap_or(Ordering::Equal);
        order.then(a.cmp(b))
    };
    let token = |id: u32, rank: usize| TokenLogprob {
        id,
        logprob: f64::from(logit_of(id)) - log_of_sum,
        rank,
    };

    let before = (0..).zip(logits).filter(|(id, _)| by_rank(id, &chosen) == Ordering::Less);
    let chosen = token(chosen, before.count() + 1);
    let mut ids: Vec<u32> = (0..).zip(logits).map(|(id, _)| id).collect();
    if count > 0 && count < ids.len() {
        ids.select_nth_unstable_by(count - 1, by_rank);
    }
    ids.truncate(count);
    ids.sort_unstable_by(by_rank);
    Logprobs { chosen, top: ids.into_iter().zip(1..).map(|(id, rank)| token(id, rank)).collect() }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_in_order() {
        let logits = [1.0, 3.0, f32::NEG_INFINITY, 3.0, 2.0];
        let all = logprobs(&logits, 4, 9);
        let ids: Vec<_> = all.top.iter().map(|token| token.id).collect();
        assert_eq!(ids, [1, 3, 4, 0, 2]);
        assert_eq!(all.top.iter().map(|token| token.rank).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        let sum: f64 = all.top.iter().map(|token| token.logprob.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-15);
        assert_eq!(all.chosen, all.top[2]);
        assert_eq!(all.top[4].logprob, f64::NEG_INFINITY);
        for count in 0..5 {
            assert_eq!(logprobs(&logits, 4, count).top, all.top[..count]);
        }
    }

    #[test]
    fn extreme_logits_do_not_overflow() {
        let all = logprobs(&[f32::MAX, f32::MIN, 0.0], 0, 1);
        assert_eq!(all.chosen.logprob, 0.0);
    }
}
