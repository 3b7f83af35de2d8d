//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why nothing could be measured, or an earlier report not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A case that cannot be run.
    #[error("{what} {reason}")]
    Case {
        /// Which number of it.
        what: &'static str,
        /// What is wrong with it, and what was expected.
        reason: String,
    },
    /// The model failed.
    #[error(transparent)]
    Model(#[from] moe_engine::Error),
    /// A report could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The report.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is no report of this crate.
    #[error("{} is no benchmark report: {reason}", path.display())]
    NoReport {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where in the text.
        reason: String,
    },
}
