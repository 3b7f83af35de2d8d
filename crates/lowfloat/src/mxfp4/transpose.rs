//! Blocks to dense values with rows and columns exchanged.

use core::ops::Range;

use crate::arch::{self, Format, Level, Writes};
use crate::mxfp4::{BLOCK, check_length, dense};
use crate::{DType, Mxfp4Error, on_level};

/// A row-major matrix `[rows, columns]` of MXFP4 values, blocks along the rows.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// `rows * columns / 2` bytes.
    pub blocks: &'a [u8],
    /// `rows * columns / 32` bytes.
    pub scales: &'a [u8],
    /// Rows: the output features of a packed weight.
    pub rows: usize,
    /// Columns, a multiple of 32: the input features.
    pub columns: usize,
}

/// Decodes some columns of a matrix and writes each as a row of `dst`.
///
/// Packed expert weights are `[out, in]` while dense checkpoints hold `[in, out]`; this goes from
/// one to the other in one pass. Element (r, c), for every c in `columns` (any range), becomes
/// element `(c - columns.start) * dst_stride + r` of `dst`: little-endian F32, BF16 or F16 at any
/// alignment. Other elements of `dst` are not touched.
///
/// # Errors
///
/// - [`Mxfp4Error::Unsupported`] for any other `to`;
/// - [`Mxfp4Error::Ragged`] or [`Mxfp4Error::Length`] where the matrix is not what it says;
/// - [`Mxfp4Error::Columns`] where the range is not inside it;
/// - [`Mxfp4Error::Stride`] where `dst_stride` is less than `matrix.rows`;
/// - [`Mxfp4Error::Length`] (at least, in bytes) where `dst` is shorter than
///   `(columns.len() - 1) * dst_stride + rows` elements;
/// - [`Mxfp4Error::Overflow`] where one of these counts does not fit a `usize`.
///
/// Nothing is written then.
///
/// ```
/// use lowfloat::DType;
/// use lowfloat::mxfp4::{Matrix, dequantize_transposed};
///
/// // Two rows of one block each: all ones, all twos.
/// let blocks = [[0x22; 16], [0x44; 16]].concat();
/// let matrix = Matrix { blocks: &blocks, scales: &[127, 127], rows: 2, columns: 32 };
/// let mut dst = [0; 3 * 2 * 4];
/// dequantize_transposed(matrix, 5..8, DType::F32, &mut dst, 2)?;
/// let (one, two) = (1f32.to_le_bytes(), 2f32.to_le_bytes());
/// assert_eq!(dst.as_chunks().0, [one, two, one, two, one, two]);
/// # Ok::<(), lowfloat::Mxfp4Error>(())
/// ```
pub fn dequantize_transposed(
    matrix: Matrix<'_>,
    columns: Range<usize>,
    to: DType,
    dst: &mut [u8],
    dst_stride: usize,
) -> Result<(), Mxfp4Error> {
    on_level::dequantize_transposed(Level::current(), matrix, columns, to, dst, dst_stride)
}

/// A transposition whose type, shape and lengths have been checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) matrix: Matrix<'a>,
    pub(crate) to: Format,
    pub(crate) stride: usize,
    pub(crate) writes: Writes,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(
        matrix: Matrix<'a>,
        columns: &Range<usize>,
        to: DType,
        dst_len: usize,
        stride: usize,
    ) -> Result<Self, Mxfp4Error> {
        let to = dense(to)?;
        check_matrix(matrix)?;
        if columns.start > columns.end || columns.end > matrix.columns {
            let Range { start, end } = *columns;
            return Err(Mxfp4Error::Columns { start, end, columns: matrix.columns });
        }
        if stride < matrix.rows {
            return Err(Mxfp4Error::Stride { stride, rows: matrix.rows });
        }
        let needed = needed_elements(columns.len(), stride, matrix.rows)
            .and_then(|elements| elements.checked_mul(to.size()))
            .ok_or(Mxfp4Error::Overflow { rows: columns.len(), columns: stride })?;
        if dst_len < needed {
            let what = "destination bytes, at least";
            return Err(Mxfp4Error::Length { what, expected: needed, actual: dst_len });
        }
        Ok(Self { matrix, to, stride, writes: Writes::for_len(needed) })
    }

    /// Writes `columns`, the first of them to the start of `dst`. Both must be within what was
    /// checked.
    pub(crate) fn run(self, level: Level, columns: Range<usize>, dst: &mut [u8]) {
        arch::dequantize_transposed(level, &self, columns, dst);
    }
}

fn check_matrix(matrix: Matrix<'_>) -> Result<(), Mxfp4Error> {
    let Matrix { blocks, scales, rows, columns } = matrix;
    if !columns.is_multiple_of(BLOCK) {
        return Err(Mxfp4Error::Ragged { what: "columns", actual: columns });
    }
    let elements = rows.checked_mul(columns).ok_or(Mxfp4Error::Overflow { rows, columns })?;
    check_length("block bytes", elements / 2, blocks.len())?;
    check_length("scales", elements / BLOCK, scales.len())
}

/// Elements from the first to the last that is written.
fn needed_elements(columns: usize, stride: usize, rows: usize) -> Option<usize> {
    if columns == 0 || rows == 0 {
        return Some(0);
    }
    (columns - 1).checked_mul(stride)?.checked_add(rows)
}
