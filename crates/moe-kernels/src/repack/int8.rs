//! Eight bits a weight.

use lowfloat::mxfp4::BLOCK;
use rayon::prelude::*;

use crate::arch::Int8Row;
use crate::matrix::Packing;
use crate::view::check_len;
use crate::{Error, Matrix, Result, Strips};

/// Weights of [`Repack::Int8`](crate::Repack::Int8), as they are stored.
#[derive(Clone, Debug)]
pub struct Int8Parts<B> {
    /// For every 32 weights 32 signed bytes: of the weights with odd numbers, then with even ones.
    pub codes: Strips<B>,
    /// For every 32 weights the exponent, biased by 127, of the power of two that a byte counts.
    pub scales: Strips<B>,
}

/// The same with its columns.
#[derive(Clone, Debug)]
pub(crate) struct Int8<B> {
    parts: Int8Parts<B>,
}

impl<B: AsRef<[u8]>> Matrix<B> {
    /// Weights of `cols` columns that [`repacked`](Self::repacked) made and somebody stored.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] or [`Error::Count`] where the parts do not fit each other.
    pub fn int8(cols: usize, parts: Int8Parts<B>) -> Result<Self> {
        if cols == 0 || !cols.is_multiple_of(BLOCK) {
            let expected = "a multiple of 32";
            return Err(Error::Count {
                argument: "columns of int8 weights",
                expected,
                found: cols,
            });
        }
        check_len("bytes of a row of codes", cols, parts.codes.row_bytes())?;
        check_len("bytes of a row of scales", cols / BLOCK, parts.scales.row_bytes())?;
        let rows = parts.codes.rows();
        check_len("rows of scales", rows, parts.scales.rows())?;
        Ok(Self::packed(rows, cols, Packing::Int8(Int8 { parts })))
    }

    /// The parts of weights of eight bits, to store them; `None` for others.
    pub const fn int8_parts(&self) -> Option<&Int8Parts<B>> {
        match &self.packing {
            Packing::Int8(int8) => Some(&int8.parts),
            _ => None,
        }
    }
}

impl Int8<Vec<u8>> {
    /// `None` where rows are not whole blocks.
    pub(crate) fn of(
        rows: usize,
        cols: usize,
        decode: impl Fn(usize, &mut [f32]) -> Result<()> + Sync,
    ) -> Result<Option<Self>> {
        if cols == 0 || !cols.is_multiple_of(BLOCK) {
            return Ok(None);
        }
        let mut codes = vec![0; rows * cols];
        let mut scales = vec![0; rows * cols / BLOCK];
        let each = codes.par_chunks_exact_mut(cols).zip(scales.par_chunks_exact_mut(cols / BLOCK));
        each.enumerate().try_for_each_init(
            || vec![0.0; cols],
            |weights, (row, (codes, scales))| {
                decode(row, weights)?;
                let blocks = weights.as_chunks::<BLOCK>().0.iter();
                let to = codes.as_chunks_mut::<BLOCK>().0.iter_mut().zip(scales);
                for (index, (block, (codes, scale))) in blocks.zip(to).enumerate() {
                    *scale = encode(block, codes)
                        .map_err(|place| Error::NotFinite { row, column: index * BLOCK + place })?;
                }
                Ok(())
            },
        )?;
        let codes = Strips::new(cols, vec![codes])?;
        let scales = Strips::new(cols / BLOCK, vec![scales])?;
        Ok(Some(Self { parts: Int8Parts { codes, scales } }))
    }
}

/// The scale of a block, or the place of a weight that is not finite.
fn encode(block: &[f32; BLOCK], codes: &mut [u8; BLOCK]) -> std::result::Result<u8, usize> {
    if let Some(place) = block.iter().position(|weight| !weight.is_finite()) {
        return Err(place);
    }
    let largest = block.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
    // The exponent of the largest: steps of its 64th part; one more where it would round to 128.
    let exponent = i32::from((largest.to_bits() >> 23) as u8);
    let mut scale = (exponent - 6).clamp(1, 254);
    if nearest(largest * power(254 - scale)) > 127.0 {
        scale += 1;
    }
    // Of a power of two the inverse is exact; of 1 to 249 it is a normal number.
    let steps = power(254 - scale);
    for (pair, weights) in block.as_chunks::<2>().0.iter().enumerate() {
        for (weight, half) in weights.iter().zip([16, 0]) {
            codes[half + pair] = (nearest(weight * steps) as i8).cast_unsigned();
        }
    }
    Ok(scale as u8)
}

/// The nearest integer, ties to even, of a number below 2²²: a sum that has no bits for a fraction. Where the
/// target has no instruction for it, `f32::round_ties_even` is a call.
const fn nearest(value: f32) -> f32 {
    const LARGE: f32 = 12_582_912.0; // 1.5 · 2²³
    value + LARGE - LARGE
}

/// 2 to the exponent that is biased by 127.
const fn power(biased: i32) -> f32 {
    f32::from_bits((biased as u32) << 23)
}

impl<B: AsRef<[u8]>> Int8<B> {
    pub(crate) fn byte_len(&self) -> usize {
        self.parts.codes.byte_len() + self.parts.scales.byte_len()
    }

    /// A row for the kernels.
    pub(crate) fn row(&self, row: usize) -> Option<Int8Row<'_>> {
        Some(Int8Row::new(self.parts.codes.row(row)?, self.parts.scales.row(row)?))
    }

    /// The weights of a row from column `from` on.
    pub(crate) fn decode(&self, row: usize, from: usize, to: &mut [f32]) -> Option<()> {
        let (codes, scales) = (self.parts.codes.row(row)?, self.parts.scales.row(row)?);
        for (column, to) in (from..).zip(to) {
            let place = column % BLOCK / 2 + if column % 2 == 0 { 16 } else { 0 };
            let code = codes.get(column / BLOCK * BLOCK + place)?.cast_signed();
            *to = f32::from(code) * power(i32::from(*scales.get(column / BLOCK)?));
        }
        Some(())
    }

    pub(crate) fn map<C>(self, mut map: impl FnMut(B) -> C) -> Int8<C> {
        let Int8Parts { codes, scales } = self.parts;
        Int8 { parts: Int8Parts { codes: codes.map(&mut map), scales: scales.map(&mut map) } }
    }
}
