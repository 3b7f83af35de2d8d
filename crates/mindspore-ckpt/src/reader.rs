//! Opening a checkpoint and reading its tensors.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::advice::advise;
use crate::crc::Trailer;
use crate::scan::{Report, Scanned, scan};
use crate::{Dtype, Entry, Error, Finding, FindingKind, MapEntry, Result, Source};

/// Warnings that are kept; a hostile file could cause one for every few of its bytes.
const MAX_WARNINGS: usize = 1000;

/// A checkpoint whose tensors are known and whose contents are read on demand.
///
/// Opening reads the headers only, however large the tensors are. Reading takes `&self`, so a
/// reader can be shared between threads.
///
/// ```no_run
/// use mindspore_ckpt::Reader;
///
/// let reader = Reader::open("gpt_oss_20b.ckpt")?;
/// for entry in reader.entries() {
///     println!("{} {} {:?}", entry.name(), entry.dtype(), entry.dims());
/// }
/// if let Some(entry) = reader.entry("model.norm.weight") {
///     let mut first_row = [0; 16];
///     reader.read_at(entry, 0, &mut first_row)?;
/// }
/// # Ok::<(), mindspore_ckpt::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<S = File> {
    source: S,
    size: u64,
    entries: Vec<Entry>,
    maps: Vec<MapEntry>,
    index: HashMap<String, usize>,
    trailer: Option<Trailer>,
    warnings: Vec<Finding>,
}

#[cfg(any(unix, windows))]
impl Reader<File> {
    /// Opens and indexes a file.
    ///
    /// # Errors
    ///
    /// See [`new`](Self::new); every error names the file ([`Error::InFile`]).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        File::open(path)
            .map_err(Error::io("open", 0))
            .and_then(Self::new)
            .map_err(|error| error.in_file(path))
    }
}

impl<S: Source> Reader<S> {
    /// Indexes a checkpoint; `source` can also be bytes in memory.
    ///
    /// # Errors
    ///
    /// Everything that [`verify`](crate::verify()) calls an error, checksum and leftover fields
    /// aside: this stops at the first one.
    pub fn new(source: S) -> Result<Self> {
        let mut strict = Strict::default();
        let scanned = scan(&source, &mut strict)?;
        advise(&scanned, &mut strict);
        let Scanned { joined, trailer, size, .. } = scanned;
        if let Some(Trailer { offset, crc: None }) = trailer {
            let message = format!("byte {offset}: the CRC trailer has more than 32 bits");
            strict.warn(Finding::warning(FindingKind::BadTrailer, message).at(offset));
        }
        let index = joined.names.into_iter();
        let index = index.filter_map(|(name, seen)| Some((name, seen.entry?))).collect();
        let (entries, maps, warnings) = (joined.entries, joined.maps, strict.warnings);
        Ok(Self { source, size, entries, maps, index, trailer, warnings })
    }

    /// The tensors, in file order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The tensor of that name.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.index.get(name).and_then(|&index| self.entries.get(index))
    }

    /// The map tensors, which cannot be read, in file order.
    #[must_use]
    pub fn maps(&self) -> &[MapEntry] {
        &self.maps
    }

    /// Bytes of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The checksum that the file ends with, if it does; [`verify`](crate::verify()) compares it.
    #[must_use]
    pub fn crc(&self) -> Option<u32> {
        self.trailer.and_then(|trailer| trailer.crc)
    }

    /// What is odd about the file or not loaded by every MindSpore; at most 1,000 findings.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// What the tensors are read from.
    #[must_use]
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Fills `buffer` with the tensor's content from byte `offset` of it on, across slices.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] where that is more than the content, and failed reads.
    pub fn read_at(&self, entry: &Entry, mut offset: u64, mut buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len() as u64;
        if offset.checked_add(len).is_none_or(|end| end > entry.byte_len) {
            return Err(Error::OutOfRange {
                tensor: entry.name().to_owned(),
                offset,
                len,
                byte_len: entry.byte_len,
            });
        }
        let first = entry.ends.partition_point(|&end| end <= offset);
        for (slice, end) in entry.slices.iter().zip(&entry.ends).skip(first) {
            if buffer.is_empty() {
                break;
            }
            let left = end - offset;
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let (part, rest) = buffer.split_at_mut(take);
            let at = slice.offset + (slice.len - left);
            self.source.read_exact_at(part, at).map_err(Error::io("read", at))?;
            offset += take as u64;
            buffer = rest;
        }
        Ok(())
    }

    /// Reads the whole content into memory.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`], and failed reads.
    pub fn read(&self, entry: &Entry) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let len = usize::try_from(entry.byte_len).unwrap_or(usize::MAX);
        content.try_reserve_exact(len).map_err(|_| Error::OutOfMemory {
            tensor: entry.name().to_owned(),
            byte_len: entry.byte_len,
        })?;
        content.resize(len, 0);
        self.read_at(entry, 0, &mut content)?;
        Ok(content)
    }

    /// Reads the text of a [`Dtype::Str`] entry, without the NULs at its end, as MindSpore does.
    ///
    /// # Errors
    ///
    /// [`Error::NotText`], and what [`read`](Self::read) can fail with.
    pub fn read_text(&self, entry: &Entry) -> Result<String> {
        let dtype = entry.dtype();
        let not_text = || Error::NotText { tensor: entry.name().to_owned(), dtype };
        if dtype != Dtype::Str {
            return Err(not_text());
        }
        let content = self.read(entry)?;
        let (chars, _) = content.as_chunks();
        let text: Option<String> =
            chars.iter().map(|&char| char::from_u32(u32::from_le_bytes(char))).collect();
        let mut text = text.ok_or_else(not_text)?;
        text.truncate(text.trim_end_matches('\0').len());
        Ok(text)
    }

    /// The content as a stream.
    pub fn content<'r>(&'r self, entry: &'r Entry) -> Content<'r, S> {
        Content { reader: self, entry, position: 0 }
    }
}

/// A tensor's content as a stream, without a buffer; see [`Reader::content`].
#[derive(Debug)]
pub struct Content<'r, S = File> {
    reader: &'r Reader<S>,
    entry: &'r Entry,
    position: u64,
}

impl<S: Source> Read for Content<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.entry.byte_len.saturating_sub(self.position);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.reader.read_at(self.entry, self.position, &mut buffer[..len]).map_err(|error| {
            match error {
                Error::Io { source, .. } => source,
                other => io::Error::other(other),
            }
        })?;
        self.position += len as u64;
        Ok(len)
    }
}

/// Stops at the first fault and keeps the warnings.
#[derive(Debug, Default)]
struct Strict {
    warnings: Vec<Finding>,
}

impl Report for Strict {
    fn fault(&mut self, error: Error) -> Result<()> {
        Err(error)
    }

    fn warn(&mut self, warning: Finding) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }
}
