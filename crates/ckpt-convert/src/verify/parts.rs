//! Which files make up a checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::finding::{Check, Finding, Findings};
use crate::folder::{
    Format, Missing, has_extension, is_one_of_several, list, missing_parts, name_of, parse_index,
};
use crate::journal::JOURNAL;
use crate::{Error, Result};

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
    /// How many files are missing, by the index or by the numbers of the others.
    pub(super) missing: usize,
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
        if let Some(format) = Format::of_index(path) {
            return Self::of_index(format, folder, path, findings);
        }
        if has_extension(path, "json") {
            return Err(none(path, "a JSON file that is not named as an index"));
        }
        let format = Format::of(path).unwrap_or(Format::Ckpt);
        let whole = !is_one_of_several(&name_of(path));
        let (folder, files) = (folder.to_owned(), vec![path.to_owned()]);
        Ok(Self { format, folder, files, index: None, whole, missing: 0 })
    }

    fn in_folder(folder: &Path, findings: &mut Findings) -> Result<Self> {
        let names = list(folder)?;
        let indexes = |wanted| {
            names
                .iter()
                .filter(move |name| Format::of_index(name) == Some(wanted))
                .collect::<Vec<_>>()
        };
        let (shards, ckpts) = (Format::Safetensors.among(&names), Format::Ckpt.among(&names));
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
        let missing = report_missing(folder, &files, findings);
        let files = files.iter().map(|name| folder.join(name)).collect();
        Ok(Self { format, folder: folder.to_owned(), files, index: None, whole: true, missing })
    }

    fn of_index(
        format: Format,
        folder: &Path,
        path: &Path,
        findings: &mut Findings,
    ) -> Result<Self> {
        let names = format.among(&list(folder)?);
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
        let missing = index.as_ref().map_or(0, |index| index.len() - files.len());
        let index = Some((path.to_owned(), index));
        Ok(Self { format, folder: folder.to_owned(), files, index, whole: true, missing })
    }
}

fn none(path: &Path, found: &str) -> Error {
    Error::NoCheckpoint { path: path.to_owned(), found: found.to_owned() }
}

fn read_index(path: &Path) -> Result<Index, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read the index: {error}"))?;
    let mut index = Index::new();
    for (tensor, file) in parse_index(&bytes)? {
        index.entry(file).or_default().insert(tensor);
    }
    Ok(index)
}

/// A name may speak of more parts than anyone wants to read of: as many as five digits count, the
/// width that all writers of parts use.
const MOST_MISSING: usize = 99_999;

fn report_missing(folder: &Path, names: &[PathBuf], findings: &mut Findings) -> usize {
    let report = |part: Missing| {
        let message = "the file is missing, by the numbers of the others".to_owned();
        let file = folder.join(part.name);
        findings.add(Finding::error(Check::Structure, message).file(&file));
    };
    missing_parts(names).take(MOST_MISSING).map(report).count()
}
