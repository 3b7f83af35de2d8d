//! safetensors files, for Hugging Face readers or for MindSpore.

use std::collections::BTreeMap;

use lowfloat::DType;
use safeshards::{ShardLayout, TensorSpec, shard_file_name};

use super::{FileLayout, Segment, SegmentKind, Sink, Trailer};
use crate::Result;
use crate::plan::PlanTensor;

/// Writes safetensors files.
#[derive(Clone, Debug)]
pub struct SafetensorsSink {
    format: &'static str,
    metadata: BTreeMap<String, String>,
}

impl SafetensorsSink {
    /// Files for PyTorch readers, as `save_pretrained` names and marks them.
    #[must_use]
    pub fn hugging_face() -> Self {
        Self::marked("safetensors", "pt")
    }

    /// Files for `mindspore.load_checkpoint(format="safetensors")`, MindSpore 2.4 and later.
    #[must_use]
    pub fn mindspore() -> Self {
        Self::marked("mindspore-safetensors", "ms")
    }

    /// As [`SafetensorsSink::hugging_face`], without the mark: so the files of gpt-oss were released.
    #[must_use]
    pub fn unmarked() -> Self {
        Self { format: "safetensors", metadata: BTreeMap::new() }
    }

    fn marked(format: &'static str, mark: &str) -> Self {
        Self { format, metadata: BTreeMap::from([("format".to_owned(), mark.to_owned())]) }
    }
}

/// Bytes that a tensor's header entry has beside its name and shape, rounded up:
/// `"":{"dtype":"F8_E4M3","shape":[],"data_offsets":[,]},` and two 20-digit numbers.
const ENTRY: usize = 96;

impl Sink for SafetensorsSink {
    fn format(&self) -> &'static str {
        self.format
    }

    fn file_name(&self, stem: &str, part: usize, parts: usize) -> String {
        match (self.format, parts) {
            ("safetensors", _) => shard_file_name(part, parts),
            (_, 1) => format!("{stem}.safetensors"),
            _ => format!("{stem}-{:05}-of-{parts:05}.safetensors", part + 1),
        }
    }

    fn index_name(&self, stem: &str, parts: usize) -> Option<String> {
        let stem = if self.format == "safetensors" { "model" } else { stem };
        (parts > 1).then(|| format!("{stem}.safetensors.index.json"))
    }

    fn admit(&self, tensor: &PlanTensor) -> Result<(), String> {
        match tensor.dtype {
            DType::C128 => Err("safetensors has no type for two f64".to_owned()),
            _ => Ok(()),
        }
    }

    fn bytes_in_file(&self, tensor: &PlanTensor) -> u64 {
        // A name grows at most sixfold in JSON; an extent has at most 20 digits and a comma.
        tensor.bytes + (6 * tensor.name.len() + 21 * tensor.shape.len() + ENTRY) as u64
    }

    fn bytes_beside(&self) -> u64 {
        // The length, the metadata entry, braces and padding.
        64
    }

    fn layout(&self, tensors: &[&PlanTensor]) -> Result<FileLayout> {
        let specs: Vec<_> = tensors
            .iter()
            .map(|tensor| TensorSpec {
                name: tensor.name.clone(),
                dtype: tensor.dtype,
                shape: tensor.shape.clone(),
            })
            .collect();
        let layout = ShardLayout::new(&specs, &self.metadata)?;
        let header = layout.header().to_vec();
        let mut segments =
            vec![Segment { offset: 0, len: header.len() as u64, kind: SegmentKind::Bytes(header) }];
        segments.extend(layout.entries().iter().map(|entry| Segment {
            offset: entry.offset,
            len: entry.len,
            kind: SegmentKind::Content { tensor: entry.spec, start: 0 },
        }));
        Ok(FileLayout { segments, trailer: Trailer::None })
    }
}
