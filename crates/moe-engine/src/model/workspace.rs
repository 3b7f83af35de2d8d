//! The buffers of one call.

use crate::backend::Backend;
use crate::{Config, Result};

/// Activations on their way through the layers.
#[derive(Debug)]
pub(super) struct Workspace<B: Backend> {
    /// The residual stream, `[tokens, hidden]`.
    pub(super) x: B::Buffer,
    /// What a norm makes of it.
    pub(super) normed: B::Buffer,
    /// What is added to it.
    pub(super) update: B::Buffer,
    pub(super) query: B::Buffer,
    pub(super) key: B::Buffer,
    pub(super) value: B::Buffer,
    pub(super) attended: B::Buffer,
    pub(super) router: B::Buffer,
    pub(super) routing: B::Routing,
    pub(super) scratch: B::Scratch,
    /// Elsewhere while a batch goes through.
    pub(super) pass: Option<B::Pass>,
    pub(super) logits: B::Buffer,
}

impl<B: Backend> Workspace<B> {
    /// For batches of up to `rows` tokens, of which `logits_rows` go through the head together.
    pub(super) fn new(
        backend: &B,
        config: &Config,
        rows: usize,
        logits_rows: usize,
    ) -> Result<Self> {
        let [query, key, value] = backend.qkv_buffers(rows)?;
        let [attended, ..] = backend.qkv_buffers(rows)?;
        Ok(Self {
            x: backend.buffer(config.hidden, rows)?,
            normed: backend.buffer(config.hidden, rows)?,
            update: backend.buffer(config.hidden, rows)?,
            query,
            key,
            value,
            attended,
            router: backend.buffer(config.experts, rows)?,
            routing: backend.routing(rows)?,
            scratch: backend.scratch(rows)?,
            pass: Some(backend.pass(rows)?),
            logits: backend.buffer(config.vocab, logits_rows)?,
        })
    }
}
