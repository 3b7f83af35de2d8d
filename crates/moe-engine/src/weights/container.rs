//! The tensors of a checkpoint of either format, as bytes that keep their mapping alive.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lowfloat::DType;
use mindspore_ckpt::{Entry, Reader};
use safeshards::{Bytes, Checkpoint, ShardIndex};

use super::pieces::joined;
use crate::{Error, Result};

/// A tensor in files.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) file: Arc<Path>,
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    /// Its bytes, in order.
    pub(super) pieces: Vec<Bytes>,
}

/// All tensors by name.
#[derive(Debug)]
pub(super) struct Container(pub(super) BTreeMap<String, Stored>);

impl Container {
    /// Opens a folder, an index, or one file.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if !path.is_dir() {
            return match path.extension().and_then(OsStr::to_str) {
                Some("ckpt") => Self::mindspore(&[path.to_owned()]),
                Some("json") => Self::index(path),
                _ => Self::safetensors(path),
            };
        }
        let names = names(path)?;
        let with = |end: &str| {
            let found = names.iter().filter(|name| name.ends_with(end) && !name.starts_with('.'));
            found.map(|name| path.join(name)).collect::<Vec<_>>()
        };
        if !with(".safetensors").is_empty() {
            return Self::safetensors(path);
        }
        if let [index] = with(".ckpt.index.json").as_slice() {
            return Self::index(index);
        }
        match with(".ckpt").as_slice() {
            [] => Err(Error::NoWeights { path: path.to_owned() }),
            files => Self::mindspore(files),
        }
    }

    /// An index of either format.
    fn index(path: &Path) -> Result<Self> {
        let index = ShardIndex::read(path)?;
        let names = index.shard_names();
        if names.iter().all(|name| name.ends_with(".safetensors")) {
            return Self::safetensors(path);
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let files: Vec<_> = names.iter().map(|name| folder.join(name)).collect();
        Self::mindspore(&files)
    }

    fn safetensors(path: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::open(path)?;
        let files: Vec<Arc<Path>> =
            checkpoint.shards().iter().map(|shard| shard.path().into()).collect();
        let stored = checkpoint.tensors().map(|tensor| {
            let stored = Stored {
                file: Arc::clone(&files[tensor.shard_index()]),
                dtype: tensor.dtype(),
                shape: tensor.shape().to_vec(),
                pieces: vec![tensor.to_bytes()?],
            };
            Ok((tensor.name().to_owned(), stored))
        });
        Ok(Self(stored.collect::<Result<_>>()?))
    }

    fn mindspore(files: &[PathBuf]) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for path in files {
            let reader = Reader::open(path)?;
            let map = Bytes::map_file(path)?;
            let file: Arc<Path> = path.as_path().into();
            for entry in reader.entries() {
                let Some(dtype) = entry.dtype().to_dtype() else { continue };
                let shape = entry.dims().iter().map(|&extent| extent as usize).collect();
                let pieces = pieces(&map, entry).ok_or_else(|| cut(path, entry))?;
                let name = entry.name().to_owned();
                let stored = Stored { file: Arc::clone(&file), dtype, shape, pieces };
                if tensors.insert(name, stored).is_some() {
                    return Err(Error::config(
                        path,
                        entry.name(),
                        "another file has a tensor of this name; name one file, or the index",
                    ));
                }
            }
        }
        Ok(Self(tensors))
    }
}

/// Sorted, so that errors are the same every time.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn pieces(map: &Bytes, entry: &Entry) -> Option<Vec<Bytes>> {
    let slices = entry.slices().iter();
    let pieces = slices.map(|slice| {
        let begin = usize::try_from(slice.offset).ok()?;
        map.slice(begin..begin.checked_add(usize::try_from(slice.len).ok()?)?)
    });
    let pieces = pieces.collect::<Option<Vec<_>>>()?;
    if !entry.legacy_bf16() {
        return Some(pieces);
    }
    // MindSpore's older form: f32 whose upper halves are the values. Rare, so it is copied.
    let all = joined(&pieces);
    let halves = all.as_chunks::<4>().0.iter().flat_map(|&[_, _, low, high]| [low, high]);
    Some(vec![Bytes::from(halves.collect::<Vec<_>>())])
}

/// The file has become shorter since its headers were read.
fn cut(path: &Path, entry: &Entry) -> Error {
    let reason = format!("{} lies beyond the end of the file", entry.name());
    Error::io("map", path)(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, reason))
}
