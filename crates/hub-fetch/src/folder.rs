//! What is known of a folder from earlier downloads, and the lock on it.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::{Digest, Error, RemoteFile, RepoId, Result};

/// The name of the record in a folder that was downloaded.
///
/// It has one JSON object a line, is only ever appended to, and is locked while a download runs. It saves hashing
/// again what was hashed already; without it everything is hashed anew.
pub const RECORD: &str = ".hub-fetch";

/// A line of the record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A download began.
    Download(Job),
    /// A file was verified.
    File(Done),
}

/// What was to be downloaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) endpoint: String,
    pub(crate) repo: RepoId,
    pub(crate) revision: String,
    pub(crate) commit: String,
    pub(crate) files: Vec<RemoteFile>,
}

/// A file as it was when it was verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    name: String,
    digest: Option<Digest>,
    commit: String,
    stamp: Stamp,
}

/// What changes when somebody writes into a file: size, and seconds and nanoseconds of the last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp(u64, u64, u32);

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let changed =
            metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let changed = changed.unwrap_or_default();
        Self(metadata.len(), changed.as_secs(), changed.subsec_nanos())
    }
}

/// All lines together: of several about the same, the last one.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) job: Option<Job>,
    files: HashMap<String, Done>,
}

impl Record {
    /// Reads the record of a folder that nobody needs to be the only one in.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(RECORD);
        match fs::read(&path) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// A line that is not understood (cut short by a crash, of a later version) says nothing.
    fn parse(bytes: &[u8]) -> Self {
        let mut record = Self::default();
        for line in bytes.split(|&byte| byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Line::Download(job)) => record.job = Some(job),
                Ok(Line::File(done)) => {
                    record.files.insert(done.name.clone(), done);
                }
                Err(_) => {}
            }
        }
        record
    }

    /// True when a file was verified to be this one, and nobody wrote into it since.
    pub(crate) fn proves(&self, file: &RemoteFile, commit: &str, stamp: Stamp) -> bool {
        self.files.get(&file.name).is_some_and(|done| {
            // Without a digest, the same commit is what says that it is the same file.
            let same =
                done.digest == file.digest && (file.digest.is_some() || done.commit == commit);
            same && done.stamp == stamp && stamp.0 == file.size
        })
    }

    /// True when a file is one that was downloaded, whichever, and nobody wrote into it since.
    pub(crate) fn wrote(&self, name: &str, stamp: Stamp) -> bool {
        self.files.get(name).is_some_and(|done| done.stamp == stamp)
    }
}

/// A folder that is downloaded into, by nobody else.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) record: Record,
    file: Mutex<File>,
}

impl Folder {
    /// Makes the folder if need be, locks it and reads its record.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::io("create", path))?;
        let lock = path.join(RECORD);
        let file = OpenOptions::new().read(true).append(true).create(true).open(&lock);
        let mut file = file.map_err(Error::io("open", &lock))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: lock }),
            // Some network file systems have no locks; one download is then the user's care.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::io("read", &lock))?;
        if bytes.last().is_some_and(|&last| last != b'\n') {
            file.write_all(b"\n").map_err(Error::io("write", &lock))?;
        }
        let record = Record::parse(&bytes);
        Ok(Self { path: path.to_owned(), record, file: Mutex::new(file) })
    }

    /// Where a file of the repository goes. Its name was checked.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        place(&self.path, name)
    }

    /// Notes what is to be downloaded.
    pub(crate) fn begin(&self, job: Job) -> Result<()> {
        if self.record.job.as_ref() == Some(&job) {
            return Ok(());
        }
        self.append(&Line::Download(job))
    }

    /// Notes that a file is verified as it is now.
    pub(crate) fn done(&self, file: &RemoteFile, commit: &str) -> Result<()> {
        let path = self.file(&file.name);
        let metadata = fs::metadata(&path).map_err(Error::io("look at", &path))?;
        let stamp = Stamp::of(&metadata);
        if self.record.proves(file, commit, stamp) {
            return Ok(());
        }
        self.append(&Line::File(Done {
            name: file.name.clone(),
            digest: file.digest,
            commit: commit.to_owned(),
            stamp,
        }))
    }

    fn append(&self, line: &Line) -> Result<()> {
        let path = self.path.join(RECORD);
        let text = serde_json::to_string(line)
            .map_err(|error| Error::Record { path: path.clone(), reason: error.to_string() })?;
        let file = &mut *self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let written = file.write_all((text + "\n").as_bytes());
        written.map_err(Error::io("write", &path))
    }
}

/// A name with `/` as a path below a folder.
pub(crate) fn place(folder: &Path, name: &str) -> PathBuf {
    name.split('/').fold(folder.to_owned(), |path, part| path.join(part))
}

/// Makes names in `folder` survive a power cut.
pub(crate) fn sync(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io("sync", folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(digest: Option<Digest>) -> RemoteFile {
        RemoteFile { name: "a/b".to_owned(), size: 3, digest }
    }

    #[test]
    fn proofs_end_when_a_file_changes() {
        let temporary = tempfile::tempdir().unwrap();
        let file = remote(Some(Digest::sha256(b"abc")));
        let path = place(temporary.path(), &file.name);
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "abc").unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        assert!(matches!(Folder::open(temporary.path()), Err(Error::Locked { .. })));
        folder.done(&file, "c").unwrap();
        folder.file.lock().unwrap().write_all(b"{\"file\": {\"na").unwrap();
        drop(folder);

        let folder = Folder::open(temporary.path()).unwrap();
        let stamp = |path: &Path| Stamp::of(&fs::metadata(path).unwrap());
        let record = &folder.record;
        assert!(record.proves(&file, "another", stamp(&path)), "the digest says it all");
        assert!(!record.proves(&remote(Some(Digest::sha256(b"abd"))), "c", stamp(&path)));
        assert!(!record.proves(&remote(None), "c", stamp(&path)));
        assert!(record.wrote("a/b", stamp(&path)));
        let later =
            fs::metadata(&path).unwrap().modified().unwrap() + std::time::Duration::from_micros(1);
        File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
        assert!(!record.proves(&file, "c", stamp(&path)) && !record.wrote("a/b", stamp(&path)));

        folder.done(&remote(None), "c").unwrap();
        drop(folder);
        let record = Record::read(temporary.path()).unwrap();
        assert!(
            record.proves(&remote(None), "c", stamp(&path)),
            "the line after the cut one is read"
        );
        assert!(!record.proves(&remote(None), "d", stamp(&path)));
    }

    #[test]
    fn any_bytes_are_a_record() {
        assert!(Record::parse(b"\xff\n{}\n[]\n\n{\"file\":1}").files.is_empty());
    }
}
