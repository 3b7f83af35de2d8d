//! Weights as they lie in a file.

use lowfloat::mxfp4::{BLOCK, BLOCK_BYTES};
use lowfloat::{DType, cast_bytes, mxfp4};

use crate::repack::{Coded, Int8};
use crate::view::check_len;
use crate::{Activations, Error, Result, Strips};

/// Weights `[rows, cols]`, row-major, little-endian, at any alignment, never copied.
///
/// ```
/// use lowfloat::DType;
/// use moe_kernels::{Matrix, Strips};
///
/// let bytes = [0x80, 0x3F, 0x00, 0xC0, 0x00, 0x00, 0x40, 0x40]; // bf16 1, -2, 0, 3
/// let weights = Matrix::dense(DType::BF16, 2, Strips::new(4, vec![&bytes])?)?;
/// let mut row = [0.0; 2];
/// weights.decode_row(1, &mut row)?;
/// assert_eq!(row, [0.0, 3.0]);
/// # Ok::<(), moe_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Matrix<B> {
    cols: usize,
    rows: usize,
    pub(crate) packing: Packing<B>,
}

/// How a row is stored.
#[derive(Clone, Debug)]
pub(crate) enum Packing<B> {
    Dense(DType, Strips<B>),
    Mxfp4 { blocks: Strips<B>, scales: Strips<B>, activations: Activations },
    Coded(Coded<B>),
    Int8(Int8<B>),
}

impl<B: AsRef<[u8]>> Matrix<B> {
    /// Weights of `dtype`, which is F32, BF16 or F16; a row is `cols` elements.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedDType`], [`Error::Count`] where `cols` is zero, [`Error::Length`]
    /// where the rows of `rows` have another length.
    pub fn dense(dtype: DType, cols: usize, rows: Strips<B>) -> Result<Self> {
        let size = match dtype {
            DType::F32 => 4,
            DType::BF16 | DType::F16 => 2,
            dtype => return Err(Error::UnsupportedDType { dtype }),
        };
        check_cols(cols)?;
        check_len("bytes of a row of weights", cols.saturating_mul(size), rows.row_bytes())?;
        Ok(Self { cols, rows: rows.rows(), packing: Packing::Dense(dtype, rows) })
    }

    /// Weights in MXFP4: for every row `cols / 32` blocks of 16 bytes, and as many E8M0 scales.
    ///
    /// A scale of 255 makes its 32 weights NaN, as in [`lowfloat::mxfp4`].
    ///
    /// # Errors
    ///
    /// [`Error::Count`] where `cols` is zero or not whole blocks, [`Error::Length`] where rows of
    /// blocks or scales have another length, or there are not as many of both.
    pub fn mxfp4(cols: usize, blocks: Strips<B>, scales: Strips<B>) -> Result<Self> {
        check_cols(cols)?;
        if !cols.is_multiple_of(BLOCK) {
            let expected = "a multiple of 32";
            return Err(Error::Count {
                argument: "columns of MXFP4 weights",
                expected,
                found: cols,
            });
        }
        check_len("bytes of a row of blocks", cols / BLOCK * BLOCK_BYTES, blocks.row_bytes())?;
        check_len("bytes of a row of scales", cols / BLOCK, scales.row_bytes())?;
        check_len("rows of scales", blocks.rows(), scales.rows())?;
        let activations = Activations::default();
        Ok(Self {
            cols,
            rows: blocks.rows(),
            packing: Packing::Mxfp4 { blocks, scales, activations },
        })
    }

    pub(crate) const fn packed(rows: usize, cols: usize, packing: Packing<B>) -> Self {
        Self { cols, rows, packing }
    }

    /// How activations enter the products of this matrix, where it is in MXFP4; other weights take them as
    /// they are.
    #[must_use]
    pub fn with_activations(mut self, chosen: Activations) -> Self {
        if let Packing::Mxfp4 { activations, .. } = &mut self.packing {
            *activations = chosen;
        }
        self
    }

    /// The same weights with their bytes held by something else.
    pub fn map<C: AsRef<[u8]>>(self, mut map: impl FnMut(B) -> C) -> Matrix<C> {
        let packing = match self.packing {
            Packing::Dense(dtype, strips) => Packing::Dense(dtype, strips.map(map)),
            Packing::Mxfp4 { blocks, scales, activations } => {
                let blocks = blocks.map(&mut map);
                Packing::Mxfp4 { blocks, scales: scales.map(map), activations }
            }
            Packing::Coded(coded) => Packing::Coded(coded.map(map)),
            Packing::Int8(int8) => Packing::Int8(int8.map(map)),
        };
        Matrix { cols: self.cols, rows: self.rows, packing }
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Elements of a row.
    #[must_use]
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// Bytes of the weights as stored.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match &self.packing {
            Packing::Dense(_, rows) => rows.byte_len(),
            Packing::Mxfp4 { blocks, scales, .. } => {
                blocks.byte_len().saturating_add(scales.byte_len())
            }
            Packing::Coded(coded) => coded.byte_len(),
            Packing::Int8(int8) => int8.byte_len(),
        }
    }

    /// The type of dense weights and the bytes of one of their rows; `None` for packed ones, and where there
    /// is no such row.
    #[must_use]
    pub fn dense_row(&self, row: usize) -> Option<(DType, &[u8])> {
        match &self.packing {
            Packing::Dense(dtype, rows) => Some((*dtype, rows.row(row)?)),
            _ => None,
        }
    }

    /// The codes and the scales of a row of MXFP4; `None` for other weights, and where there is no such row.
    #[must_use]
    pub fn mxfp4_row(&self, row: usize) -> Option<(&[u8], &[u8])> {
        match &self.packing {
            Packing::Mxfp4 { blocks, scales, .. } => Some((blocks.row(row)?, scales.row(row)?)),
            _ => None,
        }
    }

    /// Bytes of a row as stored.
    pub(crate) fn row_bytes(&self) -> usize {
        self.byte_len().checked_div(self.rows).unwrap_or(0)
    }

    /// Writes a row as `f32`, exactly; `to` is `[cols]`.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchRow`], or [`Error::Length`] where `to` is not as long as a row.
    pub fn decode_row(&self, row: usize, to: &mut [f32]) -> Result<()> {
        check_len("destination of a row", self.cols, to.len())?;
        self.decode_part(row, 0, to)
    }

    /// Writes the part of a row that begins at column `from` and is as long as `to`: whole blocks of
    /// MXFP4 and of eight bits.
    pub(crate) fn decode_part(&self, row: usize, from: usize, to: &mut [f32]) -> Result<()> {
        let missing = || Error::NoSuchRow { row, rows: self.rows };
        let cols = to.len();
        let to: &mut [u8] = bytemuck::cast_slice_mut(to);
        let done = match &self.packing {
            Packing::Dense(dtype, rows) => {
                let size = if *dtype == DType::F32 { 4 } else { 2 };
                let source = part(rows, row, from * size, cols * size).ok_or_else(missing)?;
                cast_bytes(*dtype, source, DType::F32, to).is_ok()
            }
            Packing::Mxfp4 { blocks, scales, .. } => {
                let (from, count) = (from / BLOCK, cols / BLOCK);
                let scales = part(scales, row, from, count).ok_or_else(missing)?;
                let blocks = part(blocks, row, from * BLOCK_BYTES, count * BLOCK_BYTES);
                let blocks = blocks.ok_or_else(missing)?;
                mxfp4::dequantize_bytes(blocks, scales, DType::F32, to).is_ok()
            }
            Packing::Coded(coded) => {
                coded.decode(row, from, bytemuck::cast_slice_mut(to)).ok_or_else(missing)?;
                true
            }
            Packing::Int8(int8) => {
                int8.decode(row, from, bytemuck::cast_slice_mut(to)).ok_or_else(missing)?;
                true
            }
        };
        if done { Ok(()) } else { Err(missing()) }
    }
}

fn part<B: AsRef<[u8]>>(strips: &Strips<B>, row: usize, from: usize, len: usize) -> Option<&[u8]> {
    strips.row(row)?.get(from..)?.get(..len)
}

fn check_cols(cols: usize) -> Result<()> {
    if cols > 0 {
        return Ok(());
    }
    Err(Error::Count { argument: "columns of weights", expected: "at least 1", found: 0 })
}
