use super::candidates::Candidate;
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
}
