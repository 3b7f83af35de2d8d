//! How to write a checkpoint.

use std::collections::BTreeMap;

/// How to write a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterOptions {
    /// The most bytes of tensor data in a shard; `None` for a single file. See [`plan_shards`](crate::plan_shards).
    pub max_shard_size: Option<u64>,
    /// The `__metadata__` of every shard. Hugging Face libraries want `format` = `pt`.
    pub metadata: BTreeMap<String, String>,
    /// Whether files are synced before they get their names, so that a crash of the system
    /// leaves no half-written file either.
    pub sync: bool,
    /// Whether existing files of the same names are replaced.
    pub overwrite: bool,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self { max_shard_size: None, metadata: BTreeMap::new(), sync: true, overwrite: false }
    }
}

impl WriterOptions {
    /// A single file without metadata, synced, replacing nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most bytes of tensor data in a shard.
    #[must_use]
    pub fn max_shard_size(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.max_shard_size = bytes.into();
        self
    }

    /// Sets the `__metadata__` of every shard.
    #[must_use]
    pub fn metadata(mut self, metadata: BTreeMap<String, String>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Sets whether files are synced before they get their names.
    #[must_use]
    pub fn sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    /// Sets whether existing files of the same names are replaced.
    #[must_use]
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }
}
