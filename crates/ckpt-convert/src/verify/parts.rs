//! Which files make up a checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::finding::{Check, Finding, Findings};
use crate::journal::JOURNAL;
use crate::{Error, Result};

/// The format of all parts of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Ckpt,
    Safetensors,
}

/// The files of a checkpoint, as its path and its index say.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) format: Format,
    pub(super) folder: PathBuf,
    /// Files that are there, sorted by name.
    pub(super) files: Vec<PathBuf>,
    /// The index, and what it says where it could be read.
    pub(super) index: Option<(PathBuf, Option<Index>)>,
    /// True when these are meant to be all files of the checkpoint, and not one part alone.
    pub(super) whole: bool,
}

/// Tensors by file.
pub(super) type Index = BTreeMap<String, BTreeSet<String>>;

impl Parts {
    /// What the path means, without opening a checkpoint file.
    pub(super) fn find(path: &Path, findings: &mut Findings) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(Error::io("open", path))?;
        let parts = if metadata.is_dir() {
            Self::in_folder(path, findings)?
        } else if metadata.is_file() {
            Self::at_file(path, findings)?
        } else {
            return Err(none(path, "neither a file nor a folder"));
        };
        if parts.folder.join(JOURNAL).exists() {
            let message = "a conversion into this folder was interrupted; the files may be old";
            findings
                .add(Finding::warning(Check::Structure, message.to_owned()).file(&parts.folder));
        }
        Ok(parts)
    }

    fn at_file(path: &Path, findings: &mut Findings) -> Result<Self> {
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        if let Some(format) = index_format(path) {
            return Self::of_index(format, folder, path, findings);
        }
        if has_extension(path, "json") {
            return Err(none(path, "a JSON file that is not named as an index"));
        }
        let format =
            if has_extension(path, "safetensors") { Format::Safetensors } else { Format::Ckpt };
        let whole = numbered(&name_of(path)).is_none_or(|(_, _, parts, _)| parts == 1);
        let (folder, files) = (folder.to_owned(), vec![path.to_owned()]);
        Ok(Self { format, folder, files, index: None, whole })
    }

    fn in_folder(folder: &Path, findings: &mut Findings) -> Result<Self> {
        let names = list(folder)?;
        let indexes = |wanted| {
            names.iter().filter(move |name| index_format(name) == Some(wanted)).collect::<Vec<_>>()
        };
        let (shards, ckpts) =
            (of_format(&names, Format::Safetensors), of_format(&names, Format::Ckpt));
        let safetensors = !shards.is_empty() || !indexes(Format::Safetensors).is_empty();
        let format = if safetensors { Format::Safetensors } else { Format::Ckpt };
        if safetensors && !ckpts.is_empty() {
            let message = "there are .ckpt files beside the safetensors ones; they were not \
                           verified, name them to do so";
            findings.add(Finding::warning(Check::Structure, message.to_owned()).file(folder));
        }
        match indexes(format)[..] {
            [] => {}
            [index] => return Self::of_index(format, folder, &folder.join(index), findings),
            [first, second, ..] => {
                let (first, second) = (first.display(), second.display());
                let found = format!("several indexes, {first} and {second}; name one");
                return Err(none(folder, &found));
            }
        }
        let files = if safetensors { shards } else { ckpts };
        if files.is_empty() {
            return Err(none(folder, "a folder with neither"));
        }
        missing_numbers(folder, &files, findings);
        let files = files.iter().map(|name| folder.join(name)).collect();
        Ok(Self { format, folder: folder.to_owned(), files, index: None, whole: true })
    }

    fn of_index(
        format: Format,
        folder: &Path,
        path: &Path,
        findings: &mut Findings,
    ) -> Result<Self> {
        let names = of_format(&list(folder)?, format);
        let index = match read_index(path) {
            Ok(index) => Some(index),
            Err(reason) => {
                findings.add(Finding::error(Check::Index, reason).file(path));
                None
            }
        };
        let listed = |name: &Path| {
            index.as_ref().is_none_or(|index| index.contains_key(name_of(name).as_ref()))
        };
        for name in names.iter().filter(|name| !listed(name)) {
            let message = "the index does not name this file; it was not verified".to_owned();
            findings.add(Finding::warning(Check::Index, message).file(&folder.join(name)));
        }
        let mut files = Vec::new();
        match &index {
            None => files.extend(names.iter().map(|name| folder.join(name))),
            Some(index) => {
                for (name, tensors) in index {
                    let file = folder.join(name);
                    if file.is_file() {
                        files.push(file);
                        continue;
                    }
                    let first = tensors.first().map_or("", String::as_str);
                    let message = format!(
                        "the file is missing; the index says that it holds {} tensor(s), the \
                         first of them {first:?}",
                        tensors.len()
                    );
                    findings.add(Finding::error(Check::Index, message).file(&file));
                }
            }
        }
        let index = Some((path.to_owned(), index));
        Ok(Self { format, folder: folder.to_owned(), files, index, whole: true })
    }
}

fn none(path: &Path, found: &str) -> Error {
    Error::NoCheckpoint { path: path.to_owned(), found: found.to_owned() }
}

/// The files in a folder, sorted by name, hidden ones left out.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = Error::io("read", folder);
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let names = entries.map_err(read)?.into_iter().map(|entry| PathBuf::from(entry.file_name()));
    let mut names: Vec<_> = names.filter(|name| !name_of(name).starts_with('.')).collect();
    names.sort();
    Ok(names)
}

fn of_format(names: &[PathBuf], format: Format) -> Vec<PathBuf> {
    let extension = match format {
        Format::Ckpt => "ckpt",
        Format::Safetensors => "safetensors",
    };
    names.iter().filter(|name| has_extension(name, extension)).cloned().collect()
}

fn index_format(path: &Path) -> Option<Format> {
    let name = name_of(path);
    if name.ends_with(".ckpt.index.json") {
        Some(Format::Ckpt)
    } else if name.ends_with(".safetensors.index.json") {
        Some(Format::Safetensors)
    } else {
        None
    }
}

fn read_index(path: &Path) -> Result<Index, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read the index: {error}"))?;
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| format!("the index is not JSON: {error}"))?;
    let map = value.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or("the index has no \"weight_map\" object")?;
    let mut index = Index::new();
    for (tensor, file) in map {
        let file = file.as_str().filter(|file| is_plain_name(file)).ok_or_else(|| {
            format!("the index puts tensor {tensor:?} into {file}, which is no plain file name")
        })?;
        index.entry(file.to_owned()).or_default().insert(tensor.clone());
    }
    Ok(index)
}

/// An index must not lead out of its folder.
fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!(components.next(), Some(std::path::Component::Normal(first)) if first == name)
        && components.next().is_none()
        && !name.contains(['\\', '\0'])
}

/// Without an index, names like `x-00002-of-00003.ckpt` tell which parts there must be. (The
/// released gpt-oss counts from 0 and names the last number, so 0 is never asked for.)
fn missing_numbers(folder: &Path, files: &[PathBuf], findings: &mut Findings) {
    let names: Vec<_> = files.iter().map(|name| name_of(name).into_owned()).collect();
    let mut sets: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    for (stem, part, parts, extension) in names.iter().filter_map(|name| numbered(name)) {
        sets.entry((stem, parts, extension)).or_default().insert(part);
    }
    for ((stem, parts, extension), there) in sets {
        for part in (1..=parts).filter(|part| !there.contains(part)) {
            let file = folder.join(format!("{stem}-{part:05}-of-{parts:05}.{extension}"));
            let message = "the file is missing, by the numbers of the others".to_owned();
            findings.add(Finding::error(Check::Structure, message).file(&file));
        }
    }
}

/// Stem, part, parts and extension of `STEM-00002-of-00003.EXTENSION`.
fn numbered(name: &str) -> Option<(&str, u32, u32, &str)> {
    let (rest, extension) = name.rsplit_once('.')?;
    let (rest, parts) = rest.rsplit_once("-of-")?;
    let (stem, part) = rest.rsplit_once('-')?;
    let number = |digits: &str| digits.parse().ok().filter(|_| digits.len() == 5);
    Some((stem, number(part)?, number(parts)?, extension))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension() == Some(OsStr::new(extension))
}

pub(super) fn name_of(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}
