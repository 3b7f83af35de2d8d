//! One of the sequences that are generated together.

use super::{Finish, Request, Step};
use crate::backend::Backend;
use crate::sampling::Sampler;
use crate::text::StopStrings;
use crate::tokenizer::{Detokenizer, Tokenizer};
use crate::{Error, Result, Session, Usage, Wanted};

/// What a model said of the next token.
#[derive(Debug)]
pub(super) enum Said {
    /// All logits; none before it has said anything.
    All(Vec<f32>),
    /// The greatest.
    Best(Vec<(u32, f32)>),
}

/// A session, what it goes on with, and how far it is.
#[derive(Debug)]
pub(super) struct Sequence<'m, B: Backend> {
    pub(super) session: Session<B>,
    /// The prompt, then the token that was generated last.
    pub(super) next: Vec<u32>,
    pub(super) finish: Option<Finish>,
    sampler: Sampler,
    stop_tokens: Vec<u32>,
    stop_strings: Vec<String>,
    stops: StopStrings,
    text: Option<Detokenizer<'m>>,
    generated: usize,
    max_new: usize,
}

impl<'m, B: Backend> Sequence<'m, B> {
    pub(super) fn new(session: Session<B>, request: Request, eos: &[u32]) -> Result<Self> {
        let mut sampler = Sampler::new(request.sampling, request.seed)?;
        sampler.accept_prompt(session.tokens());
        sampler.accept_prompt(&request.prompt);
        Ok(Self {
            session,
            next: request.prompt,
            finish: (request.max_new == 0).then_some(Finish::Length),
            sampler,
            stop_tokens: request.stop_tokens.unwrap_or_else(|| eos.to_vec()),
            stops: StopStrings::new(request.stop_strings.iter().cloned())?,
            stop_strings: request.stop_strings,
            text: None,
            generated: 0,
            max_new: request.max_new,
        })
    }

    pub(super) fn set_tokenizer(&mut self, tokenizer: &'m dyn Tokenizer) {
        self.text = Some(Detokenizer::new(tokenizer));
        self.sampler.limit_vocabulary(tokenizer.vocab_size());
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.text.is_none() && !self.stop_strings.is_empty() {
            let reason = "cannot be found without a tokenizer".to_owned();
            return Err(Error::Option { option: "stop_strings", reason });
        }
        Ok(())
    }

    /// What is needed of the last token's logits.
    pub(super) fn wanted(&self, vocab: usize, is_queued: bool) -> Wanted {
        // Where logits are in memory anyway, nothing is gained by choosing among them twice.
        match self.sampler.enough().filter(|_| is_queued) {
            None => Wanted::Last,
            Some(count) => {
                let below = self.sampler.vocabulary().map_or(vocab, |size| size.min(vocab));
                Wanted::Best { count, below }
            }
        }
    }

    /// The next token; the last one if after it the session would have more than `max_positions`.
    pub(super) fn step(
        &mut self,
        sequence: usize,
        said: &Said,
        max_positions: usize,
    ) -> Result<Step> {
        let sample = match said {
            Said::All(logits) => self.sampler.sample(logits)?,
            Said::Best(best) => self.sampler.sample_best(best)?,
        };
        let token = sample.id;
        self.sampler.accept(token);
        self.next = vec![token];
        let index = self.generated;
        self.generated += 1;
        let mut text = String::new();
        if self.stop_tokens.contains(&token) {
            self.finish = Some(Finish::StopToken(token));
        } else {
            let new = self.text.as_mut().map(|text| text.push(token)).unwrap_or_default();
            let step = self.stops.push(&new);
            text = step.text;
            let stopped = step.stopped.and_then(|stop| self.stop_strings.get(stop));
            self.finish = stopped.map(|stop| Finish::StopString(stop.clone()));
        }
        if self.finish.is_none() && self.generated == self.max_new {
            self.finish = Some(Finish::Length);
        }
        if self.finish.is_none() && self.session.len() >= max_positions {
            self.finish = Some(Finish::Context);
        }
        if matches!(self.finish, Some(Finish::Length | Finish::Context | Finish::StopToken(_))) {
            // What was held back can be no stop string any more, unless the rest of a character makes one.
            let rest = self.text.as_mut().map(Detokenizer::flush).unwrap_or_default();
            let step = self.stops.push(&rest);
            text += &step.text;
            if step.stopped.is_none() {
                text += &self.stops.flush();
            }
        }
        let (logprobs, finish) = (sample.logprobs, self.finish.clone());
        Ok(Step { sequence, index, token, logprobs, text, finish, usage: Usage::default() })
    }
}
