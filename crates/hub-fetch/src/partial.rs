//! A file that is not whole yet, and the note beside it of what it has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::ranges::Ranges;
use crate::{Digest, Error, RemoteFile, Result};

/// What a file is called until it is whole: its name and this.
pub(crate) const PARTIAL: &str = ".partial";
/// What the note is called: the name of the partial file and this.
pub(crate) const STATE: &str = ".state";

/// After so many new bytes, or so long, a note is made of what came. What comes after the last note is lost when
/// the process is killed.
const NOTE_BYTES: u64 = 16 << 20;
const NOTE_EVERY: Duration = Duration::from_secs(2);

/// A file being downloaded, written from several threads.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    file: File,
    size: u64,
    digest: Option<Digest>,
    have: Mutex<Have>,
    notes: Mutex<File>,
}

#[derive(Debug)]
struct Have {
    ranges: Ranges,
    etag: Option<String>,
    unnoted: u64,
    noted: Instant,
}

/// A line of the note. The last whole one holds.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    size: u64,
    /// What the whole must become: bytes of another content are of no use.
    digest: Option<Digest>,
    /// The server's tag of the content, which matters where there is no digest.
    etag: Option<String>,
    /// Ranges that were on the disk when the line was written.
    have: Vec<(u64, u64)>,
}

impl Partial {
    /// How many bytes an earlier run left of this file; `path` is that of the whole.
    pub(crate) fn left(path: &Path, file: &RemoteFile) -> u64 {
        let partial = with_suffix(path, PARTIAL);
        load(&partial, file).map_or(0, |(ranges, _)| ranges.len())
    }

    /// Opens what an earlier run left, or begins anew, with room for all of the file.
    pub(crate) fn open(path: &Path, file: &RemoteFile) -> Result<Self> {
        let path = with_suffix(path, PARTIAL);
        let notes_path = with_suffix(&path, STATE);
        let left = load(&path, file);
        if left.is_none() {
            // What has the name is not written into: it may be a link, or have another name.
            remove(&path)?;
            remove(&notes_path)?;
        }
        let open = |path: &Path, options: &mut OpenOptions| {
            options.create(true).truncate(false).open(path).map_err(Error::io("create", path))
        };
        let data = open(&path, OpenOptions::new().write(true))?;
        let notes = open(&notes_path, OpenOptions::new().append(true))?;
        let (ranges, etag) = left.unwrap_or_default();
        let have = Have { ranges, etag, unnoted: 0, noted: Instant::now() };
        let partial = Self {
            path,
            file: data,
            size: file.size,
            digest: file.digest,
            have: Mutex::new(have),
            notes: Mutex::new(notes),
        };
        partial.reserve()?;
        Ok(partial)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are there.
    pub(crate) fn len(&self) -> u64 {
        self.have().ranges.len()
    }

    /// What is missing, in pieces.
    pub(crate) fn missing(&self, piece: u64) -> Vec<Range<u64>> {
        self.have().ranges.missing(self.size, piece)
    }

    pub(crate) fn etag(&self) -> Option<String> {
        self.have().etag.clone()
    }

    pub(crate) fn set_etag(&self, etag: Option<String>) {
        self.have().etag = etag;
    }

    /// Writes bytes to their place, and notes now and then what is there.
    pub(crate) fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        write_all_at(&self.file, bytes, at).map_err(Error::io("write", &self.path))?;
        let len = bytes.len() as u64;
        let mut have = self.have();
        have.ranges.insert(at..at + len);
        have.unnoted += len;
        let due = have.unnoted >= NOTE_BYTES || have.noted.elapsed() >= NOTE_EVERY;
        drop(have);
        // One thread at a time is enough; the others go on.
        match due.then(|| self.notes.try_lock()) {
            Some(Ok(notes)) => self.note_with(notes),
            _ => Ok(()),
        }
    }

    /// Makes what is there durable, and notes it.
    pub(crate) fn note(&self) -> Result<()> {
        self.note_with(self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note_with(&self, mut notes: MutexGuard<'_, File>) -> Result<()> {
        let line = {
            let mut have = self.have();
            (have.unnoted, have.noted) = (0, Instant::now());
            Note {
                size: self.size,
                digest: self.digest,
                etag: have.etag.clone(),
                have: have.ranges.pairs(),
            }
        };
        // First the bytes, then the line that speaks of them.
        self.file.sync_data().map_err(Error::io("sync", &self.path))?;
        let path = with_suffix(&self.path, STATE);
        let text = serde_json::to_string(&line).map_err(io::Error::other);
        let written = text.and_then(|text| notes.write_all((text + "\n").as_bytes()));
        written.map_err(Error::io("write", &path))
    }

    /// Forgets what is there; returns how much it was.
    pub(crate) fn forget(&self) -> Result<u64> {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let path = with_suffix(&self.path, STATE);
        notes.set_len(0).map_err(Error::io("truncate", &path))?;
        let mut have = self.have();
        let lost = have.ranges.len();
        (have.ranges, have.etag, have.unnoted) = (Ranges::default(), None, 0);
        Ok(lost)
    }

    /// Gives the whole its name, durably.
    pub(crate) fn finish(&self, path: &Path) -> Result<()> {
        self.file.set_len(self.size).map_err(Error::io("truncate", &self.path))?;
        self.file.sync_all().map_err(Error::io("sync", &self.path))?;
        fs::rename(&self.path, path).map_err(Error::io("rename to", path))?;
        remove(&with_suffix(&self.path, STATE))?;
        path.parent().map_or(Ok(()), crate::folder::sync)
    }

    /// Removes it: its content is not what it should be.
    pub(crate) fn discard(&self) -> Result<()> {
        remove(&self.path)?;
        remove(&with_suffix(&self.path, STATE))
    }

    fn have(&self) -> MutexGuard<'_, Have> {
        self.have.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the disk space, so that a full disk shows before the work and not after it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn reserve(&self) -> Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        if self.size == 0 {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::empty(), 0, self.size) {
            // Not every file system can; then a full disk shows at the write.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(Error::io("reserve space for", &self.path)(error.into())),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn reserve(&self) -> Result<()> {
        Ok(())
    }
}

/// `weights` becomes `weights.partial`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The bytes that a partial file takes on the disk already.
pub(crate) fn allocated(path: &Path) -> u64 {
    let Ok(metadata) = fs::symlink_metadata(with_suffix(path, PARTIAL)) else { return 0 };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // In units of 512 bytes, whatever the file system's own (POSIX, sys/stat.h).
        metadata.blocks().saturating_mul(512)
    }
    #[cfg(not(unix))]
    metadata.len()
}

/// What an earlier run noted of the partial file `path`, if that is good for `file`.
fn load(path: &Path, file: &RemoteFile) -> Option<(Ranges, Option<String>)> {
    let metadata = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    let state = with_suffix(path, STATE);
    // Nor is a link believed that leads to somebody else's note.
    fs::symlink_metadata(&state).ok().filter(fs::Metadata::is_file)?;
    let (ranges, etag) = parse(&fs::read(state).ok()?, file)?;
    let end = ranges.pairs().last().map_or(0, |&(_, end)| end);
    (end <= metadata.len()).then_some((ranges, etag))
}

fn parse(notes: &[u8], file: &RemoteFile) -> Option<(Ranges, Option<String>)> {
    // What follows the last line end was cut short.
    let whole = &notes[..=notes.iter().rposition(|&byte| byte == b'\n')?];
    let last = whole.split(|&byte| byte == b'\n').rev().find(|line| !line.is_empty())?;
    let note: Note = serde_json::from_slice(last).ok()?;
    let same = note.size == file.size && note.digest == file.digest;
    // Without a digest, the server's tag is what tells contents apart.
    let told = note.digest.is_some() || note.etag.is_some();
    let ranges = Ranges::from_pairs(&note.have, file.size)?;
    (same && told).then_some((ranges, note.etag))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        if count == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        (bytes, at) = (&bytes[count..], at + count as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn remote(bytes: &[u8]) -> RemoteFile {
        let digest = Some(Digest::sha256(bytes));
        RemoteFile { name: "w".to_owned(), size: bytes.len() as u64, digest }
    }

    #[test]
    fn goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let file = remote(b"0123456789");
        let partial = Partial::open(&path, &file).unwrap();
        partial.write(b"34", 3).unwrap();
        partial.write(b"01", 0).unwrap();
        partial.note().unwrap();
        partial.write(b"9", 9).unwrap();
        drop(partial);
        assert_eq!(Partial::left(&path, &file), 4, "the last byte was not noted");
        let partial = Partial::open(&path, &file).unwrap();
        assert_eq!(partial.missing(4), [2..3, 5..9, 9..10]);
        partial.write(b"2", 2).unwrap();
        partial.write(b"56789", 5).unwrap();
        assert!(partial.missing(4).is_empty() && !path.exists());
        partial.finish(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"0123456789");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_content_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let leave = || {
            let partial = Partial::open(&path, &remote(b"0123456789")).unwrap();
            partial.write(b"01", 0).unwrap();
            partial.note().unwrap();
        };
        leave();
        assert_eq!(Partial::left(&path, &remote(b"012345678X")), 0);
        assert_eq!(Partial::left(&path, &remote(b"0123456789x")), 0);
        assert_eq!(Partial::left(&path, &remote(b"0123456789")), 2);
        // Shorter than the note says.
        File::options().write(true).open(with_suffix(&path, PARTIAL)).unwrap().set_len(1).unwrap();
        assert_eq!(Partial::left(&path, &remote(b"0123456789")), 0);
        leave();
        let partial = Partial::open(&path, &remote(b"0123456789")).unwrap();
        assert_eq!(partial.forget().unwrap(), 2);
        drop(partial);
        assert_eq!(Partial::left(&path, &remote(b"0123456789")), 0);
    }

    #[test]
    fn without_a_digest_the_tag_tells() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let file = RemoteFile { digest: None, ..remote(b"0123456789") };
        for (etag, left) in [(None, 0), (Some("\"x\"".to_owned()), 3)] {
            let partial = Partial::open(&path, &file).unwrap();
            partial.set_etag(etag.clone());
            partial.write(b"012", 0).unwrap();
            partial.note().unwrap();
            drop(partial);
            assert_eq!(Partial::left(&path, &file), left);
            assert_eq!(Partial::open(&path, &file).unwrap().etag(), etag);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w");
        let other = folder.path().join("other");
        fs::write(&other, "precious").unwrap();
        for suffix in [".partial", ".partial.state"] {
            std::os::unix::fs::symlink(&other, with_suffix(&path, suffix)).unwrap();
        }
        let partial = Partial::open(&path, &remote(b"0123456789")).unwrap();
        partial.write(b"0123456789", 0).unwrap();
        partial.finish(&path).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"precious");
    }

    #[test]
    fn notes_cut_anywhere() {
        let file = remote(b"0123456789");
        let line = |have: &str| {
            let digest = file.digest.unwrap();
            format!("{{\"size\":10,\"digest\":\"{digest}\",\"etag\":null,\"have\":{have}}}\n")
        };
        let notes = line("[[0,2]]") + &line("[[0,2],[5,6]]");
        let len = |bytes: &[u8]| parse(bytes, &file).map(|(ranges, _)| ranges.len());
        for end in 0..=notes.len() {
            let expected = match end {
                _ if end == notes.len() => Some(3),
                _ if end >= line("[[0,2]]").len() => Some(2),
                _ => None,
            };
            assert_eq!(len(&notes.as_bytes()[..end]), expected, "{end}");
        }
        assert_eq!(len(line("[[0,11]]").as_bytes()), None);
        assert_eq!(len(line("[[5,2]]").as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_notes(bytes: Vec<u8>) {
            let _ = parse(&bytes, &remote(b"0123456789"));
        }
    }
}
