//! Products of a part of the weights with all activations that need it.

use std::array;
use std::cell::RefCell;
use std::ops::Range;

use lowfloat::DType;

use crate::arch::{
    Bf16Row, BlockRow, CALL, Fixed, FixedPanel, Level, Mxfp4Row, Order, Out, Panel, ROWS, Rows,
    Stored, accumulate, fixed_products, products,
};
use crate::inputs::{Form, Inputs, Part};
use crate::matrix::Packing;
use crate::{Activations, Error, Matrix, Result, Rounding};

/// Bytes of weights that are worth a task of their own: some microseconds of reading.
const TASK: usize = 128 << 10;

impl<B: AsRef<[u8]>> Matrix<B> {
    /// How many rows a task should have.
    pub(crate) fn rows_per_task(&self) -> usize {
        (TASK / self.row_bytes().max(1)).next_multiple_of(CALL).min(8 * CALL)
    }

    /// Vectors that this matrix is to be multiplied with, in the form that its rows take.
    pub(crate) fn inputs<'a>(&self, vectors: Vec<&'a [f32]>, rounding: Rounding) -> Inputs<'a> {
        let integers = rounding == Rounding::Bf16 && Level::current().prefers_integers();
        let form = match &self.packing {
            Packing::Dense(DType::BF16, _) | Packing::Coded(_) | Packing::Int8(_) => {
                Form::InOrder(Order::Natural)
            }
            Packing::Dense(..) => Form::WideInOrder(Order::Natural),
            Packing::Mxfp4 { activations: Activations::Int8, .. } => Form::Fixed8,
            Packing::Mxfp4 { .. } if integers => Form::Fixed16,
            Packing::Mxfp4 { .. } => Form::InOrder(Order::Mxfp4),
        };
        Inputs::new(form, vectors, rounding)
    }

    /// The products of some rows with every vector: `to[v, r] = Σ_k vectors[v][k]·w[r, k]`.
    pub(crate) fn products(
        &self,
        rows: Range<usize>,
        vectors: Part<'_>,
        to: &mut [f32],
    ) -> Result<()> {
        let vectors = match vectors {
            // Of weights whose rows are inputs only.
            Part::Plain(_) => return Ok(()),
            Part::Packed(vectors) => vectors,
            Part::Fixed16(vectors) => return self.fixed_products(rows, vectors, to),
            Part::Fixed8(vectors) => return self.fixed_products(rows, vectors, to),
        };
        thread_local! {
            static PANEL: RefCell<Panel> = RefCell::default();
        }
        let step = rows.len();
        PANEL.with_borrow_mut(|panel| {
            for first in rows.clone().step_by(CALL) {
                let count = usize::min(CALL, rows.end - first);
                let data = to.get_mut(first - rows.start..).unwrap_or_default();
                let out = Out { data, row_step: 1, vector_step: step };
                let level = Level::current();
                let run = |rows: Stored<'_>| products(level, rows, vectors, panel, out);
                let found = match &self.packing {
                    Packing::Dense(DType::BF16, strips) => {
                        collect(count, |row| strips.row(first + row).map(Bf16Row::new))
                            .map(|rows| run(Stored::Bf16(&rows[..count])))
                    }
                    Packing::Dense(dtype, strips) => collect(count, |row| strips.row(first + row))
                        .map(|rows| run(Stored::Decoded(*dtype, &rows[..count]))),
                    Packing::Mxfp4 { blocks, scales, .. } => collect(count, |row| {
                        let (codes, scales) = (blocks.row(first + row)?, scales.row(first + row)?);
                        Some(Mxfp4Row::new(codes, scales))
                    })
                    .map(|rows| run(Stored::Mxfp4(&rows[..count]))),
                    Packing::Coded(coded) => collect(count, |row| coded.row(first + row))
                        .map(|rows| run(Stored::Coded(&rows[..count]))),
                    Packing::Int8(int8) => collect(count, |row| int8.row(first + row))
                        .map(|rows| run(Stored::Int8(&rows[..count]))),
                };
                found.ok_or(Error::NoSuchRow { row: first + count - 1, rows: self.rows() })?;
            }
            Ok(())
        })
    }

    /// The same with integers, for weights in MXFP4.
    fn fixed_products<F: Fixed>(
        &self,
        rows: Range<usize>,
        vectors: &[&[F]],
        to: &mut [f32],
    ) -> Result<()> {
        thread_local! {
            static PANEL: RefCell<FixedPanel> = RefCell::default();
        }
        let missing = || Error::NoSuchRow { row: rows.end.saturating_sub(1), rows: self.rows() };
        let Packing::Mxfp4 { blocks, scales, .. } = &self.packing else { return Err(missing()) };
        PANEL.with_borrow_mut(|panel| {
            for first in rows.clone().step_by(CALL) {
                let count = usize::min(CALL, rows.end - first);
                let some = collect(count, |row| {
                    Some(BlockRow::new(blocks.row(first + row)?, scales.row(first + row)?))
                });
                let data = to.get_mut(first - rows.start..).unwrap_or_default();
                let out = Out { data, row_step: 1, vector_step: rows.len() };
                let some = some.ok_or_else(missing)?;
                fixed_products(Level::current(), &some[..count], vectors, panel, out);
            }
            Ok(())
        })
    }

    /// The sums of some rows, in order, weighted with the elements of every vector, in some columns:
    /// `sums[v, c] = Σ_k vectors[v][k]·w[rows.start + k, c]`.
    pub(crate) fn weighted_sums(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        vectors: &[&[f32]],
        sums: &mut [f32],
    ) -> Result<()> {
        sums.fill(0.0);
        let mut factors = Vec::with_capacity(vectors.len());
        for first in rows.clone().step_by(ROWS) {
            let some = first..usize::min(first + ROWS, rows.end);
            let places = first - rows.start..some.end - rows.start;
            factors.clear();
            factors.extend(vectors.iter().filter_map(|vector| vector.get(places.clone())));
            self.with_decoded(some, cols.clone(), |decoded| {
                accumulate(Level::current(), decoded, &factors, sums, cols.len());
            })?;
        }
        Ok(())
    }

    /// Calls with these rows and columns in `f32`.
    fn with_decoded(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        call: impl FnOnce(Rows<'_>),
    ) -> Result<()> {
        thread_local! {
            static DECODED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
        }
        DECODED.with_borrow_mut(|decoded| {
            decoded.resize(rows.len() * cols.len(), 0.0);
            for (row, to) in rows.zip(decoded.chunks_exact_mut(cols.len())) {
                self.decode_part(row, cols.start, to)?;
            }
            call(Rows::new(decoded, cols.len(), cols.len()));
            Ok(())
        })
    }
}

/// The first `count` rows; `None` where one is missing.
fn collect<T: Copy + Default>(count: usize, row: impl Fn(usize) -> Option<T>) -> Option<[T; CALL]> {
    let mut rows: [T; CALL] = array::from_fn(|_| T::default());
    for (index, to) in rows.iter_mut().enumerate().take(count) {
        *to = row(index)?;
    }
    Some(rows)
}
