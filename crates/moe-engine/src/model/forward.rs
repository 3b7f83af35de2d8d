//! Tokens through the layers.

use std::iter;
use std::ops::{AddAssign, Range};

use super::workspace::Workspace;
use super::{At, Layer, Model, Observer};
use crate::backend::{Backend, Batch, Cpu};
use crate::{Error, Result, Session};

/// Rows of logits that are computed together: 128 of gpt-oss-20b's are 103 MB.
pub(crate) const LOGITS_ROWS: usize = 128;

/// Which tokens' logits are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// None.
    Nothing,
    /// Those of the last token.
    #[default]
    Last,
    /// Those of every new token.
    All,
    /// The `count` greatest of the last token, of ids smaller than `below`: [`Observer::best`] is told. An accelerator then
    /// keeps all others to itself.
    Best {
        /// How many.
        count: usize,
        /// One more than the greatest id, for example the size of the tokenizer's vocabulary.
        below: usize,
    },
}

/// A session and the tokens that it goes on with.
#[derive(Debug)]
pub struct Feed<'a, B: Backend = Cpu> {
    session: &'a mut Session<B>,
    tokens: &'a [u32],
    wanted: Wanted,
}

impl<'a, B: Backend> Feed<'a, B> {
    /// New tokens for a session, of which the last one's logits are wanted.
    #[must_use]
    pub fn new(session: &'a mut Session<B>, tokens: &'a [u32]) -> Self {
        Self { session, tokens, wanted: Wanted::Last }
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Other logits than those of the last token.
    #[must_use]
    pub fn wanted(mut self, wanted: Wanted) -> Self {
        self.wanted = wanted;
        self
    }
}

/// What a call has read and computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens that went through the layers; more than were fed after a truncation that went far back.
    pub tokens: usize,
    /// Bytes of weights that were read: of each layer the chosen experts once a chunk, and all the rest.
    pub weight_bytes: u64,
    /// Bytes of keys and values that were read.
    pub kv_bytes: u64,
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.weight_bytes += other.weight_bytes;
        self.kv_bytes += other.kv_bytes;
    }
}

/// Some tokens of one sequence that go through the layers in a chunk.
struct Segment {
    /// Which feed.
    sequence: usize,
    /// Their rows in the buffers.
    rows: Range<usize>,
    /// The first one's position.
    position: usize,
}

impl<B: Backend> Model<B> {
    /// Continues a session and gives the logits after the last token, `[vocab]`.
    ///
    /// # Errors
    /// Those of [`forward`](Self::forward).
    pub fn evaluate(&self, session: &mut Session<B>, tokens: &[u32]) -> Result<Vec<f32>> {
        let mut last = Last(Vec::new());
        self.forward(&mut [Feed::new(session, tokens)], &mut last)?;
        Ok(last.0)
    }

    /// Continues any number of sessions, each with any number of tokens: long ones in chunks, short ones
    /// together. What a session gets does not depend on the others, nor on where a chunk ends.
    ///
    /// # Errors
    /// - [`Error::EmptyPrompt`], [`Error::Token`], [`Error::Context`], [`Error::Session`] before anything is
    ///   computed;
    /// - [`Error::NotFinite`] when a step gives NaN, [`Error::Cancelled`] when the observer says so.
    ///
    /// After an error the sessions have the tokens that they had before.
    pub fn forward(
        &self,
        feeds: &mut [Feed<'_, B>],
        observer: &mut (dyn Observer + Send),
    ) -> Result<Usage> {
        self.check(feeds)?;
        let mut workspace = self.borrow_workspace()?;
        let before: Vec<_> = feeds.iter().map(|feed| feed.session.len()).collect();
        for feed in feeds.iter_mut() {
            feed.session.tokens.extend_from_slice(feed.tokens);
        }
        let result = self.backend.run(|| self.chunks(feeds, &mut workspace, observer));
        self.return_workspace(workspace);
        if result.is_err() {
            for (feed, before) in feeds.iter_mut().zip(before) {
                feed.session.tokens.truncate(before);
                self.rewind(feed.session, before)?;
            }
        }
        result
    }

    /// Token ids that the model has an embedding for.
    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        let vocab = self.config.vocab;
        match tokens.iter().position(|&token| token as usize >= vocab) {
            Some(index) => Err(Error::Token { index, token: tokens[index], vocab }),
            None => Ok(()),
        }
    }

    fn check(&self, feeds: &[Feed<'_, B>]) -> Result<()> {
        for feed in feeds {
            self.check_session(feed.session)?;
            if feed.tokens.is_empty() {
                return Err(Error::EmptyPrompt);
            }
            self.check_tokens(feed.tokens)?;
            let (length, maximum) =
                (feed.session.len() + feed.tokens.len(), self.config.max_positions);
            if length > maximum {
                return Err(Error::Context { length, maximum });
            }
        }
        Ok(())
    }

    fn borrow_workspace(&self) -> Result<Workspace<B>> {
        let spare = self.workspaces.lock().ok().and_then(|mut workspaces| workspaces.pop());
        let rows = (self.chunk, self.chunk.min(LOGITS_ROWS));
        spare.map_or_else(|| Workspace::new(&self.backend, &self.config, rows.0, rows.1), Ok)
    }

    fn return_workspace(&self, workspace: Workspace<B>) {
        if let Ok(mut workspaces) = self.workspaces.lock() {
            workspaces.push(workspace);
        }
    }

    fn chunks(
        &self,
        feeds: &mut [Feed<'_, B>],
        workspace: &mut Workspace<B>,
        observer: &mut (dyn Observer + Send),
    ) -> Result<Usage> {
        let total: usize =
            feeds.iter().map(|feed| feed.session.len() - feed.session.evaluated).sum();
        let mut usage = Usage::default();
        while usage.tokens < total {
            let segments = self.segments(feeds);
            usage += self.chunk(feeds, &segments, workspace, observer)?;
            for segment in &segments {
                feeds[segment.sequence].session.evaluated += segment.rows.len();
            }
            observer.progress(usage.tokens, total);
        }
        Ok(usage)
    }

    /// As many tokens as a chunk takes, sequence after sequence.
    fn segments(&self, feeds: &[Feed<'_, B>]) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut row = 0;
        for (sequence, feed) in feeds.iter().enumerate() {
            let position = feed.session.evaluated;
            let count = (feed.session.len() - position).min(self.chunk - row);
            if count > 0 {
                segments.push(Segment { sequence, rows: row..row + count, position });
                row += count;
            }
        }
        segments
    }

    fn chunk(
        &self,
        feeds: &mut [Feed<'_, B>],
        segments: &[Segment],
        workspace: &mut Workspace<B>,
        observer: &mut (dyn Observer + Send),
    ) -> Result<Usage> {
        let at: Vec<_> = segments
            .iter()
            .flat_map(|segment| {
                let positions = segment.position..segment.position + segment.rows.len();
                let sequence = segment.sequence;
                positions.map(move |position| At { sequence, position })
            })
            .collect();
        let positions: Vec<_> = at.iter().map(|at| at.position).collect();
        let tokens: Vec<_> =
            at.iter().map(|at| feeds[at.sequence].session.tokens[at.position]).collect();
        let sequences: Vec<_> = segments.iter().map(|segment| segment.rows.clone()).collect();
        let watched = observer.wants_hidden() || observer.wants_routing();
        let batch =
            Batch { tokens: &tokens, positions: &positions, sequences: &sequences, watched };
        // Where a recorded batch is run again, nobody asks in between.
        if self.backend.is_queued() && observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let pass = workspace.pass.take();
        let mut pass = pass.map_or_else(|| self.backend.pass(self.chunk), Ok)?;
        let mut caches = caches(feeds, segments);
        let backend = &self.backend;
        let outcome = backend.begin(&mut pass, &batch, &mut caches).and_then(|()| {
            backend
                .through(&mut pass, |pass| self.layers(pass, &mut caches, &at, workspace, observer))
        });
        drop(caches);
        let outcome = outcome.and_then(|()| {
            // A queue is waited for once, where the logits are read.
            if !backend.is_queued() {
                self.check_finite("the last layer", &workspace.x, &at)?;
            }
            self.logits(feeds, &at, &mut pass, workspace, observer)
        });
        let mut usage = Usage { tokens: at.len(), ..Usage::default() };
        tracing::trace!(tokens = at.len(), sequences = segments.len(), "through the layers");
        for (index, layer) in self.layers.iter().enumerate() {
            usage.weight_bytes += self.layer_bytes(index, layer, &pass);
            usage.kv_bytes += self.kv_read(index, segments);
        }
        workspace.pass = Some(pass);
        usage.weight_bytes += outcome?;
        Ok(usage)
    }

    /// All that a pass consists of.
    fn layers(
        &self,
        pass: &mut B::Pass,
        caches: &mut [&mut B::Cache],
        at: &[At],
        workspace: &mut Workspace<B>,
        observer: &mut (dyn Observer + Send),
    ) -> Result<()> {
        let backend = &self.backend;
        backend.embed(pass, &self.embedding, &mut workspace.x)?;
        for (index, layer) in self.layers.iter().enumerate() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let Workspace { x, normed, update, .. } = workspace;
            // What a layer adds to the stream is added with the norm that follows.
            if index == 0 {
                backend.rms_norm(x, &layer.input_norm, normed)?;
            } else {
                backend.add_rms_norm(x, update, &layer.input_norm, normed)?;
            }
            self.show_hidden(index, at, workspace, observer)?;
            self.attention(index, layer, pass, caches, workspace)?;
            let Workspace { x, normed, update, .. } = workspace;
            backend.add_rms_norm(x, update, &layer.post_attention_norm, normed)?;
            self.experts(index, layer, pass, at, workspace, observer)?;
        }
        let Workspace { x, update, .. } = workspace;
        if !self.layers.is_empty() {
            backend.add(x, update)?;
        }
        self.show_hidden(self.layers.len(), at, workspace, observer)
    }

    /// `update = attention(normed)`.
    fn attention(
        &self,
        index: usize,
        layer: &Layer<B>,
        pass: &mut B::Pass,
        caches: &mut [&mut B::Cache],
        workspace: &mut Workspace<B>,
    ) -> Result<()> {
        let backend = &self.backend;
        let Workspace { normed, update, query, key, value, attended, .. } = workspace;
        backend.qkv(normed, &layer.qkv, [&mut *query, &mut *key, &mut *value])?;
        backend.rope(pass, query, key)?;
        let qkv = [&*query, &*key, &*value];
        backend.attention(pass, index, qkv, caches, &layer.sinks, attended)?;
        backend.linear(attended, &layer.output, update)
    }

    /// `update = experts(normed)`.
    fn experts(
        &self,
        index: usize,
        layer: &Layer<B>,
        pass: &mut B::Pass,
        at: &[At],
        workspace: &mut Workspace<B>,
        observer: &mut (dyn Observer + Send),
    ) -> Result<()> {
        let backend = &self.backend;
        let Workspace { normed, update, router, routing, scratch, .. } = workspace;
        backend.linear(normed, &layer.router, router)?;
        if !backend.is_queued() {
            self.check_finite(&format!("the router of layer {index}"), router, at)?;
        }
        backend.route(pass, router, self.config.experts_per_token, routing)?;
        if observer.wants_routing() {
            let logits = backend.read(router)?;
            let (experts, weights) = backend.read_routing(routing)?;
            let chosen = self.config.experts_per_token;
            let choices = experts.chunks(chosen).zip(weights.chunks(chosen));
            let rows = at.iter().zip(logits.chunks(self.config.experts)).zip(choices);
            for ((&at, logits), (experts, weights)) in rows {
                observer.routing(index, at, logits, experts, weights);
            }
        }
        backend.moe_ffn(normed, &layer.experts, routing, scratch, update)
    }

    /// Bytes of a layer's weights that a pass has read.
    fn layer_bytes(&self, index: usize, layer: &Layer<B>, pass: &B::Pass) -> u64 {
        let backend = &self.backend;
        let dense = [&layer.output, &layer.router].map(|weights| backend.linear_bytes(weights));
        let experts = backend.experts_chosen(pass, index) as u64;
        dense.iter().sum::<u64>()
            + backend.qkv_bytes(&layer.qkv)
            + experts * backend.expert_bytes(&layer.experts)
    }

    /// Bytes of keys and values of a layer that these segments have read.
    fn kv_read(&self, index: usize, segments: &[Segment]) -> u64 {
        let window = self.config.window(index).unwrap_or(usize::MAX);
        let keys = segments.iter().map(|segment| {
            let seen = segment.position + segment.rows.len();
            seen.min(window.saturating_add(segment.rows.len() - 1))
        });
        keys.sum::<usize>() as u64 * self.kv_bytes_per_layer()
    }

    /// The wanted logits of a chunk; gives the bytes of weights that were read.
    fn logits(
        &self,
        feeds: &[Feed<'_, B>],
        at: &[At],
        pass: &mut B::Pass,
        workspace: &mut Workspace<B>,
        observer: &mut (dyn Observer + Send),
    ) -> Result<u64> {
        let wanted = |at: &At| {
            let feed = &feeds[at.sequence];
            let end = feed.session.len();
            match feed.wanted {
                Wanted::Nothing => false,
                Wanted::Last | Wanted::Best { .. } => at.position + 1 == end,
                Wanted::All => at.position + feed.tokens.len() >= end,
            }
        };
        let mut rows: Vec<_> =
            iter::zip(0.., at).filter(|(_, at)| wanted(at)).map(|(row, _)| row).collect();
        // Rows that want the same are next to each other, in their order.
        let kind = |row: &usize| match feeds[at[*row].sequence].wanted {
            Wanted::Best { count, below } => Some((count, below.min(self.config.vocab))),
            _ => None,
        };
        rows.sort_by_key(kind);
        let backend = &self.backend;
        let Workspace { x, normed, update, logits, .. } = workspace;
        let mut bytes = 0;
        for same in rows.chunk_by(|left, right| kind(left) == kind(right)) {
            for rows in same.chunks(LOGITS_ROWS.min(self.chunk)) {
                backend.gather(pass, x, rows, update)?;
                backend.rms_norm(update, &self.norm, normed)?;
                backend.linear(normed, &self.head, logits)?;
                bytes += backend.linear_bytes(&self.head);
                let at: Vec<_> = rows.iter().map(|&row| at[row]).collect();
                match kind(&rows[0]) {
                    Some((count, below)) => self.show_best(logits, count, below, &at, observer)?,
                    None => self.show_logits(logits, &at, observer)?,
                }
            }
        }
        Ok(bytes)
    }

    fn show_logits(
        &self,
        logits: &B::Buffer,
        at: &[At],
        observer: &mut (dyn Observer + Send),
    ) -> Result<()> {
        let values = self.backend.read(logits)?;
        for (&at, values) in at.iter().zip(values.chunks(self.config.vocab)) {
            if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
                return Err(not_finite("the head", value, at));
            }
            observer.logits(at, values);
        }
        Ok(())
    }

    fn show_best(
        &self,
        logits: &B::Buffer,
        count: usize,
        below: usize,
        at: &[At],
        observer: &mut (dyn Observer + Send),
    ) -> Result<()> {
        let rows = self.backend.best(logits, count, below)?;
        for (&at, best) in at.iter().zip(&rows) {
            if let Some(&(_, value)) = best.iter().find(|(_, value)| !value.is_finite()) {
                return Err(not_finite("the head", value, at));
            }
            observer.best(at, best);
        }
        Ok(())
    }

    fn show_hidden(
        &self,
        layer: usize,
        at: &[At],
        workspace: &Workspace<B>,
        observer: &mut (dyn Observer + Send),
    ) -> Result<()> {
        if observer.wants_hidden() {
            let hidden = self.backend.read(&workspace.x)?;
            for (&at, hidden) in at.iter().zip(hidden.chunks(self.config.hidden)) {
                observer.hidden(layer, at, hidden);
            }
        }
        Ok(())
    }

    fn check_finite(&self, step: &str, buffer: &B::Buffer, at: &[At]) -> Result<()> {
        let Some((row, value)) = self.backend.first_not_finite(buffer)? else { return Ok(()) };
        let at = at.get(row).copied().unwrap_or(At { sequence: 0, position: 0 });
        Err(not_finite(step, value, at))
    }
}

fn not_finite(step: &str, value: f32, At { sequence, position }: At) -> Error {
    Error::NotFinite { step: step.to_owned(), value, sequence, position }
}

/// The caches of the feeds that have a segment, in the order of the segments.
fn caches<'a, B: Backend>(
    feeds: &'a mut [Feed<'_, B>],
    segments: &[Segment],
) -> Vec<&'a mut B::Cache> {
    let in_batch = |sequence: usize| segments.iter().any(|segment| segment.sequence == sequence);
    let feeds = feeds.iter_mut().enumerate().filter(|(sequence, _)| in_batch(*sequence));
    feeds.map(|(_, feed)| &mut feed.session.cache).collect()
}

/// Keeps the last logits.
struct Last(Vec<f32>);

impl Observer for Last {
    fn logits(&mut self, _: At, logits: &[f32]) {
        self.0 = logits.to_vec();
    }
}
