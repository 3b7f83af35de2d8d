//! Writing the content of one tensor.

use std::io::{self, Write};

use crate::layout::Slices;
use crate::wire::record_header;
use crate::{Error, Result, TensorSpec, Writer};

/// Takes the content of one tensor, in as many writes as you like; see [`Writer::tensor`].
///
/// A write past the end of the tensor fails as a whole. Dropping this without
/// [`finish`](Self::finish) spoils the file.
#[derive(Debug)]
#[must_use = "a tensor that is not finished spoils the file"]
pub struct TensorWriter<'w, W: Write> {
    writer: &'w mut Writer<W>,
    spec: TensorSpec,
    slices: Slices,
    written: u64,
    slice_end: u64,
    /// A header was written in part; nothing can follow it.
    failed: bool,
}

impl<'w, W: Write> TensorWriter<'w, W> {
    /// Writes the first header.
    pub(crate) fn begin(
        writer: &'w mut Writer<W>,
        spec: TensorSpec,
        slices: Slices,
    ) -> Result<Self> {
        let offset = writer.out.bytes;
        let mut tensor = Self { writer, spec, slices, written: 0, slice_end: 0, failed: false };
        tensor.next_slice().map_err(Error::io("write", offset))?;
        Ok(tensor)
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes still to be written.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.slices.byte_len() - self.written
    }

    /// Ends the tensor.
    ///
    /// # Errors
    ///
    /// Fewer bytes were written than the tensor has, or a write failed inside a header.
    pub fn finish(self) -> Result<()> {
        if self.remaining() > 0 {
            return Err(Error::TooLittleContent {
                tensor: self.spec.name,
                expected: self.slices.byte_len(),
                given: self.written,
            });
        }
        if self.failed {
            return Err(Error::Unfinished { tensor: self.spec.name });
        }
        self.writer.broken = None;
        self.writer.last = Some(self.spec);
        Ok(())
    }

    /// Writes all of `content`, with this crate's errors.
    pub(crate) fn put(&mut self, content: &[u8]) -> Result<()> {
        let offset = self.writer.out.bytes;
        self.write_all(content).map_err(Error::io("write", offset))
    }

    fn next_slice(&mut self) -> io::Result<()> {
        if let Some(slice) = self.slices.next() {
            let header = record_header(&self.spec, slice.end - slice.start);
            self.failed = true;
            self.writer.out.write_all(&header)?;
            self.failed = false;
            self.slice_end = slice.end;
        }
        Ok(())
    }
}

impl<W: Write> Write for TensorWriter<'_, W> {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let len = content.len() as u64;
        if len > self.remaining() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                Error::TooMuchContent {
                    tensor: self.spec.name.clone(),
                    expected: self.slices.byte_len(),
                    given: self.written.saturating_add(len),
                },
            ));
        }
        if len == 0 {
            return Ok(0);
        }
        if self.failed {
            return Err(io::Error::other(Error::Unfinished { tensor: self.spec.name.clone() }));
        }
        if self.written == self.slice_end {
            self.next_slice()?;
        }
        let room = self.slice_end - self.written;
        let part = &content[..content.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        let written = self.writer.out.write(part)?.min(part.len());
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.out.flush()
    }
}
