//! Finding out what lies at a path.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Source, SourceKind, index_names, read_json};
use crate::folder::{Format, Missing, list, missing_parts, name_of};
use crate::{Error, Result};

impl Source {
    /// Opens the checkpoint at `path`:
    ///
    /// - a folder in the Hugging Face layout (`*.safetensors`, with or without an index),
    /// - OpenAI's `original/` folder,
    /// - one `.safetensors` file, or a `*.safetensors.index.json`,
    /// - a MindSpore `.ckpt` file, a `*.ckpt.index.json`, or a folder of `.ckpt` parts.
    ///
    /// Where a folder holds both formats, the safetensors files are taken; name the other one.
    ///
    /// # Errors
    /// What safetensors and MindSpore files can have wrong, and [`Error::NoCheckpoint`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let metadata = fs::metadata(path).map_err(Error::io("open", path))?;
        let mut source = if metadata.is_dir() {
            Self::open_folder(path)?
        } else if Format::of(path) == Some(Format::Ckpt) {
            Self::from_ckpt_parts(path, &[path.to_owned()])?
        } else if Format::of_index(path) == Some(Format::Ckpt) {
            Self::from_ckpt_index(path)?
        } else if is_safetensors(path) {
            Self::from_safetensors(path)?
        } else {
            let found = format!("a file named {:?}", name_of(path));
            return Err(Error::NoCheckpoint { path: path.to_owned(), found });
        };
        if let Some(folder) = source.folder() {
            source.config = read_json(&folder.join("config.json"))?;
        }
        Ok(source)
    }

    /// Opens several `.ckpt` files as the parts of one checkpoint.
    ///
    /// # Errors
    /// As [`Source::open`], and [`Error::DuplicateTensor`].
    pub fn open_parts(parts: &[PathBuf]) -> Result<Self> {
        match parts {
            [] => {
                Err(Error::NoCheckpoint { path: PathBuf::new(), found: "no path given".to_owned() })
            }
            [one] => Self::open(one),
            [first, ..] => {
                if let Some(other) =
                    parts.iter().find(|part| Format::of(part) != Some(Format::Ckpt))
                {
                    let found = "given as one of several parts, but not named *.ckpt".to_owned();
                    return Err(Error::NoCheckpoint { path: other.clone(), found });
                }
                let mut source = Self::from_ckpt_parts(first, parts)?;
                if let Some(folder) = source.folder() {
                    source.config = read_json(&folder.join("config.json"))?;
                }
                Ok(source)
            }
        }
    }

    fn open_folder(path: &Path) -> Result<Self> {
        let names = list(path)?;
        if names.iter().any(|name| is_safetensors(name)) {
            check_series(path, &names, Format::Safetensors)?;
            return Self::from_safetensors(path);
        }
        let indexes: Vec<_> =
            names.iter().filter(|name| Format::of_index(name) == Some(Format::Ckpt)).collect();
        match indexes[..] {
            [] => {}
            [index] => return Self::from_ckpt_index(&path.join(index)),
            [first, second, ..] => {
                let found = format!(
                    "several indexes, {} and {}; name the one to open",
                    first.display(),
                    second.display()
                );
                return Err(Error::NoCheckpoint { path: path.to_owned(), found });
            }
        }
        let parts: Vec<_> = Format::Ckpt.among(&names).iter().map(|name| path.join(name)).collect();
        if !parts.is_empty() {
            check_series(path, &names, Format::Ckpt)?;
            return Self::from_ckpt_parts(path, &parts);
        }
        Err(Error::NoCheckpoint { path: path.to_owned(), found: describe(path, &names) })
    }

    pub(super) fn assemble(
        root: &Path,
        kind: SourceKind,
        files: Vec<super::SourceFile>,
        tensors: Vec<super::SourceTensor>,
        left_out: Vec<super::LeftOut>,
        warnings: Vec<String>,
    ) -> Self {
        Self {
            root: root.to_owned(),
            kind,
            files,
            readers: Arc::default(),
            names: index_names(&tensors),
            tensors,
            left_out,
            config: None,
            warnings,
            generator: None,
        }
    }
}

/// Where no index says so, the names alone tell that a part is missing.
fn check_series(folder: &Path, names: &[PathBuf], format: Format) -> Result<()> {
    if names.iter().any(|name| name_of(name).ends_with(".index.json")) {
        return Ok(());
    }
    match missing_parts(&format.among(names)).next() {
        Some(Missing { name, of }) => Err(Error::MissingPart { path: folder.join(name), of }),
        None => Ok(()),
    }
}

fn describe(folder: &Path, names: &[PathBuf]) -> String {
    let inside = names.iter().find(|name| {
        let inner = folder.join(name);
        inner.is_dir()
            && list(&inner).is_ok_and(|names| names.iter().any(|name| is_safetensors(name)))
    });
    match (inside, names.len()) {
        (Some(inside), _) => format!("but there is one in {}", folder.join(inside).display()),
        (None, 0) => "an empty folder".to_owned(),
        (None, count) => format!("a folder of {count} other entries"),
    }
}

fn is_safetensors(path: &Path) -> bool {
    Format::of(path).or_else(|| Format::of_index(path)) == Some(Format::Safetensors)
}
