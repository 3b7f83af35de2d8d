//! How to open a checkpoint.

use std::path::{Path, PathBuf};

use super::{Checkpoint, assemble};
use crate::header::UPSTREAM_HEADER_LIMIT;
use crate::locate::{Files, locate};
use crate::source::Source;
use crate::{Result, Shard};

/// How to open a checkpoint.
///
/// ```no_run
/// use safeshards::OpenOptions;
///
/// let checkpoint = OpenOptions::new().mmap(false).open("gpt-oss-20b")?;
/// let mut first = [0; 2];
/// checkpoint.tensor("model.norm.weight")?.read_at(0, &mut first)?;
/// # Ok::<(), safeshards::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOptions {
    /// Whether bytes may be borrowed from mapped files; see [`Checkpoint`] on files that change.
    pub mmap: bool,
    /// The most bytes that a header may have.
    pub header_limit: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { mmap: true, header_limit: UPSTREAM_HEADER_LIMIT }
    }
}

impl OpenOptions {
    /// With mmap, and headers of up to 100 MB as the `safetensors` crate accepts them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether bytes may be borrowed from mapped files.
    #[must_use]
    pub fn mmap(mut self, mmap: bool) -> Self {
        self.mmap = mmap;
        self
    }

    /// Sets the most bytes that a header may have.
    #[must_use]
    pub fn header_limit(mut self, bytes: u64) -> Self {
        self.header_limit = bytes;
        self
    }

    /// Opens a checkpoint, as [`Checkpoint::open`] does.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Checkpoint> {
        let path = path.as_ref().to_owned();
        match locate(&path)? {
            Files::Index(index) => assemble::with_index(path, index, self),
            Files::Bare(files) => {
                let read = |(index, file)| self.shard(index, file);
                let shards = files.into_iter().enumerate().map(read).collect::<Result<_>>()?;
                assemble::without_index(path, shards)
            }
        }
    }

    pub(super) fn shard(&self, index: usize, file: PathBuf) -> Result<Shard> {
        Shard::read(index, Source::open(file, self.mmap)?, self.header_limit)
    }
}
