//! What is odd about a checkpoint.

use std::fmt;
use std::path::PathBuf;

/// Something odd about a checkpoint that can be read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The `total_size` of the index is not the number of bytes in the tensors.
    ///
    /// Released checkpoints have this: tools that changed tensors and kept the index.
    TotalSize {
        /// The index.
        path: PathBuf,
        /// The value as written in the index.
        stated: String,
        /// Bytes of all tensors together.
        actual: u64,
    },
    /// Two shards give the same metadata key different values.
    Metadata {
        /// The key.
        key: String,
        /// The shard whose value was not taken.
        ignored: PathBuf,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TotalSize { path, stated, actual } => write!(
                f,
                "{} says that the tensors have {stated} bytes; they have {actual}",
                path.display()
            ),
            Self::Metadata { key, ignored } => write!(
                f,
                "the metadata `{key}` of {} contradicts an earlier shard and was ignored",
                ignored.display()
            ),
        }
    }
}
