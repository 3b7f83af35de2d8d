//! MindSpore checkpoints, in one file or several parts, as a source.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use mindspore_ckpt::{Dtype, Entry, Reader};

use super::{Content, Extent, LeftOut, LeftOutKind, Source, SourceFile, SourceKind, SourceTensor};
use crate::folder::parse_index;
use crate::{Error, Result};

impl Source {
    /// The parts that an index names, in the order of their names.
    pub(super) fn from_ckpt_index(index: &Path) -> Result<Self> {
        let wrong = |reason| Error::Json { path: index.to_owned(), reason };
        let map = fs::read(index).map_err(Error::io("read", index))?;
        let map = parse_index(&map).map_err(wrong)?;
        let names: BTreeSet<_> = map.values().collect();
        let folder = index.parent().unwrap_or(Path::new(""));
        let parts: Vec<_> = names.into_iter().map(|name| folder.join(name)).collect();
        let source = Self::from_ckpt_parts(index, &parts)?;
        for (tensor, file) in &map {
            let found = source.file_of(tensor);
            let found = found.map(|found| source.files[found].name());
            if found.as_ref() != Some(file) {
                let instead = found.map_or("nowhere".to_owned(), |found| format!("in {found:?}"));
                return Err(wrong(format!(
                    "tensor {tensor:?} should be in {file:?}, but is {instead}"
                )));
            }
        }
        match source.tensors.iter().find(|tensor| !map.contains_key(&tensor.name)) {
            Some(extra) => {
                Err(wrong(format!("tensor {:?} is in a part, but not listed", extra.name)))
            }
            None => Ok(source),
        }
    }

    pub(super) fn from_ckpt_parts(root: &Path, parts: &[PathBuf]) -> Result<Self> {
        let mut files = Vec::new();
        let mut tensors: Vec<SourceTensor> = Vec::new();
        let mut warnings = Vec::new();
        let mut left_out = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut meet = |name: &str, file: usize| match seen.insert(name.to_owned(), file) {
            Some(first) => Err(Error::DuplicateTensor {
                name: name.to_owned(),
                first: parts[first].clone(),
                second: parts[file].clone(),
            }),
            None => Ok(()),
        };
        for (file, path) in parts.iter().enumerate() {
            let reader = Reader::open(path)?;
            let len = fs::metadata(path).map_err(Error::io("read", path))?.len();
            for entry in reader.entries() {
                meet(entry.name(), file)?;
                let name = entry.name().to_owned();
                let kind = match (tensor(file, entry), entry.dtype()) {
                    (Some(tensor), _) => {
                        tensors.push(tensor);
                        continue;
                    }
                    (None, Dtype::Str) => LeftOutKind::Text,
                    (None, dtype) => LeftOutKind::Type(dtype),
                };
                warnings.push(format!(
                    "{}: entry {name:?} of type {} is no tensor of numbers and is left out",
                    path.display(),
                    entry.dtype(),
                ));
                left_out.push(LeftOut { name, file, kind });
            }
            for map in reader.maps() {
                meet(&map.name, file)?;
                left_out.push(LeftOut { name: map.name.clone(), file, kind: LeftOutKind::Map });
            }
            warnings.extend(reader.warnings().iter().map(ToString::to_string));
            files.push(SourceFile::new(path.clone(), len));
        }
        Ok(Self::assemble(root, SourceKind::MindSpore, files, tensors, left_out, warnings))
    }

    /// The file of a tensor or of what is left out.
    fn file_of(&self, name: &str) -> Option<usize> {
        match self.find(name) {
            Some(tensor) => self.tensors[tensor].file,
            None => self.left_out.iter().find(|entry| entry.name == name).map(|entry| entry.file),
        }
    }
}

fn tensor(file: usize, entry: &Entry) -> Option<SourceTensor> {
    let dtype = entry.dtype().to_dtype()?;
    let extents = entry.slices().iter();
    let extents: Vec<_> =
        extents.map(|slice| Extent { file, offset: slice.offset, len: slice.len }).collect();
    let legacy = entry.legacy_bf16();
    Some(SourceTensor {
        name: entry.name().to_owned(),
        dtype,
        shape: entry.dims().iter().map(|&extent| extent as usize).collect(),
        bytes: if legacy { entry.byte_len() / 2 } else { entry.byte_len() },
        file: Some(file),
        content: if legacy { Content::UpperHalves(extents) } else { Content::Extents(extents) },
    })
}
