//! Tokens through the layers.

use std::iter;
use std::ops::{AddAssign, Range};

use super::workspace::Workspace;
use super::{At, Layer, Model, Observer};
use crate::backend::{Backend, Cpu};
use crate::{Error, Result, Session};

/// Rows of logits that are computed together: 128 of gpt-oss-20b's are 103 MB.
const LOGITS_ROWS: usize = 128;

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
        spare.map_or_else(|| Workspace::new(&self.backend, &self.config), Ok)
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
        let mut usage = Usage { tokens: tokens.len(), ..Usage::default() };
        self.backend.embed(&self.embedding, &tokens, &mut workspace.x)?;
        self.show_hidden(0, &at, workspace, observer)?;
        for (index, layer) in self.layers.iter().enumerate() {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            usage.kv_bytes +=
                self.attention(index, layer, feeds, segments, &positions, workspace)?;
            usage.weight_bytes += self.experts(index, layer, &at, workspace, observer)?;
            self.show_hidden(index + 1, &at, workspace, observer)?;
        }
        self.check_finite("the last layer", &workspace.x, &at)?;
        usage.weight_bytes += self.logits(feeds, &at, workspace, observer)?;
        Ok(usage)
    }

    /// `x += attention(norm(x))`; gives the bytes of keys and values that were read.
    fn attention(
        &self,
        index: usize,
        layer: &Layer<B>,
        feeds: &mut [Feed<'_, B>],
        segments: &[Segment],
        positions: &[usize],
        workspace: &mut Workspace<B>,
    ) -> Result<u64> {
        let backend = &self.backend;
        let Workspace { x, normed, update, query, key, value, attended, .. } = workspace;
        backend.rms_norm(x, &layer.input_norm, normed)?;
        let weights = [&layer.query, &layer.key, &layer.value];
        backend.qkv(normed, weights, [&mut *query, &mut *key, &mut *value])?;
        backend.rope(positions, query)?;
        backend.rope(positions, key)?;
        backend.resize(attended, positions.len())?;
        let mut keys = 0;
        for segment in segments {
            let Some(cache) = feeds[segment.sequence].session.caches.get_mut(index) else {
                continue;
            };
            backend.append_kv(cache, key, value, segment.rows.clone())?;
            backend.attend(query, segment.rows.clone(), cache, &layer.sinks, attended)?;
            let seen = segment.position + segment.rows.len();
            let window = self.config.window(index).unwrap_or(usize::MAX);
            keys += seen.min(window.saturating_add(segment.rows.len() - 1));
        }
        backend.linear(attended, &layer.output, update)?;
        backend.add(x, update)?;
        Ok(keys as u64 * self.kv_bytes_per_layer())
    }

    /// `x += experts(norm(x))`; gives the bytes of all weights of the layer that were read.
    fn experts(
        &self,
        index: usize,
        layer: &Layer<B>,
        at: &[At],
        workspace: &mut Workspace<B>,
        observer: &mut (dyn Observer + Send),
    ) -> Result<u64> {
        let backend = &self.backend;
        let Workspace { x, normed, update, router, routing, scratch, .. } = workspace;
        backend.rms_norm(x, &layer.post_attention_norm, normed)?;
        backend.linear(normed, &layer.router, router)?;
        self.check_finite(&format!("the router of layer {index}"), router, at)?;
        backend.route(router, self.config.experts_per_token, routing)?;
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
        backend.moe_ffn(normed, &layer.experts, routing, scratch, update)?;
        backend.add(x, update)?;
        let dense = [&layer.query, &layer.key, &layer.value, &layer.output, &layer.router];
        let dense: u64 = dense.into_iter().map(|weights| backend.linear_bytes(weights)).sum();
        let experts = backend.experts_chosen(routing)? as u64;
        Ok(dense + experts * backend.expert_bytes(&layer.experts))
    }

    /// The wanted logits of a chunk; gives the bytes of weights that were read.
    fn logits(
        &self,
        feeds: &[Feed<'_, B>],
        at: &[At],
        workspace: &mut Workspace<B>,
        observer: &mut (dyn Observer + Send),
    ) -> Result<u64> {
        let wanted = |at: &At| {
            let feed = &feeds[at.sequence];
            let end = feed.session.len();
            match feed.wanted {
                Wanted::Nothing => false,
                Wanted::Last => at.position + 1 == end,
                Wanted::All => at.position + feed.tokens.len() >= end,
            }
        };
        let rows: Vec<_> =
            iter::zip(0.., at).filter(|(_, at)| wanted(at)).map(|(row, _)| row).collect();
        let backend = &self.backend;
        let Workspace { x, normed, update, logits, .. } = workspace;
        let mut bytes = 0;
        for rows in rows.chunks(LOGITS_ROWS) {
            backend.gather(x, rows, update)?;
            backend.rms_norm(update, &self.norm, normed)?;
            backend.linear(normed, &self.head, logits)?;
            bytes += backend.linear_bytes(&self.head);
            let at: Vec<_> = rows.iter().map(|&row| at[row]).collect();
            self.check_finite("the head", logits, &at)?;
            let values = backend.read(logits)?;
            for (&at, values) in at.iter().zip(values.chunks(self.config.vocab)) {
                observer.logits(at, values);
            }
        }
        Ok(bytes)
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
        let At { sequence, position } =
            at.get(row).copied().unwrap_or(At { sequence: 0, position: 0 });
        Err(Error::NotFinite { step: step.to_owned(), value, sequence, position })
    }
}

/// Keeps the last logits.
struct Last(Vec<f32>);

impl Observer for Last {
    fn logits(&mut self, _: At, logits: &[f32]) {
        self.0 = logits.to_vec();
    }
}
