//! Positioned reads: from the page cache what is in it, the rest straight from the disk.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{ALIGNMENT, AlignedBuf, HAS_DIRECT, direct, read_full_at};
use crate::{Error, Result};

/// Shorter runs are better off with what the system reads ahead.
const WORTH_DIRECT: u64 = 64 << 10;

/// A file to read ranges of, from any thread.
#[derive(Debug)]
pub(crate) struct FileReader {
    path: PathBuf,
    buffered: File,
    /// Opened at the first read that it is worth.
    direct: OnceLock<Option<File>>,
    /// Cleared for good when the file system turns out to refuse direct reads.
    use_direct: AtomicBool,
}

/// What one thread read ahead.
///
/// Direct reads are whole pages and pay per request, so more is read than asked for and kept for
/// the following reads of the same run.
#[derive(Debug)]
pub(crate) struct ReadWindow {
    buffer: AlignedBuf,
    file: usize,
    /// The file's bytes in `buffer`.
    held: Range<u64>,
    /// Set where bytes are read several times: the page cache then keeps them in between.
    pub(crate) reread: bool,
    /// A range of `file` found in the page cache, to be read from there.
    cached: Range<u64>,
}

impl ReadWindow {
    /// A window that reads up to `capacity` bytes ahead.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(ALIGNMENT) + ALIGNMENT;
        Self {
            buffer: AlignedBuf::new(capacity),
            file: usize::MAX,
            held: 0..0,
            reread: false,
            cached: 0..0,
        }
    }
}

impl FileReader {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let buffered = File::open(path).map_err(Error::io("open", path))?;
        let use_direct = AtomicBool::new(HAS_DIRECT);
        Ok(Self { path: path.to_owned(), buffered, direct: OnceLock::new(), use_direct })
    }

    fn direct(&self) -> Option<&File> {
        let open = || direct(OpenOptions::new().read(true)).open(&self.path).ok();
        self.direct.get_or_init(open).as_ref().filter(|_| self.use_direct.load(Relaxed))
    }

    /// Fills `dst` from `offset`; `ahead` bytes from there will be wanted in a row. `id` tells this
    /// file from the others that share the window.
    pub(crate) fn read_at(
        &self,
        id: usize,
        offset: u64,
        dst: &mut [u8],
        ahead: u64,
        window: &mut ReadWindow,
    ) -> Result<()> {
        if window.file != id {
            (window.file, window.held, window.cached) = (id, 0..0, 0..0);
        }
        let mut done = 0;
        while done < dst.len() {
            let at = offset + done as u64;
            let rest = &mut dst[done..];
            if window.held.contains(&at) {
                let from = (at - window.held.start) as usize;
                let count = rest.len().min((window.held.end - at) as usize);
                rest[..count].copy_from_slice(&window.buffer.bytes()[from..from + count]);
                done += count;
                continue;
            }
            let end = offset + (dst.len() as u64).max(ahead);
            if !window.cached.contains(&at) && !self.fill_window(at..end, window)? {
                window.cached = at..end;
            }
            if window.cached.contains(&at) {
                let rest = &mut dst[done..];
                let count = rest.len().min((window.cached.end - at) as usize);
                self.read_buffered(&mut rest[..count], at)?;
                done += count;
            }
        }
        Ok(())
    }

    /// Reads the start of `range` into the window; false where buffered reads serve better.
    fn fill_window(&self, range: Range<u64>, window: &mut ReadWindow) -> Result<bool> {
        if !self.use_direct.load(Relaxed) {
            return Ok(false);
        }
        if window.reread || range.end - range.start < WORTH_DIRECT || self.in_page_cache(&range) {
            return Ok(false);
        }
        let Some(file) = self.direct() else { return Ok(false) };
        let page = ALIGNMENT as u64;
        let start = range.start / page * page;
        let wanted = (range.end - start).next_multiple_of(page) as usize;
        let len = wanted.min(window.buffer.len());
        window.held = 0..0;
        match read_full_at(file, &mut window.buffer.bytes_mut()[..len], start) {
            Ok(count) if start + count as u64 > range.start => {
                window.held = start..start + count as u64;
                Ok(true)
            }
            Ok(count) => Err(self.truncated(range.start + 1, start + count as u64)),
            Err(_) => {
                // Whatever the reason, the buffered read that follows works or reports it.
                self.use_direct.store(false, Relaxed);
                Ok(false)
            }
        }
    }

    fn read_buffered(&self, dst: &mut [u8], offset: u64) -> Result<()> {
        let count =
            read_full_at(&self.buffered, dst, offset).map_err(Error::io("read", &self.path))?;
        if count < dst.len() {
            return Err(self.truncated(offset + dst.len() as u64, offset + count as u64));
        }
        Ok(())
    }

    fn truncated(&self, expected: u64, actual: u64) -> Error {
        Error::SourceTruncated { path: self.path.clone(), expected, actual }
    }

    /// Looks at the first, the middle and the last byte of `range` without starting a read.
    #[cfg(target_os = "linux")]
    fn in_page_cache(&self, range: &Range<u64>) -> bool {
        use rustix::io::{ReadWriteFlags, preadv2};
        let probes = [range.start, range.start.midpoint(range.end - 1), range.end - 1];
        probes.into_iter().all(|offset| {
            let mut byte = [0];
            let mut into = [std::io::IoSliceMut::new(&mut byte)];
            matches!(preadv2(&self.buffered, &mut into, offset, ReadWriteFlags::NOWAIT), Ok(1))
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn in_page_cache(&self, _: &Range<u64>) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        let bytes: Vec<u8> = (0..40_000_u32).map(|index| (index * 7 % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let reader = FileReader::open(&path).unwrap();
        let mut window = ReadWindow::new(8192);
        for (start, len, ahead) in [
            (0, 1, 1),
            (5, 4091, 40_000 - 5),
            (4096, 4096, 4096),
            (39_000, 1000, 1000),
            (1, 39_999, 39_999),
        ] {
            let mut dst = vec![0; len];
            reader.read_at(0, start as u64, &mut dst, ahead, &mut window).unwrap();
            assert_eq!(dst, bytes[start..start + len], "{start}+{len}");
        }
        let error = reader.read_at(0, 39_999, &mut [0; 2], 2, &mut window).unwrap_err();
        assert!(matches!(error, Error::SourceTruncated { expected: 40_001, actual: 40_000, .. }));
        let error = reader.read_at(0, 100_000, &mut [0; 2], 2, &mut window).unwrap_err();
        assert!(matches!(error, Error::SourceTruncated { .. }), "{error}");
    }
}
