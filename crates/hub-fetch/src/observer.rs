//! Watching a download.

use std::fmt::Debug;
use std::time::Duration;

/// Is told how a download goes, from any of its threads.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use hub_fetch::{Event, Observer};
///
/// #[derive(Debug, Default)]
/// struct Bytes(AtomicU64);
///
/// impl Observer for Bytes {
///     fn on(&self, event: &Event<'_>) {
///         match event {
///             Event::Advanced { bytes } => self.0.fetch_add(*bytes, Ordering::Relaxed),
///             Event::Lost { bytes, .. } => self.0.fetch_sub(*bytes, Ordering::Relaxed),
///             _ => 0,
///         };
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

/// What happens in a download.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A phase begins that has this many bytes to go through.
    Started {
        /// The phase.
        phase: Phase,
        /// Its bytes, those that are there from an earlier run included.
        bytes: u64,
    },
    /// So many more bytes of the phase are done.
    Advanced {
        /// How many.
        bytes: u64,
    },
    /// Bytes that had come are thrown away and come again.
    Lost {
        /// The file.
        file: &'a str,
        /// How many.
        bytes: u64,
        /// Why.
        reason: &'a str,
    },
    /// A request failed and is made again after a wait.
    Retry {
        /// What was asked for, without query.
        url: &'a str,
        /// The file, or empty.
        file: &'a str,
        /// How it failed.
        reason: &'a str,
        /// How long is waited.
        wait: Duration,
    },
    /// A file is verified and has its name.
    File {
        /// Its name.
        name: &'a str,
    },
    /// The phase is over.
    Finished {
        /// The phase.
        phase: Phase,
    },
}

/// The parts of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Reading and hashing files that are there.
    Hash,
    /// Downloading, and hashing what came.
    Download,
}
