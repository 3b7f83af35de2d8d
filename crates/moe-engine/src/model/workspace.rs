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
    pub(super) logits: B::Buffer,
}

impl<B: Backend> Workspace<B> {
    pub(super) fn new(backend: &B, config: &Config) -> Result<Self> {
        Ok(Self {
            x: backend.buffer(config.hidden)?,
            normed: backend.buffer(config.hidden)?,
            update: backend.buffer(config.hidden)?,
            query: backend.buffer(config.query_width())?,
            key: backend.buffer(config.kv_width())?,
            value: backend.buffer(config.kv_width())?,
            attended: backend.buffer(config.query_width())?,
            router: backend.buffer(config.experts)?,
            routing: backend.routing()?,
            scratch: backend.scratch()?,
            logits: backend.buffer(config.vocab)?,
        })
    }
}
