use super::candidates::{Candidate, sort_by_id};
use super::history::History;
use super::{
    Logprobs, Rng, SamplingError, SamplingParams, argmax, bias, draw, logprobs, min_p, penalties,
    temperature, top_k, top_p, vocabulary,
};

/// A chosen token.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The token.
    pub id: u32,
    /// Log-probabilities, if the parameters ask for them.
    pub logprobs: Option<Logprobs>,
}

/// Chooses tokens for one sequence.
///
/// [`sample`](Sampler::sample) chooses and [`accept`](Sampler::accept) remembers; they are separate so
/// that a caller can choose otherwise. A clone goes on exactly as the original would.
///
/// ```
/// use moe_engine::sampling::{Sampler, SamplingParams};
///
/// let logits = [0.5, 2.0, 1.0];
/// let mut greedy = Sampler::new(SamplingParams { logprobs: Some(2), ..SamplingParams::greedy() }, 0)?;
/// let sample = greedy.sample(&logits)?;
/// assert_eq!(sample.id, 1);
/// let logprobs = sample.logprobs.expect("they were asked for");
/// assert_eq!(logprobs.top.iter().map(|token| token.id).collect::<Vec<_>>(), [1, 2]);
///
/// let mut sampler = Sampler::new(SamplingParams::default(), 1)?;
/// let mut fork = sampler.clone();
/// assert_eq!(sampler.sample(&logits)?, fork.sample(&logits)?);
/// # Ok::<(), moe_engine::sampling::SamplingError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sampler {
    params: SamplingParams,
    rng: Rng,
    history: History,
    logits: Vec<f32>,
    candidates: Vec<Candidate>,
}

impl Sampler {
    /// A sampler with these parameters and the random numbers of this seed.
    ///
    /// # Errors
    ///
    /// As [`SamplingParams::validate`].
    pub fn new(params: SamplingParams, seed: u64) -> Result<Self, SamplingError> {
        Self::with_rng(params, Rng::new(seed))
    }

    /// A sampler that goes on with a generator, such as one saved with a session.
    ///
    /// # Errors
    ///
    /// As [`SamplingParams::validate`].
    pub fn with_rng(params: SamplingParams, rng: Rng) -> Result<Self, SamplingError> {
        params.validate()?;
        let history = History::default();
        Ok(Self { params, rng, history, logits: Vec::new(), candidates: Vec::new() })
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &SamplingParams {
        &self.params
    }

    /// Chooses no id at or above this one from now on, nor one that the parameters exclude.
    pub fn limit_vocabulary(&mut self, size: usize) {
        self.params.vocabulary = Some(self.params.vocabulary.map_or(size, |limit| limit.min(size)));
    }

    /// The generator as it stands, to be saved.
    #[must_use]
    pub fn rng(&self) -> &Rng {
        &self.rng
    }

    /// Remembers the prompt's tokens, for the repetition penalty.
    pub fn accept_prompt(&mut self, ids: &[u32]) {
        for id in ids {
            self.history.prompt(*id);
        }
    }

    /// Remembers a generated token, for all penalties.
    pub fn accept(&mut self, id: u32) {
        self.history.generated(id);
    }

    /// Forgets all tokens; the random numbers go on.
    pub fn clear_history(&mut self) {
        self.history.clear();
    }

    /// Chooses a token by a row of logits, one for each id.
    ///
    /// Draws one random number, or none at temperature 0 or in an error.
    ///
    /// # Errors
    ///
    /// [`SamplingError::Logit`] for NaN or +∞, [`SamplingError::NothingToChoose`] if no logit is above
    /// -∞, [`SamplingError::BiasOutOfRange`] for a bias of a token beyond the logits.
    pub fn sample(&mut self, logits: &[f32]) -> Result<Sample, SamplingError> {
        let Self { params, rng, history, logits: adjusted, candidates } = self;
        let logits = vocabulary::usable(logits, params.vocabulary)?;
        adjusted.clear();
        adjusted.extend_from_slice(logits);
        bias::apply(adjusted, &params.logit_bias)?;
        penalties::apply(adjusted, history, params);
        vocabulary::check(adjusted, "after bias and penalties")?;

        let id = if params.temperature == 0.0 {
            argmax::argmax(adjusted)
        } else {
            temperature::weigh(adjusted, params.temperature, candidates);
            if let Some(k) = params.top_k {
                top_k::apply(candidates, k);
            }
            top_p::apply(candidates, params.top_p);
            min_p::apply(candidates, params.min_p);
            draw::draw(candidates, rng.next_f64())
        };
        let logprobs = params.logprobs.map(|count| logprobs::logprobs(logits, id, count));
        Ok(Sample { id, logprobs })
    }

    /// How many of the greatest logits are enough for [`sample_best`](Self::sample_best); `None` if it takes all: for drawing without
    /// top-k, and for biases, penalties and log-probabilities.
    #[must_use]
    pub fn enough(&self) -> Option<usize> {
        let SamplingParams {
            temperature,
            top_k,
            repetition_penalty,
            frequency_penalty,
            presence_penalty,
            logit_bias,
            logprobs,
            ..
        } = &self.params;
        let changed = [repetition_penalty - 1.0, *frequency_penalty, *presence_penalty];
        let plain = changed.iter().all(|by| *by == 0.0) && logit_bias.is_empty();
        if !plain || logprobs.is_some() {
            return None;
        }
        if *temperature == 0.0 { Some(1) } else { top_k.filter(|&k| k <= MOST_BEST) }
    }

    /// The first id that is no token, if the parameters or the tokenizer say so.
    #[must_use]
    pub fn vocabulary(&self) -> Option<usize> {
        self.params.vocabulary
    }

    /// Chooses a token by the greatest logits alone, of ids below the [vocabulary's](Self::vocabulary) size, greatest first and
    /// [`enough`](Self::enough) of them: the same token as by all logits, and the same random number.
    ///
    /// # Errors
    ///
    /// [`SamplingError::Logit`] for NaN or +∞, [`SamplingError::NothingToChoose`] if no logit is above -∞.
    pub fn sample_best(&mut self, best: &[(u32, f32)]) -> Result<Sample, SamplingError> {
        let Self { params, rng, logits, candidates, .. } = self;
        logits.clear();
        logits.extend(best.iter().map(|(_, logit)| logit));
        vocabulary::check(logits, "as the model gave it")?;
        let id = if params.temperature == 0.0 {
            best[argmax::argmax(logits) as usize].0
        } else {
            temperature::weigh(logits, params.temperature, candidates);
            for candidate in candidates.iter_mut() {
                candidate.id = best[candidate.id as usize].0;
            }
            sort_by_id(candidates);
            if let Some(k) = params.top_k {
                top_k::apply(candidates, k);
            }
            top_p::apply(candidates, params.top_p);
            min_p::apply(candidates, params.min_p);
            draw::draw(candidates, rng.next_f64())
        };
        Ok(Sample { id, logprobs: None })
    }
}

/// More than so many are as well fetched all.
const MOST_BEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits with ties, the greatest of them greatest first.
    fn logits() -> (Vec<f32>, Vec<(u32, f32)>) {
        let logits: Vec<f32> = (0..200_u32).map(|at| (at * 37 % 101) as f32 / 8.0).collect();
        let mut best: Vec<_> = (0..).zip(logits.iter().copied()).collect();
        best.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        (logits, best)
    }

    #[test]
    fn the_greatest_are_enough() {
        let (logits, best) = logits();
        let drawn = |top_k| SamplingParams { top_k, top_p: 0.9, min_p: 0.01, ..Default::default() };
        for params in [SamplingParams::greedy(), drawn(Some(1)), drawn(Some(7)), drawn(Some(40))] {
            let mut of_all = Sampler::new(params, 3).unwrap();
            let mut of_best = of_all.clone();
            let enough = of_best.enough().unwrap();
            for _ in 0..200 {
                let one = of_all.sample(&logits).unwrap();
                assert_eq!(of_best.sample_best(&best[..enough]).unwrap(), one);
            }
        }
    }

    #[test]
    fn sometimes_all_are_needed() {
        let plain = SamplingParams { top_k: Some(5), ..Default::default() };
        let bias = [(1, 1.0)].into();
        for params in [
            SamplingParams::default(),
            SamplingParams { top_k: Some(5000), ..plain.clone() },
            SamplingParams { repetition_penalty: 1.1, ..plain.clone() },
            SamplingParams { presence_penalty: 0.1, ..plain.clone() },
            SamplingParams { logit_bias: bias, ..plain.clone() },
            SamplingParams { logprobs: Some(0), ..SamplingParams::greedy() },
        ] {
            assert_eq!(Sampler::new(params, 0).unwrap().enough(), None);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let mut sampler = Sampler::new(SamplingParams::greedy(), 0).unwrap();
        assert!(matches!(sampler.sample_best(&[(4, f32::NAN)]), Err(SamplingError::Logit { .. })));
        assert!(matches!(sampler.sample_best(&[]), Err(SamplingError::NothingToChoose { .. })));
    }
}
