//! What there is to do, before anything is done.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::folder::{Record, Stamp, place};
use crate::partial::{Partial, allocated};
use crate::{Error, RemoteFile, Result, Selection, space};

/// What a download would do. Nothing is written, nothing is hashed, nobody is asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// Where the files go.
    pub folder: PathBuf,
    /// The files, and what is there of them.
    pub files: Vec<PlannedFile>,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes that have to come.
    pub missing: u64,
    /// Bytes free on the file system of the folder, where it tells.
    pub free: Option<u64>,
    /// Bytes that have to be free: less than `missing` where partial files have their room already.
    pub needed: u64,
}

/// A file, and what is there of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PlannedFile {
    /// The file.
    #[serde(flatten)]
    pub file: RemoteFile,
    /// What is there.
    pub state: FileState,
}

/// What is there of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileState {
    /// The file, verified earlier and unchanged since.
    Present,
    /// A file of the right size, which has to be hashed first.
    Unproven,
    /// Nothing.
    Missing,
    /// A part.
    Partial {
        /// Bytes that need not come again.
        have: u64,
    },
    /// Another version that was downloaded, unchanged since: it is replaced.
    Outdated,
    /// Something that was not downloaded here and differs: it is replaced only if overwriting is allowed.
    Foreign {
        /// How it differs.
        reason: String,
    },
}

impl FileState {
    /// Bytes that have to come of a file of this size.
    fn missing(&self, size: u64) -> u64 {
        match self {
            Self::Present | Self::Unproven => 0,
            Self::Partial { have } => size.saturating_sub(*have),
            _ => size,
        }
    }
}

impl Plan {
    pub(crate) fn look(folder: &Path, selection: &Selection, record: &Record) -> Result<Self> {
        let look = |file: &RemoteFile| {
            let state = look(folder, file, &selection.commit, record)?;
            Ok(PlannedFile { file: file.clone(), state })
        };
        let files: Vec<_> = selection.files.iter().map(look).collect::<Result<_>>()?;
        let mut plan = Self {
            folder: folder.to_owned(),
            files,
            bytes: selection.bytes(),
            missing: 0,
            free: space::available(folder),
            needed: 0,
        };
        plan.count();
        Ok(plan)
    }

    /// Sums up, after states changed.
    pub(crate) fn count(&mut self) {
        (self.missing, self.needed) = (0, 0);
        for PlannedFile { file, state } in &self.files {
            let missing = state.missing(file.size);
            self.missing = self.missing.saturating_add(missing);
            if missing > 0 {
                let room = allocated(&place(&self.folder, &file.name));
                self.needed = self.needed.saturating_add(file.size.saturating_sub(room));
            }
        }
    }

    /// The first file that must not be replaced.
    pub(crate) fn refuse_foreign(&self, overwrite: bool) -> Result<()> {
        for PlannedFile { file, state } in &self.files {
            let path = place(&self.folder, &file.name);
            if let FileState::Foreign { reason } = state
                && (!overwrite || path.is_dir())
            {
                return Err(Error::Exists { path, reason: reason.clone() });
            }
        }
        Ok(())
    }

    pub(crate) fn check_space(&self) -> Result<()> {
        match self.free {
            Some(available) if available < self.needed => {
                Err(Error::NoSpace { path: self.folder.clone(), needed: self.needed, available })
            }
            _ => Ok(()),
        }
    }
}

fn look(folder: &Path, file: &RemoteFile, commit: &str, record: &Record) -> Result<FileState> {
    let path = place(folder, &file.name);
    let foreign = |reason: String| Ok(FileState::Foreign { reason });
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if fs::symlink_metadata(&path).is_ok() {
                return foreign("a link to nothing".to_owned());
            }
            return Ok(match Partial::left(&path, file) {
                0 => FileState::Missing,
                have => FileState::Partial { have },
            });
        }
        Err(error) => return Err(Error::io("look at", &path)(error)),
    };
    if !metadata.is_file() {
        return foreign("not a file".to_owned());
    }
    let stamp = Stamp::of(&metadata);
    if record.proves(file, commit, stamp) {
        return Ok(FileState::Present);
    }
    if record.wrote(&file.name, stamp) {
        return Ok(FileState::Outdated);
    }
    if metadata.len() != file.size {
        return foreign(format!("{} bytes, expected {}", metadata.len(), file.size));
    }
    match file.digest {
        Some(_) => Ok(FileState::Unproven),
        None => {
            foreign("of the right size, but the hub tells no digest to compare with".to_owned())
        }
    }
}
