//! A whole checkpoint: its shards, and every tensor by name.

mod assemble;
mod near;
mod options;
mod warning;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use options::OpenOptions;
pub use warning::Warning;

use crate::header::UPSTREAM_HEADER_LIMIT;
use crate::source::Source;
use crate::{Bytes, Error, Result, Shard, TensorRef};

/// An open checkpoint of one or more safetensors files.
///
/// Opening reads the headers alone, so it takes milliseconds whatever the size of the checkpoint.
///
/// # Files that change
/// Tensor bytes are borrowed from a mapping of the file. If somebody truncates the file meanwhile,
/// touching the lost pages ends the process (`SIGBUS`); if somebody writes into it, `&[u8]` that
/// Rust holds to be constant changes, which is undefined behaviour. No library can prevent this.
/// Checkpoints are written once, and tools that replace files by renaming (as [`ShardWriter`] and
/// the Hugging Face cache do) are harmless. Where you cannot trust that, open with
/// [`OpenOptions::mmap`]`(false)` and use [`TensorRef::read_at`] or [`TensorRef::to_bytes`].
///
/// [`ShardWriter`]: crate::ShardWriter
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    index_path: Option<PathBuf>,
    shards: Vec<Shard>,
    /// Sorted by name.
    tensors: Vec<Place>,
    metadata: BTreeMap<String, String>,
    warnings: Vec<Warning>,
}

/// Where a tensor is: its shard, and its position in that shard's file order.
#[derive(Clone, Copy, Debug)]
struct Place {
    shard: usize,
    tensor: usize,
}

impl Checkpoint {
    /// Opens a checkpoint with the default [`OpenOptions`].
    ///
    /// `path` is a directory, an index (`*.json`) or one safetensors file. Of a directory, its only
    /// `*.safetensors.index.json` counts; without an index, all its `*.safetensors` files together.
    /// Hidden files are ignored. Symbolic links are followed.
    ///
    /// # Errors
    /// Any error that concerns files, headers or indexes: see [`Error`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open(path)
    }

    /// Opens one safetensors file that is already in memory; `name` is what errors call it.
    ///
    /// ```
    /// use safeshards::Checkpoint;
    ///
    /// let mut file = 8_u64.to_le_bytes().to_vec();
    /// file.extend_from_slice(b"{}      ");
    /// assert!(Checkpoint::from_bytes("empty", file)?.is_empty());
    /// # Ok::<(), safeshards::Error>(())
    /// ```
    ///
    /// # Errors
    /// Any error that concerns headers.
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: impl Into<Bytes>) -> Result<Self> {
        let path = name.into();
        let source = Source::memory(path.clone(), bytes.into());
        let shard = Shard::read(0, source, UPSTREAM_HEADER_LIMIT)?;
        assemble::without_index(path, vec![shard])
    }

    /// All tensors, sorted by name.
    #[must_use]
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = TensorRef<'_>> + DoubleEndedIterator {
        self.tensors.iter().map(|&place| self.at(place))
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// [`Error::UnknownTensor`], which suggests names that are near it.
    pub fn tensor(&self, name: &str) -> Result<TensorRef<'_>> {
        self.get(name).ok_or_else(|| Error::UnknownTensor {
            path: self.path.clone(),
            tensor: name.to_owned(),
            near: near::nearest(name, self.names()),
        })
    }

    /// The tensor of that name, if there is one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<TensorRef<'_>> {
        let found = self.tensors.binary_search_by(|&place| self.at(place).name().cmp(name)).ok()?;
        Some(self.at(self.tensors[found]))
    }

    /// Whether there is a tensor of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are no tensors.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The names of all tensors, sorted.
    #[must_use]
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator {
        self.tensors().map(|tensor| tensor.name())
    }

    /// The files, sorted by name.
    #[must_use]
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The `__metadata__` of all shards together.
    ///
    /// Where they contradict each other, the first shard's word stands, with a [`Warning`].
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Bytes of all tensors together, without headers.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.file_len() - shard.data_offset()).sum()
    }

    /// The path that was opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The index, where the checkpoint has one.
    #[must_use]
    pub fn index_path(&self) -> Option<&Path> {
        self.index_path.as_deref()
    }

    /// What is odd about the checkpoint without making it unusable.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    fn at(&self, place: Place) -> TensorRef<'_> {
        let shard = &self.shards[place.shard];
        TensorRef::new(shard, &shard.infos()[place.tensor])
    }
}
