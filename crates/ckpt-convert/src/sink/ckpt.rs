//! MindSpore `.ckpt` files.

use mindspore_ckpt::{Dtype, Layout, LayoutOptions, Support, TensorSpec};

use super::{FileLayout, Segment, SegmentKind, Sink, Trailer};
use crate::Result;
use crate::plan::PlanTensor;

/// Writes MindSpore checkpoints.
#[derive(Clone, Copy, Debug, Default)]
pub struct CkptSink {
    /// Ends each file with the checksum that MindSpore 2.3.0 and later can check. Earlier versions
    /// (2.3.0rc1 among them) cannot read such files.
    pub crc: bool,
}

impl CkptSink {
    fn options(self) -> LayoutOptions {
        LayoutOptions { crc: self.crc, ..LayoutOptions::default() }
    }
}

impl Sink for CkptSink {
    fn format(&self) -> &'static str {
        "ckpt"
    }

    fn file_name(&self, stem: &str, part: usize, parts: usize) -> String {
        match parts {
            1 => format!("{stem}.ckpt"),
            _ => format!("{stem}-{:05}-of-{parts:05}.ckpt", part + 1),
        }
    }

    fn index_name(&self, stem: &str, parts: usize) -> Option<String> {
        (parts > 1).then(|| format!("{stem}.ckpt.index.json"))
    }

    fn admit(&self, tensor: &PlanTensor) -> Result<(), String> {
        let dtype = Dtype::try_from(tensor.dtype).map_err(|error| error.to_string())?;
        if dtype.support() == Support::SaveOnly {
            return Err(format!("MindSpore writes type {} but refuses to load it", dtype.name()));
        }
        spec(tensor).map(drop).map_err(|error| error.to_string())
    }

    fn bytes_in_file(&self, tensor: &PlanTensor) -> u64 {
        let layout = spec(tensor).and_then(|spec| Layout::new(&[spec], LayoutOptions::default()));
        layout.map_or(tensor.bytes, |layout| layout.body_len())
    }

    fn bytes_beside(&self) -> u64 {
        if self.crc { Trailer::Crc.len() } else { 0 }
    }

    fn layout(&self, tensors: &[&PlanTensor]) -> Result<FileLayout> {
        let specs = tensors.iter().map(|tensor| spec(tensor)).collect::<Result<Vec<_>, _>>()?;
        let layout = Layout::new(&specs, self.options())?;
        let mut segments = Vec::with_capacity(2 * layout.records().len());
        for record in layout.records() {
            let header = record.header.clone();
            let offset = record.offset + header.len() as u64;
            segments.push(Segment {
                offset: record.offset,
                len: header.len() as u64,
                kind: SegmentKind::Bytes(header),
            });
            segments.push(Segment {
                offset,
                len: record.content.end - record.content.start,
                kind: SegmentKind::Content { tensor: record.tensor, start: record.content.start },
            });
        }
        let trailer = if self.crc { Trailer::Crc } else { Trailer::None };
        Ok(FileLayout { segments, trailer })
    }
}

fn spec(tensor: &PlanTensor) -> Result<TensorSpec, mindspore_ckpt::Error> {
    let dims: Vec<_> = tensor.shape.iter().map(|&extent| extent as u64).collect();
    TensorSpec::new(tensor.name.clone(), Dtype::try_from(tensor.dtype)?, dims)
}
