//! What can go wrong.

use crate::DType;

/// The text is not the name of an element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an element type (expected a safetensors name such as F32, BF16, U8)")]
pub struct ParseDTypeError;

/// Why a slice was not converted. Nothing has been written when one of these comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CastError {
    /// No conversion between these two types exists; [`can_cast`](crate::can_cast) tells beforehand.
    #[error("no conversion from {from} to {to}")]
    Unsupported {
        /// The type of the source.
        from: DType,
        /// The type asked for.
        to: DType,
    },
    /// The source bytes do not hold whole elements.
    #[error("{bytes} source bytes are not whole {from} elements")]
    Ragged {
        /// The type of the source.
        from: DType,
        /// Length of the source in bytes.
        bytes: usize,
    },
    /// The destination has the wrong length. Counted in elements by the typed functions and in
    /// bytes by those that take a [`DType`].
    #[error("destination of {from} to {to}: expected length {expected}, got {actual}")]
    Length {
        /// The type of the source.
        from: DType,
        /// The type of the destination.
        to: DType,
        /// The length that the source needs.
        expected: usize,
        /// The length that was given.
        actual: usize,
    },
}

/// Why MXFP4 blocks were not read or written.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Mxfp4Error {
    /// The element type on the dense side is not one of F32, BF16, F16.
    #[error("MXFP4 blocks convert to and from F32, BF16 and F16, not {dtype}")]
    Unsupported {
        /// The type asked for.
        dtype: DType,
    },
    /// A slice has the wrong length.
    #[error("MXFP4 {what}: expected {expected}, got {actual}")]
    Length {
        /// Which slice, and its unit.
        what: &'static str,
        /// The length that the other arguments need.
        expected: usize,
        /// The length that was given.
        actual: usize,
    },
    /// A row or a slice is not made of whole blocks of 32 elements.
    #[error("MXFP4 {what} must be a multiple of 32, got {actual}")]
    Ragged {
        /// What was counted.
        what: &'static str,
        /// The count.
        actual: usize,
    },
    /// The column range is not inside the matrix.
    #[error("MXFP4 columns {start}..{end} are not inside a matrix of {columns} columns")]
    Columns {
        /// First column asked for.
        start: usize,
        /// One past the last column asked for.
        end: usize,
        /// Columns of the matrix.
        columns: usize,
    },
    /// The stride of the transposed destination is smaller than a column.
    #[error("MXFP4 destination stride {stride} is smaller than the {rows} rows of a column")]
    Stride {
        /// Elements from one destination row to the next.
        stride: usize,
        /// Elements in a destination row.
        rows: usize,
    },
    /// The shape counts more elements than fit in memory.
    #[error("MXFP4 matrix of {rows} rows and {columns} columns overflows the address space")]
    Overflow {
        /// Rows of the matrix.
        rows: usize,
        /// Columns of the matrix, or the destination stride.
        columns: usize,
    },
    /// A value to be quantised is infinite or NaN, which MXFP4 cannot hold beside finite ones.
    #[error("element {index} is {value}: MXFP4 blocks hold finite values only")]
    NotFinite {
        /// Index of the element in the source.
        index: usize,
        /// The value.
        value: f32,
    },
}
