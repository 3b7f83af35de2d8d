//! A range of rows along the first axis.

use std::fmt;
use std::ops::Range;

use bytemuck::Pod;

use super::{Span, TensorRef};
use crate::{Bytes, Error, Result};

/// Rows of a tensor along its first axis: one expert of many, a slice of a vocabulary.
#[derive(Clone, Copy)]
pub struct TensorRows<'a> {
    span: Span<'a>,
    begin: usize,
    end: usize,
}

impl<'a> TensorRows<'a> {
    pub(super) fn new(tensor: TensorRef<'a>, rows: Range<usize>) -> Result<Self> {
        let Range { start: begin, end } = rows;
        let fault = |why| Error::Rows {
            path: tensor.shard().path().to_owned(),
            tensor: tensor.name().to_owned(),
            dtype: tensor.dtype(),
            shape: tensor.shape().to_vec(),
            begin,
            end,
            why,
        };
        let Some((&all, _)) = tensor.shape().split_first() else {
            return Err(fault("a scalar has no rows"));
        };
        if begin > end {
            return Err(fault("the range is reversed"));
        }
        if end > all {
            return Err(fault("the range goes beyond the first axis"));
        }
        // Bits of all rows fit u64 (checked when the header was read), so those of some do too.
        // An empty first axis leaves only the empty range, whatever a row would hold.
        let row_bits = (tensor.elements() / all.max(1) as u64)
            .saturating_mul(u64::from(tensor.dtype().bits()));
        let (first, last) =
            (row_bits.saturating_mul(begin as u64), row_bits.saturating_mul(end as u64));
        if first % 8 != 0 || last % 8 != 0 {
            return Err(fault("the range does not fall on whole bytes"));
        }
        let span = Span { tensor, begin: first / 8, len: (last - first) / 8 };
        Ok(Self { span, begin, end })
    }

    /// The tensor that the rows are of.
    #[must_use]
    pub fn tensor(&self) -> TensorRef<'a> {
        self.span.tensor
    }

    /// Which rows these are.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.begin..self.end
    }

    /// The shape of these rows: the tensor's, with the first axis cut.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        let mut shape = self.span.tensor.shape().to_vec();
        if let Some(first) = shape.first_mut() {
            *first = self.end - self.begin;
        }
        shape
    }

    /// Bytes of data.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.span.len
    }

    /// The first byte of the first row in the shard's file.
    #[must_use]
    pub fn file_offset(&self) -> u64 {
        self.span.tensor.file_offset() + self.span.begin
    }

    /// The bytes in place; errors as [`TensorRef::bytes`].
    pub fn bytes(&self) -> Result<&'a [u8]> {
        self.span.bytes()
    }

    /// The bytes in place as values of `T`; errors as [`TensorRef::try_cast`].
    pub fn try_cast<T: Pod>(&self) -> Result<&'a [T]> {
        self.span.try_cast()
    }

    /// Fills `buffer` from byte `offset` of these rows on; errors as [`TensorRef::read_at`].
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.span.read_at(offset, buffer)
    }

    /// The bytes with a share of their owner; errors as [`TensorRef::to_bytes`].
    pub fn to_bytes(&self) -> Result<Bytes> {
        self.span.to_bytes()
    }
}

impl fmt::Debug for TensorRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TensorRows")
            .field("tensor", &self.span.tensor)
            .field("range", &self.range())
            .finish()
    }
}
