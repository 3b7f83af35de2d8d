//! Tokens one after the other.
//!
//! [`Generation`] is an iterator over the tokens of one sequence, or of several that are computed together.
//!
//! ```
//! # let folder = testkit::Tiny::builder().build();
//! use moe_engine::sampling::SamplingParams;
//! use moe_engine::{Generation, Model, Options, Request};
//!
//! let model = Model::open(folder.path(), &Options::default())?;
//! let request = Request {
//!     sampling: SamplingParams { temperature: 0.8, ..SamplingParams::default() },
//!     seed: 7,
//!     max_new: 5,
//!     ..Request::new([1, 2, 3])
//! };
//! let mut generation = Generation::new(&model, [request])?;
//! for step in &mut generation {
//!     let step = step?;
//!     assert!((step.token as usize) < model.config().vocab);
//! }
//! assert!(generation.metrics().generated <= 5);
//! # Ok::<(), moe_engine::Error>(())
//! ```

mod cancel;
mod metrics;
mod request;
mod sequence;
mod step;

use std::collections::VecDeque;
use std::time::Instant;

use crate::backend::{Backend, Cpu};
use crate::tokenizer::Tokenizer;
use crate::{At, Error, Feed, Model, Observer, Result, Session};
use sequence::{Said, Sequence};

pub use cancel::CancelToken;
pub use metrics::Metrics;
pub use request::Request;
pub use step::{Finish, Step};

/// Continues sequences token by token until each has a reason to end.
///
/// The steps of a round come in the order of the sequences; what a sequence gets does not depend on the
/// others. An error ends the iteration, after the steps that were there before it.
#[derive(Debug)]
pub struct Generation<'m, B: Backend = Cpu> {
    model: &'m Model<B>,
    sequences: Vec<Sequence<'m, B>>,
    /// Of the last round, not yet given out.
    ready: VecDeque<Step>,
    /// What ended the last round, to be given after its steps.
    error: Option<Error>,
    failed: bool,
    cancel: CancelToken,
    metrics: Metrics,
}

impl<'m, B: Backend> Generation<'m, B> {
    /// New sequences.
    ///
    /// # Errors
    /// [`Error::Sampling`], [`Error::StopString`] and [`Error::Option`] for requests that cannot be; what is
    /// wrong with prompts shows at the first step.
    pub fn new(model: &'m Model<B>, requests: impl IntoIterator<Item = Request>) -> Result<Self> {
        let requests = requests.into_iter().map(|request| Ok((model.session()?, request)));
        Self::resume(model, requests.collect::<Result<Vec<_>>>()?)
    }

    /// Sessions that go on: a request's prompt is what comes after the session's tokens.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn resume(
        model: &'m Model<B>,
        sessions: impl IntoIterator<Item = (Session<B>, Request)>,
    ) -> Result<Self> {
        let sequences = sessions
            .into_iter()
            .map(|(session, request)| Sequence::new(session, request, &model.config().eos));
        Ok(Self {
            model,
            sequences: sequences.collect::<Result<_>>()?,
            ready: VecDeque::new(),
            error: None,
            failed: false,
            cancel: CancelToken::new(),
            metrics: Metrics::default(),
        })
    }

    /// Gives the steps text, stops at stop strings, and samples no id that the tokenizer does not have.
    #[must_use]
    pub fn with_tokenizer(mut self, tokenizer: &'m dyn Tokenizer) -> Self {
        for sequence in &mut self.sequences {
            sequence.set_tokenizer(tokenizer);
        }
        self
    }

    /// Ends with this token too.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancelToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Ends this generation from any thread, within a layer's time.
    #[must_use]
    pub fn cancel_token(&self) -> CancelToken {
        self.cancel.clone()
    }

    /// Times and counts so far.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Why a sequence ended; `None` while it goes on.
    #[must_use]
    pub fn finish(&self, sequence: usize) -> Option<&Finish> {
        self.sequences.get(sequence)?.finish.as_ref()
    }

    /// The sessions, to go on with later.
    ///
    /// The last token that was generated is not in its session: it is the first to continue with.
    #[must_use]
    pub fn into_sessions(self) -> Vec<Session<B>> {
        self.sequences.into_iter().map(|sequence| sequence.session).collect()
    }

    /// One more token of every sequence that has not ended.
    fn round(&mut self) -> Result<()> {
        if self.metrics.rounds == 0 {
            self.sequences.iter().try_for_each(Sequence::check)?;
        }
        let begin = Instant::now();
        let mut said: Vec<_> = self.sequences.iter().map(|_| Said::All(Vec::new())).collect();
        let (vocab, is_queued) = (self.model.config().vocab, self.model.backend().is_queued());
        let mut feeds = Vec::new();
        let mut order = Vec::new();
        for (index, sequence) in self.sequences.iter_mut().enumerate() {
            if sequence.finish.is_none() {
                order.push(index);
                let wanted = sequence.wanted(vocab, is_queued);
                feeds.push(Feed::new(&mut sequence.session, &sequence.next).wanted(wanted));
            }
        }
        if feeds.is_empty() {
            return Ok(());
        }
        let fed = feeds.iter().map(Feed::len).sum();
        let mut collect = Collect { said: &mut said, order: &order, cancel: &self.cancel };
        let usage = self.model.forward(&mut feeds, &mut collect)?;
        for index in order {
            let most = self.model.config().max_positions;
            let step = self.sequences[index].step(index, &said[index], most)?;
            self.ready.push_back(step);
        }
        if self.metrics.rounds == 0 {
            tracing::debug!(tokens = fed, seconds = begin.elapsed().as_secs_f64(), "prompts read");
        }
        self.metrics.add_round(fed, self.ready.len(), usage, begin.elapsed());
        if let Some(step) = self.ready.front_mut() {
            step.usage = usage;
        }
        Ok(())
    }

    fn cancel_all(&mut self) {
        for sequence in &mut self.sequences {
            sequence.finish.get_or_insert(Finish::Cancelled);
        }
    }
}

impl<B: Backend> Iterator for Generation<'_, B> {
    type Item = Result<Step>;

    fn next(&mut self) -> Option<Result<Step>> {
        if self.ready.is_empty() && !self.failed {
            let result =
                if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { self.round() };
            match result {
                Ok(()) => {}
                Err(Error::Cancelled) => self.cancel_all(),
                Err(error) => (self.error, self.failed) = (Some(error), true),
            }
        }
        let step = self.ready.pop_front().map(Ok);
        step.or_else(|| self.error.take().map(Err))
    }
}

/// Takes what the model says of each sequence's next token.
struct Collect<'a> {
    said: &'a mut [Said],
    /// The sequences of the call.
    order: &'a [usize],
    cancel: &'a CancelToken,
}

impl Observer for Collect<'_> {
    fn logits(&mut self, at: At, logits: &[f32]) {
        self.said[self.order[at.sequence]] = Said::All(logits.to_vec());
    }

    fn best(&mut self, at: At, best: &[(u32, f32)]) {
        self.said[self.order[at.sequence]] = Said::Best(best.to_vec());
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
