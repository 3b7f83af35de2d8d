//! What a reader knows of a tensor.

use crate::{Dtype, TensorSpec};

/// Bytes of a tensor's content that lie together in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// Where they begin in the file.
    pub offset: u64,
    /// How many they are; can be 0.
    pub len: u64,
}

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub(crate) spec: TensorSpec,
    pub(crate) offset: u64,
    pub(crate) byte_len: u64,
    pub(crate) slices: Vec<Slice>,
    /// Where each slice ends in the content.
    pub(crate) ends: Vec<u64>,
    pub(crate) legacy_bf16: bool,
}

impl Entry {
    /// The parameter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The type of the elements.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.spec.dtype
    }

    /// The shape, outermost first; empty for a scalar, whichever way the file stores scalars.
    ///
    /// For [`Dtype::Str`] it is the number of characters, although the file says `[0]`.
    #[must_use]
    pub fn dims(&self) -> &[u64] {
        &self.spec.dims
    }

    /// Name, type and shape together: what a [`Writer`](crate::Writer) needs to write it again.
    #[must_use]
    pub fn spec(&self) -> &TensorSpec {
        &self.spec
    }

    /// Bytes of the content as stored: twice those of the shape where
    /// [`legacy_bf16`](Self::legacy_bf16).
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.byte_len
    }

    /// Where the content is in the file; joined in this order, the slices are the content.
    #[must_use]
    pub fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// Where the tensor's first record begins in the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether this is a `BFloat16` tensor stored as four-byte floats, of which the upper half
    /// counts.
    ///
    /// MindSpore keeps bytes 2 and 3 of each four and does not round.
    #[must_use]
    pub fn legacy_bf16(&self) -> bool {
        self.legacy_bf16
    }

    /// Whether there are no dimensions.
    #[must_use]
    pub fn is_scalar(&self) -> bool {
        self.spec.dims.is_empty()
    }
}

/// A map tensor (`MapParameter`) in a file, which this crate lists but cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapEntry {
    /// The parameter's name.
    pub name: String,
    /// Where its record begins in the file.
    pub offset: u64,
}
