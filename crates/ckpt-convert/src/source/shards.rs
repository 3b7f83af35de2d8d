//! safetensors checkpoints as a source.

use std::path::Path;

use safeshards::OpenOptions;

use super::{Content, Extent, Source, SourceFile, SourceKind, SourceTensor};
use crate::Result;

impl Source {
    pub(super) fn from_safetensors(path: &Path) -> Result<Self> {
        let checkpoint = OpenOptions::new().mmap(false).open(path)?;
        let files = checkpoint.shards().iter();
        let files = files.map(|shard| SourceFile::new(shard.path().to_owned(), shard.file_len()));
        let mut tensors: Vec<_> = checkpoint
            .tensors()
            .map(|tensor| SourceTensor {
                name: tensor.name().to_owned(),
                dtype: tensor.dtype(),
                shape: tensor.shape().to_vec(),
                bytes: tensor.byte_len(),
                file: Some(tensor.shard_index()),
                content: Content::Extents(vec![Extent {
                    file: tensor.shard_index(),
                    offset: tensor.file_offset(),
                    len: tensor.byte_len(),
                }]),
            })
            .collect();
        // Files are read from front to back, whatever the names are.
        tensors.sort_by_cached_key(|tensor| match &tensor.content {
            Content::Extents(extents) => extents.first().map(|extent| (extent.file, extent.offset)),
            _ => None,
        });
        let warnings = checkpoint.warnings().iter().map(ToString::to_string).collect();
        let (files, left_out) = (files.collect(), Vec::new());
        Ok(Self::assemble(path, SourceKind::Safetensors, files, tensors, left_out, warnings))
    }
}
