//! Positioned writes of whole blocks into a file that gets its final name only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::{ALIGNMENT, HAS_DIRECT, direct, write_full_at};
use crate::{Error, Result};

/// Buffered bytes after which write-back is forced, so that dirty pages never pile up.
const WRITE_BACK: u64 = 64 << 20;

/// A file being written, from any thread.
#[derive(Debug)]
pub(crate) struct FileWriter {
    path: PathBuf,
    buffered: File,
    direct: Option<File>,
    use_direct: AtomicBool,
    /// Bytes written through the page cache since the last write-back.
    dirty: AtomicU64,
}

impl FileWriter {
    /// Creates `path`, or reopens it to go on when `resume` is set, with room for `len` bytes.
    pub(crate) fn open(path: &Path, len: u64, resume: bool) -> Result<Self> {
        let buffered = if resume { OpenOptions::new().write(true).open(path) } else { anew(path) };
        let buffered = buffered.map_err(Error::io("create", path))?;
        let direct = HAS_DIRECT.then(|| direct(OpenOptions::new().write(true)).open(path));
        let direct = direct.and_then(io::Result::ok);
        let use_direct = AtomicBool::new(direct.is_some());
        let writer =
            Self { path: path.to_owned(), buffered, direct, use_direct, dirty: AtomicU64::new(0) };
        writer.reserve(len)?;
        Ok(writer)
    }

    /// Claims the disk space, so that a full disk shows before the work and not after it.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn reserve(&self, len: u64) -> Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        if len == 0 {
            return Ok(());
        }
        match fallocate(&self.buffered, FallocateFlags::empty(), 0, len) {
            // Not every file system can; then a full disk shows at the write.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
            Err(error) => Err(Error::io("reserve space for", &self.path)(error.into())),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn reserve(&self, _: u64) -> Result<()> {
        Ok(())
    }

    /// Writes `block` at `offset`. Both, and the memory, are multiples of [`ALIGNMENT`] or go
    /// through the page cache.
    pub(crate) fn write_at(&self, block: &[u8], offset: u64) -> Result<()> {
        let aligned = offset.is_multiple_of(ALIGNMENT as u64)
            && block.len().is_multiple_of(ALIGNMENT)
            && (block.as_ptr() as usize).is_multiple_of(ALIGNMENT);
        if let Some(file) =
            self.direct.as_ref().filter(|_| aligned && self.use_direct.load(Relaxed))
        {
            match write_full_at(file, block, offset) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.use_direct.store(false, Relaxed);
                }
                result => return result.map_err(Error::io("write", &self.path)),
            }
        }
        write_full_at(&self.buffered, block, offset).map_err(Error::io("write", &self.path))?;
        if self.dirty.fetch_add(block.len() as u64, Relaxed) + block.len() as u64 >= WRITE_BACK {
            self.dirty.store(0, Relaxed);
            self.sync()?;
            self.drop_from_cache();
        }
        Ok(())
    }

    /// Makes everything written so far survive a power cut.
    pub(crate) fn sync(&self) -> Result<()> {
        self.buffered.sync_data().map_err(Error::io("sync", &self.path))
    }

    /// Cuts the file to `len` bytes, appends `tail` and makes it durable.
    pub(crate) fn finish(self, len: u64, tail: &[u8]) -> Result<()> {
        let cut = Error::io("truncate", &self.path);
        self.buffered.set_len(len).map_err(cut)?;
        write_full_at(&self.buffered, tail, len).map_err(Error::io("write", &self.path))?;
        self.buffered.sync_all().map_err(Error::io("sync", &self.path))?;
        self.drop_from_cache();
        Ok(())
    }

    /// Frees the pages of a finished file: whoever loads it wants the memory.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn drop_from_cache(&self) {
        // Advice only: a refusal changes nothing but the cache.
        let _ = rustix::fs::fadvise(&self.buffered, 0, None, rustix::fs::Advice::DontNeed);
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn drop_from_cache(&self) {}
}

/// Creates `path`. What had the name is not written into: it may be a link, or have another name.
pub(crate) fn anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => OpenOptions::new().write(true).create_new(true).open(path),
    }
}

/// Makes renames in `folder` survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io("sync", folder))?;
    #[cfg(not(unix))]
    let _ = fs::metadata(folder);
    Ok(())
}
