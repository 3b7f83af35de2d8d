//! What an interrupted conversion can build upon.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The journal's name in the output folder.
pub const JOURNAL: &str = ".ckpt-convert.journal";

/// An append-only record of what is durable: one JSON object a line, locked against a second run.
///
/// A line is written only after the bytes it speaks of were synced to disk, so whatever it says
/// holds after a crash or a power cut. A last line cut short by a crash is ignored.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
}

/// A line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first line: which conversion this is.
    Conversion {
        version: u32,
        identity: String,
        /// Files of the same names may be replaced.
        overwrite: bool,
        /// The files to be written: whose temporary ones go when the conversion is forgotten.
        #[serde(default)]
        files: Vec<String>,
    },
    /// A tensor is in its file.
    Tensor(TensorDone),
    /// A file is complete under its temporary name.
    File { file: usize },
    /// What earlier lines say of this file, and of these of its tensors, holds no longer.
    Anew { file: usize, tensors: Range<usize> },
    /// From here on files get their names; then these files of an earlier result go.
    Commit { stale: Vec<String> },
}

/// A tensor whose bytes are durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TensorDone {
    /// Which of the plan's tensors.
    pub(crate) tensor: usize,
    pub(crate) sha256: String,
    /// Where the file's next byte goes.
    pub(crate) end: u64,
    /// The checksum of the file up to there, where the file ends with one; else 0.
    pub(crate) crc: u32,
    /// How packing to MXFP4 went up to there: the report is about the whole file.
    pub(crate) packing: Option<crate::exec::PackingSums>,
}

/// What an earlier run left.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Progress {
    pub(crate) tensors: Vec<TensorDone>,
    pub(crate) files: Vec<usize>,
    /// Files of the same names may be replaced.
    pub(crate) overwrite: bool,
    /// Once files get their names: what of an earlier result goes afterwards.
    pub(crate) commit: Option<Vec<String>>,
    /// The files of a conversion that was forgotten.
    pub(crate) forgotten: Vec<String>,
}

const VERSION: u32 = 1;

impl Journal {
    /// Starts a journal for the conversion `identity` to `files` in `folder`, or goes on with the one that is
    /// there when `resume` is set. `overwrite` allows to forget one that is there.
    pub(crate) fn open(
        folder: &Path,
        identity: &str,
        files: &[String],
        resume: bool,
        overwrite: bool,
    ) -> Result<(Self, Progress)> {
        let path = folder.join(JOURNAL);
        let wrong = |path: &Path, reason: &str| Error::Journal {
            journal: path.to_owned(),
            reason: reason.to_owned(),
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(!resume).truncate(false);
        let file = options.open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => wrong(&path, "no interrupted conversion here"),
            _ => Error::io("open", &path)(error),
        })?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path }),
            // Some network file systems have no locks; one writer is then the user's care.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let mut journal = Self { path, file };
        let mut text = String::new();
        if let Err(error) = journal.file.read_to_string(&mut text) {
            if !overwrite {
                return Err(wrong(&journal.path, &format!("not a journal: {error}")));
            }
            text.clear();
        }
        // A run that was killed before its first line leaves an empty journal.
        if text.is_empty() {
            journal.start(identity, files, overwrite)?;
            return Ok((journal, Progress { overwrite, ..Progress::default() }));
        }
        if !resume {
            if !overwrite {
                return Err(Error::Unfinished { journal: journal.path });
            }
            journal.start(identity, files, overwrite)?;
            let forgotten = files_of(&text);
            return Ok((journal, Progress { overwrite, forgotten, ..Progress::default() }));
        }
        let progress = journal.resume(&text, identity, files)?;
        Ok((journal, progress))
    }

    /// Records lines, durably.
    pub(crate) fn record(&mut self, lines: &[Line]) -> Result<()> {
        let mut text = String::new();
        for line in lines {
            text += &serde_json::to_string(line).unwrap_or_default();
            text.push('\n');
        }
        let result = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        result.map_err(Error::io("write", &self.path))
    }

    /// The conversion is complete.
    pub(crate) fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))
    }

    fn start(&mut self, identity: &str, files: &[String], overwrite: bool) -> Result<()> {
        let empty = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        empty.map_err(Error::io("write", &self.path))?;
        let (identity, files) = (identity.to_owned(), files.to_vec());
        self.record(&[Line::Conversion { version: VERSION, identity, overwrite, files }])
    }

    fn resume(&mut self, text: &str, identity: &str, files: &[String]) -> Result<Progress> {
        let wrong = |reason: String| Error::Journal { journal: self.path.clone(), reason };
        let mut progress = Progress::default();
        let mut whole = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            if !line.ends_with('\n') {
                break;
            }
            let parsed = serde_json::from_str(line).map_err(|error| {
                wrong(format!("line {} is not a journal's: {error}", number + 1))
            })?;
            match (number, parsed) {
                (0, Line::Conversion { version: VERSION, identity: other, overwrite, .. })
                    if other == identity =>
                {
                    progress.overwrite = overwrite;
                }
                (0, Line::Conversion { version: VERSION, .. }) => {
                    let reason = "it is of another conversion: the source files, the options or the \
                                  layout have changed since";
                    return Err(wrong(reason.to_owned()));
                }
                (0, other) => return Err(wrong(format!("it starts with {other:?}"))),
                (_, Line::Tensor(done)) => progress.tensors.push(done),
                (_, Line::File { file }) => progress.files.push(file),
                (_, Line::Anew { file, tensors }) => {
                    progress.files.retain(|&other| other != file);
                    progress.tensors.retain(|done| !tensors.contains(&done.tensor));
                }
                (_, Line::Commit { stale }) => progress.commit = Some(stale),
                (_, Line::Conversion { .. }) => {
                    return Err(wrong(format!("line {} starts another conversion", number + 1)));
                }
            }
            whole += line.len();
        }
        if whole == 0 {
            self.start(identity, files, false)?;
            return Ok(progress);
        }
        // A torn last line goes, so that the next one does not join it.
        let cut = self.file.set_len(whole as u64);
        let cut = cut.and_then(|()| self.file.seek(SeekFrom::Start(whole as u64)));
        cut.map_err(Error::io("write", &self.path))?;
        Ok(progress)
    }
}

/// The files that a journal is about, as far as it can be read.
fn files_of(text: &str) -> Vec<String> {
    match text.lines().next().map(serde_json::from_str) {
        Some(Ok(Line::Conversion { files, .. })) => files,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(tensor: usize) -> TensorDone {
        TensorDone { tensor, sha256: "ab".to_owned(), end: 7, crc: 1, packing: None }
    }

    #[test]
    fn remembers_what_was_done_and_forgets_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, progress) =
            Journal::open(folder.path(), "id", &[], false, false).unwrap();
        assert_eq!(progress, Progress::default());
        journal.record(&[Line::Tensor(done(0)), Line::File { file: 0 }]).unwrap();
        journal.file.write_all(b"{\"tens").unwrap();
        drop(journal);
        let (mut journal, progress) = Journal::open(folder.path(), "id", &[], true, false).unwrap();
        let files = vec![0];
        assert_eq!(progress, Progress { tensors: vec![done(0)], files, ..Progress::default() });
        journal.record(&[Line::Tensor(done(1))]).unwrap();
        drop(journal);
        let (mut journal, progress) = Journal::open(folder.path(), "id", &[], true, false).unwrap();
        assert_eq!(progress.tensors, [done(0), done(1)]);
        journal.record(&[Line::Anew { file: 0, tensors: 1..2 }]).unwrap();
        drop(journal);
        let (_, progress) = Journal::open(folder.path(), "id", &[], true, false).unwrap();
        assert_eq!(progress, Progress { tensors: vec![done(0)], ..Progress::default() });
    }

    #[test]
    fn refuses_what_is_not_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let open =
            |identity, resume, overwrite| Journal::open(path, identity, &[], resume, overwrite);
        assert!(matches!(open("id", true, false), Err(Error::Journal { .. })));
        assert!(!path.join(JOURNAL).exists(), "a refused resume leaves nothing");
        std::fs::write(path.join(JOURNAL), "").unwrap();
        let (journal, progress) = open("id", true, false).unwrap();
        assert_eq!(progress, Progress::default(), "killed before the first line");
        assert!(matches!(open("id", true, false), Err(Error::Locked { .. })));
        drop(journal);
        assert!(matches!(open("id", false, false), Err(Error::Unfinished { .. })));
        let error = open("other", true, false).unwrap_err();
        assert!(error.to_string().contains("of another conversion"), "{error}");
        std::fs::write(path.join(JOURNAL), "{}\n").unwrap();
        assert!(matches!(open("id", true, false), Err(Error::Journal { .. })));
        std::fs::write(path.join(JOURNAL), [0xFF, 0xFE]).unwrap();
        assert!(matches!(open("id", true, false), Err(Error::Journal { .. })));
        open("id", false, true).unwrap();
    }
}
