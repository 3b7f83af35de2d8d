//! A writer that keeps count.

use std::io::{self, Write};

use crate::TRAILER_LEN;

/// Counts the bytes that pass, sums them if asked, and remembers the last ones.
#[derive(Debug)]
pub(crate) struct Tracked<W> {
    pub(crate) inner: W,
    pub(crate) bytes: u64,
    hasher: Option<crc32fast::Hasher>,
    pub(crate) tail: [u8; TRAILER_LEN],
}

impl<W: Write> Tracked<W> {
    pub(crate) fn new(inner: W, crc: bool) -> Self {
        let hasher = crc.then(crc32fast::Hasher::new);
        Self { inner, bytes: 0, hasher, tail: [0; TRAILER_LEN] }
    }

    pub(crate) fn crc(&self) -> Option<u32> {
        self.hasher.clone().map(crc32fast::Hasher::finalize)
    }
}

impl<W: Write> Write for Tracked<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        let part = buffer.get(..written).unwrap_or(buffer);
        self.bytes += part.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(part);
        }
        let keep = part.len().min(TRAILER_LEN);
        self.tail.rotate_left(keep);
        self.tail[TRAILER_LEN - keep..].copy_from_slice(&part[part.len() - keep..]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
