//! Where the bytes of a shard come from: a file, mapped or read by position, or memory.
//!
//! The only unsafe code of the crate is here: the call that maps a file.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use memmap2::Mmap;

use crate::{Bytes, Error, Result};

/// The bytes of one shard.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    len: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Mapped {
        file: File,
        map: OnceLock<Bytes>,
    },
    /// Holds the file while the header is read and once somebody asked for it.
    Positioned {
        file: OnceLock<File>,
        identity: Identity,
    },
    Memory(Bytes),
}

impl Bytes {
    /// All bytes of a file of any format, mapped; what holds for a
    /// [`Checkpoint`](crate::Checkpoint#files-that-change)'s files holds for this one.
    ///
    /// ```no_run
    /// let weights = safeshards::Bytes::map_file("gpt_oss_20b.ckpt")?;
    /// # Ok::<(), safeshards::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::NotAFile`] for anything that is no regular file.
    pub fn map_file(path: impl AsRef<Path>) -> Result<Self> {
        let source = Source::open(path.as_ref().to_owned(), true)?;
        Ok(source.bytes()?.cloned().unwrap_or_else(|| Self::from(Vec::new())))
    }
}

impl Source {
    /// Opens a regular file. Nothing is mapped before bytes are asked for.
    pub(crate) fn open(path: PathBuf, mmap: bool) -> Result<Self> {
        // Asked before opening: opening a FIFO waits for its other end.
        let kind = fs::metadata(&path).map_err(Error::io("open", &path))?;
        if !kind.is_file() {
            return Err(Error::NotAFile { path });
        }
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let metadata = file.metadata().map_err(Error::io("ask for the length of", &path))?;
        let len = metadata.len();
        let kind = if mmap {
            Kind::Mapped { file, map: OnceLock::new() }
        } else {
            Kind::Positioned { file: OnceLock::from(file), identity: identity(&metadata) }
        };
        Ok(Self { path, len, kind })
    }

    /// Takes bytes that are already in memory; `path` is what errors call them.
    pub(crate) fn memory(path: PathBuf, bytes: Bytes) -> Self {
        Self { path, len: bytes.len() as u64, kind: Kind::Memory(bytes) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn file(&self) -> Option<&File> {
        match &self.kind {
            Kind::Mapped { file, .. } => Some(file),
            Kind::Positioned { file, identity } => {
                if file.get().is_none() {
                    // Another thread may be first; then its file stands and this one closes.
                    let _ = file.set(self.reopen(*identity).ok()?);
                }
                file.get()
            }
            Kind::Memory(_) => None,
        }
    }

    /// Closes a file that is read by position until it is needed again: a checkpoint may have more
    /// shards than a process may have open files.
    pub(crate) fn rest(&mut self) {
        if let Kind::Positioned { file, .. } = &mut self.kind {
            file.take();
        }
    }

    /// All bytes of the file, mapped at the first call; `None` when mapping is switched off.
    pub(crate) fn bytes(&self) -> Result<Option<&Bytes>> {
        match &self.kind {
            Kind::Mapped { file, map } => {
                if map.get().is_none() {
                    // Another thread may be first; then its mapping stands and this one goes.
                    let _ = map.set(self.map(file)?);
                }
                Ok(map.get())
            }
            Kind::Positioned { .. } => Ok(None),
            Kind::Memory(bytes) => Ok(Some(bytes)),
        }
    }

    /// Fills `buffer` from byte `offset` of the file on, without a mapping.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let read = match &self.kind {
            Kind::Mapped { file, .. } => read_exact_at(file, offset, buffer),
            Kind::Positioned { file, identity } => match file.get() {
                Some(file) => read_exact_at(file, offset, buffer),
                None => read_exact_at(&self.reopen(*identity)?, offset, buffer),
            },
            Kind::Memory(bytes) => copy_at(bytes, offset, buffer),
        };
        read.map_err(|source| Error::Read {
            path: self.path.clone(),
            offset,
            len: buffer.len() as u64,
            source,
        })
    }

    /// Opens the file again, if it still is the one whose header was read.
    fn reopen(&self, then: Identity) -> Result<File> {
        let file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        let metadata = file.metadata();
        let metadata = metadata.map_err(Error::io("ask for the length of", &self.path))?;
        if metadata.len() != self.len {
            return Err(Error::FileChanged {
                path: self.path.clone(),
                expected: self.len,
                actual: metadata.len(),
            });
        }
        if identity(&metadata) != then {
            return Err(Error::FileReplaced { path: self.path.clone() });
        }
        Ok(file)
    }

    fn map(&self, file: &File) -> Result<Bytes> {
        // SAFETY: The mapping is read-only and private, and lives as long as any slice of it,
        // through `Bytes`. What Rust cannot prove is that nobody changes or truncates the file
        // meanwhile: that is the caller's part, stated in the crate's documentation, and
        // `OpenOptions::mmap(false)` is the way out for those who cannot promise it.
        let map = unsafe { Mmap::map(file) }.map_err(Error::io("map", &self.path))?;
        if map.len() as u64 != self.len {
            return Err(Error::FileChanged {
                path: self.path.clone(),
                expected: self.len,
                actual: map.len() as u64,
            });
        }
        advise(&map);
        Ok(Bytes::from_owner(map))
    }
}

/// Asks for large pages: where the file system has them (ext4 since Linux 6.16) and the file is not in the page cache yet,
/// it is read in pieces of 2 MiB and mapped as such, which costs fewer faults and fewer misses of the TLB.
fn advise(map: &Mmap) {
    /// Smaller files are read once and soon, and would gain nothing.
    const LARGE: usize = 64 << 20;
    // Advice only: a refusal changes nothing but the time that reading takes.
    #[cfg(target_os = "linux")]
    if map.len() >= LARGE {
        let _ = map.advise(memmap2::Advice::HugePage);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (map, LARGE);
}

/// What tells a file from another one under the same name.
type Identity = Option<(u64, u64)>;

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such numbers")]
fn identity(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Identity {
    None
}

fn copy_at(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    let part = usize::try_from(offset)
        .ok()
        .and_then(|begin| bytes.get(begin..begin.checked_add(buffer.len())?))
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    buffer.copy_from_slice(part);
    Ok(())
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                offset += read as u64;
                buffer = &mut buffer[read..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
