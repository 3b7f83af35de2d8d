//! The exact file before a byte of it is written.

use std::collections::HashSet;
use std::ops::Range;

use crate::spec::MAX_BYTES;
use crate::wire::record_header;
use crate::{Error, Place, Result, TRAILER_LEN, TensorSpec};

/// Where MindSpore cuts large tensors: 512 MiB.
pub const DEFAULT_SLICE_BYTES: u64 = 512 << 20;

/// The most records that a [`Layout`] lists.
pub const MAX_RECORDS: usize = 1 << 20;

/// How tensors are cut and whether a checksum follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutOptions {
    /// Most bytes of content in one record, rounded down to whole elements but at least one.
    /// Default 512 MiB, as MindSpore has it.
    pub slice_bytes: u64,
    /// Whether the file ends with a checksum, which MindSpore before 2.3.0 cannot read. Default
    /// no.
    pub crc: bool,
}

impl Default for LayoutOptions {
    fn default() -> Self {
        Self { slice_bytes: DEFAULT_SLICE_BYTES, crc: false }
    }
}

/// A file without its contents: every header, and where every byte of every tensor goes.
///
/// Whoever knows the layout can write the tensors in any order, from several threads, or straight
/// to a disk. [`Writer`](crate::Writer) gives the same bytes.
///
/// One thing cannot be known without the contents: whether the body happens to end like a
/// checksum trailer. See [`looks_like_trailer`](crate::looks_like_trailer).
///
/// ```
/// use mindspore_ckpt::{Dtype, Layout, LayoutOptions, TensorSpec};
///
/// let specs = [TensorSpec::new("a", Dtype::Float32, [2])?];
/// let layout = Layout::new(&specs, LayoutOptions::default())?;
/// let record = &layout.records()[0];
/// assert_eq!(record.header, b"\n\x1a\n\x01a\x12\x15\x08\x02\x12\x07Float32\x1a\x08");
/// assert_eq!((layout.content_offset(record), layout.total_len()), (20, 28));
/// # Ok::<(), mindspore_ckpt::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Layout {
    records: Vec<Record>,
    closing: Vec<u8>,
    body_len: u64,
    crc: bool,
}

/// One record of a [`Layout`]: a tensor, or a slice of a large one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The bytes before the content.
    pub header: Vec<u8>,
    /// Which tensor, as an index into the specs.
    pub tensor: usize,
    /// Where the header begins in the file.
    pub offset: u64,
    /// Which bytes of the tensor's flat content follow the header.
    pub content: Range<u64>,
}

impl Record {
    /// Where the content begins in the file.
    #[must_use]
    pub fn content_offset(&self) -> u64 {
        self.offset + self.header.len() as u64
    }
}

impl Layout {
    /// Lays out the tensors in the given order.
    ///
    /// # Errors
    ///
    /// No tensors, an invalid spec, a name twice, more than 2^63 - 1 bytes, or more than
    /// [`MAX_RECORDS`] slices.
    pub fn new(specs: &[TensorSpec], options: LayoutOptions) -> Result<Self> {
        let mut names = HashSet::with_capacity(specs.len());
        let mut records = Vec::with_capacity(specs.len());
        let mut end = 0;
        for (tensor, spec) in specs.iter().enumerate() {
            let place = || Place::tensor(&spec.name);
            let slices = Slices::new(spec, options.slice_bytes)?;
            if !names.insert(spec.name.as_str()) {
                return Err(Error::DuplicateName { place: place(), first: None });
            }
            for content in slices {
                if records.len() == MAX_RECORDS {
                    return Err(Error::TooManyRecords { place: place() });
                }
                let header = record_header(spec, content.end - content.start);
                let record = Record { header, tensor, offset: end, content };
                end = record_end(&record).ok_or_else(|| Error::FileTooLarge { place: place() })?;
                records.push(record);
            }
        }
        let Some(last) = specs.last() else { return Err(Error::Empty { bytes: 0 }) };
        Ok(Self { records, closing: record_header(last, 0), body_len: end, crc: options.crc })
    }

    /// Every record, in file order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Where the content of a record begins in the file.
    #[must_use]
    pub fn content_offset(&self, record: &Record) -> u64 {
        record.content_offset()
    }

    /// Bytes of the file without a checksum.
    #[must_use]
    pub fn body_len(&self) -> u64 {
        self.body_len
    }

    /// Bytes of the file with its checksum, if it has one.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.body_len + if self.crc { TRAILER_LEN as u64 } else { 0 }
    }

    /// Whether a checksum of the body follows it, see [`trailer`](crate::trailer).
    #[must_use]
    pub fn has_trailer(&self) -> bool {
        self.crc
    }

    /// A record to append to a body without a checksum that happens to end like one: an empty
    /// slice of the last tensor, which changes no value.
    ///
    /// See [`looks_like_trailer`](crate::looks_like_trailer).
    #[must_use]
    pub fn closing_record(&self) -> &[u8] {
        &self.closing
    }
}

fn record_end(record: &Record) -> Option<u64> {
    // Room for a trailer is kept, so that `total_len` cannot overflow.
    record
        .content_offset()
        .checked_add(record.content.end - record.content.start)
        .filter(|&end| end <= MAX_BYTES - TRAILER_LEN as u64)
}

/// The ranges into which the content of a tensor is cut; one empty range if there is none.
#[derive(Clone, Debug)]
pub(crate) struct Slices {
    next: Option<u64>,
    len: u64,
    slice: u64,
}

impl Slices {
    /// Checks the spec on the way.
    pub(crate) fn new(spec: &TensorSpec, slice_bytes: u64) -> Result<Self> {
        let len = spec.validate()?;
        let item = spec.dtype.item_size();
        Ok(Self { next: Some(0), len, slice: (slice_bytes - slice_bytes % item).max(item) })
    }

    /// Bytes of the whole tensor.
    pub(crate) fn byte_len(&self) -> u64 {
        self.len
    }
}

impl Iterator for Slices {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let start = self.next?;
        let end = self.len.min(start.saturating_add(self.slice));
        self.next = (end < self.len).then_some(end);
        Some(start..end)
    }
}
