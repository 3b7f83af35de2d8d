//! From a path to the files of a checkpoint.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The files that a path stands for.
#[derive(Debug)]
pub(crate) enum Files {
    /// An index; the shards are named in it and lie beside it.
    Index(PathBuf),
    /// Shards without an index, sorted by name.
    Bare(Vec<PathBuf>),
}

/// Finds the files of the checkpoint at `path`: a directory, an index or one shard.
pub(crate) fn locate(path: &Path) -> Result<Files> {
    let kind = fs::metadata(path).map_err(Error::io("open", path))?;
    if kind.is_dir() {
        in_directory(path)
    } else if !kind.is_file() {
        Err(Error::NotAFile { path: path.to_owned() })
    } else if path.extension() == Some(OsStr::new("json")) {
        Ok(Files::Index(path.to_owned()))
    } else {
        Ok(Files::Bare(vec![path.to_owned()]))
    }
}

fn in_directory(dir: &Path) -> Result<Files> {
    let Listing { mut indexes, shards, directories } = Listing::read(dir)?;
    match (indexes.pop(), indexes.is_empty()) {
        (Some(index), true) => return Ok(Files::Index(index)),
        (Some(index), false) => {
            indexes.push(index);
            return Err(Error::SeveralIndexes { path: dir.to_owned(), names: indexes });
        }
        (None, _) => {}
    }
    if shards.is_empty() {
        // Directories that cannot be listed are no help to the reader of the error.
        let holds_some = |dir: &PathBuf| {
            Listing::read(dir)
                .is_ok_and(|below| !(below.shards.is_empty() && below.indexes.is_empty()))
        };
        let elsewhere = directories.into_iter().filter(holds_some).collect();
        return Err(Error::NoCheckpoint { path: dir.to_owned(), elsewhere });
    }
    Ok(Files::Bare(shards))
}

/// What of a directory may matter, each sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) indexes: Vec<PathBuf>,
    pub(crate) shards: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Listing {
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let mut listing = Self::default();
        for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
            let entry = entry.map_err(Error::io("list", dir))?;
            let name = entry.file_name();
            // Names need not be UTF-8, and their endings can be compared all the same.
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b".") {
                continue;
            }
            let path = dir.join(&name);
            // A link counts as what it leads to; one that leads nowhere counts as a file, so that
            // opening it gives an error instead of a checkpoint without it.
            if path.is_dir() {
                listing.directories.push(path);
            } else if bytes.ends_with(b".safetensors.index.json") {
                listing.indexes.push(path);
            } else if bytes.ends_with(b".safetensors") {
                listing.shards.push(path);
            }
        }
        listing.indexes.sort();
        listing.shards.sort();
        listing.directories.sort();
        Ok(listing)
    }
}
