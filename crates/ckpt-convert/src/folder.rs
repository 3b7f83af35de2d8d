//! What the names of files say: which format, which part, which index.

mod index;
mod series;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

pub(crate) use index::parse_index;
pub(crate) use series::{Missing, is_one_of_several, missing_parts};

/// A format of checkpoint files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Ckpt,
    Safetensors,
}

impl Format {
    const ALL: [Self; 2] = [Self::Ckpt, Self::Safetensors];

    /// The format of a file that holds tensors.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        Self::ALL.into_iter().find(|format| has_extension(path, format.extension()))
    }

    /// The format of the parts that an index is about.
    pub(crate) fn of_index(path: &Path) -> Option<Self> {
        let name = name_of(path);
        let ends = |format: &Self| name.ends_with(&format!(".{}.index.json", format.extension()));
        Self::ALL.into_iter().find(ends)
    }

    /// Those of `names` that hold tensors in this format.
    pub(crate) fn among(self, names: &[PathBuf]) -> Vec<PathBuf> {
        names.iter().filter(|name| Self::of(name) == Some(self)).cloned().collect()
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Ckpt => "ckpt",
            Self::Safetensors => "safetensors",
        }
    }
}

/// The names in a folder, sorted, hidden ones left out.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = entries.map_err(Error::io("read", folder))?;
    let names = entries.into_iter().map(|entry| PathBuf::from(entry.file_name()));
    let mut names: Vec<_> = names.filter(|name| !name_of(name).starts_with('.')).collect();
    names.sort();
    Ok(names)
}

/// A file's name without its folder.
pub(crate) fn name_of(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

pub(crate) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension() == Some(OsStr::new(extension))
}

/// Neither an index nor a name given may lead out of its folder.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!(components.next(), Some(Component::Normal(first)) if first == name)
        && components.next().is_none()
        && !name.contains(['\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_name() {
        let of = |name: &str| (Format::of(Path::new(name)), Format::of_index(Path::new(name)));
        let (ckpt, safetensors) = (Some(Format::Ckpt), Some(Format::Safetensors));
        assert_eq!(of("a/m.ckpt"), (ckpt, None));
        assert_eq!(of("m-00001-of-00002.safetensors"), (safetensors, None));
        assert_eq!(of("m.ckpt.index.json"), (None, ckpt));
        assert_eq!(of("model.safetensors.index.json"), (None, safetensors));
        for name in [".ckpt", "ckpt", "m.CKPT", "m.index.json", "mckpt.index.json", "m.ckpt.json"] {
            assert_eq!(of(name), (None, None), "{name}");
        }
    }

    #[test]
    fn plain_names_stay_in_their_folder() {
        for name in ["m.ckpt", "..ckpt", "a b", "é"] {
            assert!(is_plain_name(name), "{name:?}");
        }
        for name in ["", ".", "..", "../m", "/m", "a/m", "m/", "a\\m", "m\0", "./m"] {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }
}
