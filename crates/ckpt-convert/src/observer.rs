//! Watching a conversion, and stopping it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// Is told how a conversion goes, from any of its threads.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use ckpt_convert::{Event, Observer};
///
/// #[derive(Debug, Default)]
/// struct Bytes(AtomicU64);
///
/// impl Observer for Bytes {
///     fn on(&self, event: &Event<'_>) {
///         if let Event::Advanced { bytes } = event {
///             self.0.fetch_add(*bytes, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observer: Debug + Sync {
    /// Something happened. Called often: return soon.
    fn on(&self, event: &Event<'_>);
}

/// Watches nothing.
impl Observer for () {
    fn on(&self, _: &Event<'_>) {}
}

/// What happens in a conversion.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A phase begins that has this many bytes to go through.
    Started {
        /// The phase.
        phase: Phase,
        /// Its bytes, those done in an earlier run included.
        bytes: u64,
    },
    /// So many more bytes of the phase are done.
    Advanced {
        /// How many.
        bytes: u64,
    },
    /// A tensor is complete.
    Tensor {
        /// Its name in the result.
        name: &'a str,
        /// The digest of its content.
        sha256: &'a str,
    },
    /// The phase is over.
    Finished {
        /// The phase.
        phase: Phase,
    },
}

/// The parts of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Reading, transforming, hashing and writing.
    Write,
    /// Reading back and comparing.
    Verify,
    /// Reading and hashing.
    Hash,
}

/// Stops a conversion from another thread.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Asks the conversion to stop. What it has written can be resumed.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True once [`CancelToken::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}
