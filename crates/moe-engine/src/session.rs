//! One sequence: its tokens, and what the layers have kept of them.

mod file;

use std::path::Path;

use crate::backend::{Backend, Cpu};
use crate::{Error, Model, Result};

/// A sequence that goes on: its tokens so far with the keys and values of every layer.
///
/// Sliding layers keep little more than their window, full layers everything:
/// [`Model::kv_bytes_per_token`] says how much. A [`fork`](Self::fork) shares what is there until either goes
/// on, so one prefix can be continued many times.
///
/// ```
/// # let folder = testkit::Tiny::builder().build();
/// use moe_engine::{Model, Options};
///
/// let model = Model::open(folder.path(), &Options::default())?;
/// let mut session = model.session()?;
/// model.evaluate(&mut session, &[1, 2, 3])?;
/// let mut fork = session.fork();
/// let one = model.evaluate(&mut session, &[4])?;
/// let other = model.evaluate(&mut fork, &[5])?;
/// assert_ne!(one, other);
/// assert_eq!(fork.tokens(), [1, 2, 3, 5]);
/// # Ok::<(), moe_engine::Error>(())
/// ```
#[derive(Debug)]
pub struct Session<B: Backend = Cpu> {
    /// Of which model the keys and values are.
    pub(crate) model: u64,
    pub(crate) tokens: Vec<u32>,
    /// How many of the tokens are in the caches.
    pub(crate) evaluated: usize,
    pub(crate) cache: B::Cache,
}

impl<B: Backend> Session<B> {
    /// The tokens so far.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// How many of the tokens need no computing any more; fewer than [`len`](Self::len) after a
    /// [truncation](Model::truncate) that went far back.
    #[must_use]
    pub fn evaluated(&self) -> usize {
        self.evaluated
    }

    /// How many tokens at the beginning are the same as in `tokens`.
    #[must_use]
    pub fn common_prefix(&self, tokens: &[u32]) -> usize {
        self.tokens.iter().zip(tokens).take_while(|(one, other)| one == other).count()
    }

    /// Another session that continues from here; keys and values are shared, not copied.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            model: self.model,
            tokens: self.tokens.clone(),
            evaluated: self.evaluated,
            cache: self.cache.clone(),
        }
    }
}

impl<B: Backend> Model<B> {
    /// A session without tokens.
    ///
    /// # Errors
    /// When the device has no space for it.
    pub fn session(&self) -> Result<Session<B>> {
        let cache = self.backend.cache()?;
        Ok(Session { model: self.fingerprint, tokens: Vec::new(), evaluated: 0, cache })
    }

    /// Forgets the tokens from `len` on.
    ///
    /// Free while the sliding layers still hold what the next token sees: always up to the length of the
    /// window, afterwards for a few tokens at the end. Beyond that the remaining tokens are computed again with the
    /// next ones; where this is foreseeable, a [fork](Session::fork) taken at `len` is cheaper.
    ///
    /// # Errors
    /// [`Error::Session`] when the session is of another model, or shorter than `len`.
    pub fn truncate(&self, session: &mut Session<B>, len: usize) -> Result<()> {
        self.check_session(session)?;
        if len > session.len() {
            let reason = format!("cannot truncate {} tokens to {len}", session.len());
            return Err(Error::Session { reason });
        }
        session.tokens.truncate(len);
        self.rewind(session, len)
    }

    /// Makes the caches hold no more than `len` positions, none where they cannot go back that far.
    pub(crate) fn rewind(&self, session: &mut Session<B>, len: usize) -> Result<()> {
        // After a failure some layers may be ahead of the others.
        session.evaluated = len.min(session.evaluated);
        if !self.backend.truncate(&mut session.cache, session.evaluated)? {
            session.cache = self.backend.cache()?;
            session.evaluated = 0;
        }
        Ok(())
    }

    /// Writes a session to a file, from which [`load_session`](Self::load_session) continues without computing
    /// anything again. It is a safetensors file; it appears under its name only when it is complete.
    ///
    /// # Errors
    /// [`Error::Safetensors`] when it cannot be written.
    pub fn save_session(&self, session: &Session<B>, path: impl AsRef<Path>) -> Result<()> {
        self.check_session(session)?;
        file::save(self, session, path.as_ref())
    }

    /// Reads a session that was saved with this model at the same precision.
    ///
    /// # Errors
    /// [`Error::SessionFile`] when it is of another model or precision or damaged, [`Error::Safetensors`] when
    /// it cannot be read.
    pub fn load_session(&self, path: impl AsRef<Path>) -> Result<Session<B>> {
        file::load(self, path.as_ref())
    }

    pub(crate) fn check_session(&self, session: &Session<B>) -> Result<()> {
        if session.model == self.fingerprint {
            return Ok(());
        }
        Err(Error::Session { reason: "the session is of another model or precision".to_owned() })
    }
}
