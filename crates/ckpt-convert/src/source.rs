//! Where the tensors come from: every supported checkpoint seen the same way.

mod ckpt;
mod left_out;
mod open;
mod readers;
mod shards;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lowfloat::DType;
use serde_json::Value;

use crate::folder::name_of;
use crate::io::{FileReader, ReadWindow};
use crate::presets::gpt_oss::{Mxfp4Role, config_json, mxfp4_partner, pair_fits, partner_name};
use crate::synthetic::Synthetic;
use crate::{Error, Result};
use readers::FileId;

pub use left_out::{LeftOut, LeftOutKind};
pub(crate) use readers::Readers;

/// A checkpoint to convert: its tensors, and how to read any range of any of them.
///
/// Opening reads headers only. See [`Source::open`] for what is understood.
#[derive(Debug)]
pub struct Source {
    root: PathBuf,
    kind: SourceKind,
    files: Vec<SourceFile>,
    readers: Arc<Readers>,
    tensors: Vec<SourceTensor>,
    left_out: Vec<LeftOut>,
    names: HashMap<String, usize>,
    config: Option<Value>,
    warnings: Vec<String>,
    generator: Option<Synthetic>,
}

/// The format of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceKind {
    /// safetensors files.
    Safetensors,
    /// MindSpore `.ckpt` files.
    MindSpore,
    /// Values made on the fly.
    Synthetic,
}

/// One tensor of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceTensor {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// Its shape; empty for a scalar.
    pub shape: Vec<usize>,
    /// Bytes of its content, as `dtype` stores them.
    pub bytes: u64,
    /// Index into [`Source::files`] of the file that holds its first byte; `None` when it is made
    /// on the fly.
    pub file: Option<usize>,
    pub(crate) content: Content,
}

/// Where a tensor's bytes are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// In files, piece after piece.
    Extents(Vec<Extent>),
    /// In files as f32 whose upper halves are the bf16 values: MindSpore's older form.
    UpperHalves(Vec<Extent>),
    /// Computed by the generator, under this index.
    Generated(usize),
}

/// A run of bytes in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) file: usize,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// One file of a source.
#[derive(Debug)]
pub struct SourceFile {
    path: PathBuf,
    len: u64,
    id: FileId,
}

impl SourceFile {
    pub(crate) fn new(path: PathBuf, len: u64) -> Self {
        Self { path, len, id: FileId::new() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True for a file of no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The file's name without its folder.
    #[must_use]
    pub fn name(&self) -> String {
        name_of(&self.path).into_owned()
    }
}

impl Source {
    /// A source whose values are made on the fly, for benchmarks and tests.
    #[must_use]
    pub fn synthetic(generator: Synthetic) -> Self {
        let tensors = generator.tensors().iter().enumerate();
        let tensors: Vec<_> = tensors
            .map(|(index, desc)| SourceTensor {
                name: desc.name.clone(),
                dtype: desc.dtype,
                shape: desc.shape.clone(),
                bytes: desc.bytes(),
                file: None,
                content: Content::Generated(index),
            })
            .collect();
        Self {
            root: PathBuf::new(),
            kind: SourceKind::Synthetic,
            files: Vec::new(),
            readers: Arc::default(),
            left_out: Vec::new(),
            names: index_names(&tensors),
            tensors,
            config: serde_json::from_str(&config_json(generator.shape(), generator.experts())).ok(),
            warnings: Vec::new(),
            generator: Some(generator),
        }
    }

    /// The path it was opened from; empty for a synthetic source.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that its side files (configuration, tokenizer) would lie in.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self.kind {
            SourceKind::Synthetic => None,
            _ if self.root.is_dir() => Some(&self.root),
            _ => self
                .root
                .parent()
                .map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent }),
        }
    }

    /// Its format.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// Its files, in reading order.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Its tensors, file by file, in the order of their bytes.
    #[must_use]
    pub fn tensors(&self) -> &[SourceTensor] {
        &self.tensors
    }

    /// What its files hold beside tensors of numbers, and is in none of [`Source::tensors`].
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// The tensor of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The model's `config.json`, where there is one beside the weights.
    #[must_use]
    pub fn config(&self) -> Option<&Value> {
        self.config.as_ref()
    }

    /// The seed of a synthetic source.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.generator.as_ref().map(Synthetic::seed)
    }

    /// What is odd but harmless about it.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Bytes of all tensors.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes).sum()
    }

    /// Numbers that the model learnt: MXFP4 blocks count as the weights they hold, scales as none.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().map(|tensor| self.parameters_of(tensor)).sum()
    }

    /// How many of [`Source::parameters`] are in this tensor.
    #[must_use]
    pub fn parameters_of(&self, tensor: &SourceTensor) -> u64 {
        let elements = elements(&tensor.shape);
        match self.mxfp4_role(tensor) {
            Some(Mxfp4Role::Blocks) => elements * 2,
            Some(Mxfp4Role::Scales) => 0,
            None => elements,
        }
    }

    /// The part that a tensor plays in an MXFP4 pair, when its partner is there and fits.
    pub(crate) fn mxfp4_role(&self, tensor: &SourceTensor) -> Option<Mxfp4Role> {
        if tensor.dtype != DType::U8 {
            return None;
        }
        let (role, _) = mxfp4_partner(&tensor.name)?;
        let partner = self.find(&partner_name(&tensor.name)?)?;
        let (blocks, scales) = match role {
            Mxfp4Role::Blocks => (tensor, &self.tensors[partner]),
            Mxfp4Role::Scales => (&self.tensors[partner], tensor),
        };
        pair_fits(blocks, scales).then_some(role)
    }

    /// Reads `dst.len()` bytes of a tensor's content from byte `offset` on.
    ///
    /// `ahead` (at least `dst.len()`) says how many bytes from `offset` on will be asked for in a
    /// row; `window` keeps what was read beyond `dst` for the next call.
    pub(crate) fn read_at(
        &self,
        tensor: usize,
        offset: u64,
        dst: &mut [u8],
        ahead: u64,
        window: &mut ReadWindow,
    ) -> Result<()> {
        match &self.tensors[tensor].content {
            Content::Extents(extents) => self.read_extents(extents, offset, dst, ahead, window),
            Content::UpperHalves(extents) => {
                let mut words = vec![0; 2 * 4096];
                let mut at = offset;
                let mut rest = dst;
                while !rest.is_empty() {
                    // Whole f32 words around the bytes asked for; two of each four are kept.
                    let first = at / 2;
                    let count = (at + rest.len() as u64).div_ceil(2) - first;
                    let count = count.min(words.len() as u64 / 4);
                    let words = &mut words[..4 * count as usize];
                    self.read_extents(extents, 4 * first, words, 4 * count, window)?;
                    let skip = (at % 2) as usize;
                    let halves =
                        words.chunks_exact(4).flat_map(|word| [word[2], word[3]]).skip(skip);
                    let len = rest.len().min(2 * count as usize - skip);
                    let (now, later) = rest.split_at_mut(len);
                    now.iter_mut().zip(halves).for_each(|(byte, half)| *byte = half);
                    (at, rest) = (at + len as u64, later);
                }
                Ok(())
            }
            Content::Generated(index) => {
                if let Some(generator) = &self.generator {
                    generator.fill(*index, offset, dst);
                }
                Ok(())
            }
        }
    }

    /// A reader of file `file`, open at least as long as it is held.
    pub(crate) fn reader(&self, file: usize) -> Result<Arc<FileReader>> {
        let file = &self.files[file];
        self.readers.get(file.id, &file.path)
    }

    /// Keeps its open files among those of others, so that there are few for all together.
    pub(crate) fn share(&mut self, readers: &Arc<Readers>) {
        self.readers = Arc::clone(readers);
    }

    fn read_extents(
        &self,
        extents: &[Extent],
        mut offset: u64,
        mut dst: &mut [u8],
        mut ahead: u64,
        window: &mut ReadWindow,
    ) -> Result<()> {
        for extent in extents {
            if dst.is_empty() {
                break;
            }
            if offset >= extent.len {
                offset -= extent.len;
                continue;
            }
            let here = (extent.len - offset).min(dst.len() as u64);
            let (now, later) = dst.split_at_mut(here as usize);
            let reader = self.reader(extent.file)?;
            let in_row = ahead.min(extent.len - offset);
            reader.read_at(extent.file, extent.offset + offset, now, in_row, window)?;
            (offset, dst, ahead) = (0, later, ahead.saturating_sub(here));
        }
        Ok(())
    }
}

/// Elements of a shape; a scalar has one.
pub(crate) fn elements(shape: &[usize]) -> u64 {
    shape.iter().fold(1, |count: u64, &extent| count.saturating_mul(extent as u64))
}

fn index_names(tensors: &[SourceTensor]) -> HashMap<String, usize> {
    tensors.iter().enumerate().map(|(index, tensor)| (tensor.name.clone(), index)).collect()
}

/// Reads a JSON file that may be missing.
pub(crate) fn read_json(path: &Path) -> Result<Option<Value>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::Json { path: path.to_owned(), reason: error.to_string() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}
