//! One file of a checkpoint.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use crate::Result;
use crate::TensorRef;
use crate::header::{Header, LENGTH_BYTES, TensorInfo};
use crate::source::Source;

/// One safetensors file of a checkpoint, its header read and checked.
///
/// The file stays open as long as the checkpoint, so renaming or deleting it meanwhile does no harm.
/// Without mmap it is opened anew for every read instead, so that a checkpoint of many shards does not
/// use up the process's file descriptors; if another file is there by then, reading fails.
#[derive(Debug)]
pub struct Shard {
    index: usize,
    source: Source,
    header: Header,
}

impl Shard {
    pub(crate) fn read(index: usize, mut source: Source, header_limit: u64) -> Result<Self> {
        let header = Header::read(&source, header_limit)?;
        source.rest();
        Ok(Self { index, source, header })
    }

    /// The file, as it was reached: symbolic links are not resolved.
    ///
    /// For a checkpoint in memory, the name that it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// The open file, for readers of their own kind; `None` for a checkpoint in memory.
    ///
    /// Without mmap the first call opens it, and it stays open from then on; `None` when that fails.
    #[must_use]
    pub fn file(&self) -> Option<&File> {
        self.source.file()
    }

    /// Bytes in the file.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.source.len()
    }

    /// Bytes of the header's JSON text with its padding, without the 8 bytes of length before it.
    #[must_use]
    pub fn header_len(&self) -> u64 {
        self.header.json_len
    }

    /// The first byte of tensor data in the file: 8 + [`header_len`](Self::header_len).
    #[must_use]
    pub fn data_offset(&self) -> u64 {
        LENGTH_BYTES + self.header.json_len
    }

    /// The `__metadata__` of this file.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// The tensors in the order of their bytes in the file.
    #[must_use]
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = TensorRef<'_>> + DoubleEndedIterator {
        self.header.tensors.iter().map(|info| TensorRef::new(self, info))
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn infos(&self) -> &[TensorInfo] {
        &self.header.tensors
    }
}
