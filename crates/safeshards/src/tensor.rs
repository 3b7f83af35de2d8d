//! One tensor of an open checkpoint, and rows of it.

mod rows;

use std::fmt;
use std::ops::Range;

use bytemuck::Pod;
use lowfloat::DType;

pub use rows::TensorRows;

use crate::header::TensorInfo;
use crate::{Bytes, Error, Result, Shard};

/// One tensor of a [`Checkpoint`](crate::Checkpoint): what it is, where it is, and its bytes.
///
/// Cheap to copy; it borrows from the checkpoint. Elements are little-endian and in row-major order.
/// A tensor begins at whatever address the file gives it: the released gpt-oss files align every
/// tensor to 8 bytes and none to 16, so read wide vectors with unaligned loads.
#[derive(Clone, Copy)]
pub struct TensorRef<'a> {
    shard: &'a Shard,
    info: &'a TensorInfo,
}

impl<'a> TensorRef<'a> {
    pub(crate) fn new(shard: &'a Shard, info: &'a TensorInfo) -> Self {
        Self { shard, info }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.info.name
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.info.dtype
    }

    /// The shape, slowest axis first; empty for a scalar.
    #[must_use]
    pub fn shape(&self) -> &'a [usize] {
        &self.info.shape
    }

    /// The number of elements: the product of the shape, 1 for a scalar.
    #[must_use]
    pub fn elements(&self) -> u64 {
        // The header's check has shown that this does not overflow.
        self.info.shape.iter().map(|&dim| dim as u64).product()
    }

    /// Bytes of data.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.info.len
    }

    /// The shard that holds it.
    #[must_use]
    pub fn shard(&self) -> &'a Shard {
        self.shard
    }

    /// The position of that shard in [`Checkpoint::shards`](crate::Checkpoint::shards).
    #[must_use]
    pub fn shard_index(&self) -> usize {
        self.shard.index()
    }

    /// The first byte of the data in the shard's file.
    #[must_use]
    pub fn file_offset(&self) -> u64 {
        self.info.offset
    }

    /// The bytes in place, over a mapping of the shard that is made at the first call.
    ///
    /// # Errors
    /// [`Error::NotMapped`] when the checkpoint was opened without mmap, [`Error::Io`] when the
    /// system refuses the mapping, [`Error::FileChanged`] when the file has another length by now.
    pub fn bytes(&self) -> Result<&'a [u8]> {
        self.span().bytes()
    }

    /// The bytes in place as values of `T`, such as `u16`, `f32` or `lowfloat::bf16`.
    ///
    /// The element type is not compared with `T`; only size and alignment are. On a big-endian
    /// machine the values have their bytes reversed.
    ///
    /// # Errors
    /// Those of [`bytes`](Self::bytes), and [`Error::Cast`] when the length is no multiple of `T`'s
    /// size or the address not of its alignment; then copy the bytes instead.
    pub fn try_cast<T: Pod>(&self) -> Result<&'a [T]> {
        self.span().try_cast()
    }

    /// The rows `rows` along the first axis.
    ///
    /// # Errors
    /// [`Error::Rows`] when the tensor is a scalar, the range is reversed or goes beyond the first
    /// axis, or (packed types only) its ends do not fall on whole bytes.
    pub fn rows(&self, rows: Range<usize>) -> Result<TensorRows<'a>> {
        TensorRows::new(*self, rows)
    }

    /// Fills `buffer` with the bytes from `offset_in_tensor` on by a positioned read.
    ///
    /// No mapping is made or used, so this works on every checkpoint, from many threads at once.
    ///
    /// # Errors
    /// [`Error::OutOfTensor`] when the range is not within the tensor, [`Error::Read`] when the
    /// system fails or the file has become shorter.
    pub fn read_at(&self, offset_in_tensor: u64, buffer: &mut [u8]) -> Result<()> {
        self.span().read_at(offset_in_tensor, buffer)
    }

    /// The bytes with a share of their owner, so that they outlive the checkpoint.
    ///
    /// With mmap no byte is copied; without, the tensor is read into memory.
    ///
    /// # Errors
    /// Those of [`bytes`](Self::bytes) or of [`read_at`](Self::read_at).
    pub fn to_bytes(&self) -> Result<Bytes> {
        self.span().to_bytes()
    }

    fn span(&self) -> Span<'a> {
        Span { tensor: *self, begin: 0, len: self.info.len }
    }
}

impl fmt::Debug for TensorRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TensorRef")
            .field("name", &self.name())
            .field("dtype", &self.dtype())
            .field("shape", &self.shape())
            .field("file", &self.shard.path())
            .field("file_offset", &self.file_offset())
            .finish()
    }
}

/// Bytes of a tensor, all or some: what tensors and their rows share.
#[derive(Clone, Copy)]
struct Span<'a> {
    tensor: TensorRef<'a>,
    /// First byte, from the start of the tensor.
    begin: u64,
    len: u64,
}

impl<'a> Span<'a> {
    fn bytes(&self) -> Result<&'a [u8]> {
        let whole = self.mapped()?.ok_or_else(|| Error::NotMapped {
            path: self.tensor.shard.path().to_owned(),
            tensor: self.tensor.name().to_owned(),
        })?;
        whole.get(self.file_range()).ok_or_else(|| self.outside(0, self.len))
    }

    fn try_cast<T: Pod>(&self) -> Result<&'a [T]> {
        let bytes = self.bytes()?;
        bytemuck::try_cast_slice(bytes).map_err(|_| Error::Cast {
            path: self.tensor.shard.path().to_owned(),
            tensor: self.tensor.name().to_owned(),
            byte_len: self.len,
            address_align: 1 << bytes.as_ptr().addr().trailing_zeros(),
            wanted: std::any::type_name::<T>(),
            size: size_of::<T>(),
            align: align_of::<T>(),
        })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let len = buffer.len() as u64;
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(self.outside(offset, len));
        }
        let at = self.tensor.info.offset + self.begin + offset;
        self.tensor.shard.source().read_at(at, buffer)
    }

    fn to_bytes(self) -> Result<Bytes> {
        if let Some(whole) = self.mapped()? {
            return whole.slice(self.file_range()).ok_or_else(|| self.outside(0, self.len));
        }
        let len = usize::try_from(self.len).map_err(|_| self.outside(0, self.len))?;
        let mut copy = vec![0; len];
        self.read_at(0, &mut copy)?;
        Ok(copy.into())
    }

    fn mapped(&self) -> Result<Option<&'a Bytes>> {
        self.tensor.shard.source().bytes()
    }

    /// Where the span is in the file; a mapping exists only where the file's length fits `usize`.
    fn file_range(&self) -> Range<usize> {
        let begin = self.tensor.info.offset + self.begin;
        begin as usize..(begin + self.len) as usize
    }

    fn outside(&self, offset: u64, len: u64) -> Error {
        Error::OutOfTensor {
            path: self.tensor.shard.path().to_owned(),
            tensor: self.tensor.name().to_owned(),
            offset,
            len,
            byte_len: self.len,
        }
    }
}
