//! Products of a part of the weights with all activations that need it.

use std::cell::RefCell;
use std::ops::Range;

use lowfloat::DType;

use crate::arch::{
    Ahead, Bf16Row, BlockRow, FEW, Fixed, FixedPanel, Level, Mxfp4Row, Order, Out, Panel, ROWS,
    Rows, Stored, accumulate, fixed_products, products,
};
use crate::inputs::{Form, Inputs, Part};
use crate::matrix::Packing;
use crate::{Activations, Error, Matrix, Result, Rounding};

/// Bytes of weights that are worth a task of their own: some microseconds of reading.
const TASK: usize = 128 << 10;

/// The same where reading is all there is to wait for: a task reads at several places at a time, and memory is fast where it
/// is read on and on.
const READING: usize = 384 << 10;

impl<B: AsRef<[u8]>> Matrix<B> {
    /// How many rows a task should have, of `all` rows that are multiplied with at most `vectors` vectors each.
    pub(crate) fn rows_per_task(&self, all: usize, vectors: usize) -> usize {
        let (bytes, whole) = if vectors <= FEW { (READING, 8) } else { (TASK, 2 * ROWS) };
        let most = (bytes / self.row_bytes().max(1)).min(16 * ROWS);
        // Enough tasks that no thread waits long for the others.
        let share = all / (4 * rayon::current_num_threads());
        usize::min(most, share).max(1).next_multiple_of(whole)
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
        if rows.is_empty() {
            return Ok(());
        }
        let missing = || Error::NoSuchRow { row: rows.end - 1, rows: self.rows() };
        let out = Out { data: to, row_step: 1, vector_step: rows.len() };
        PANEL.with_borrow_mut(|panel| {
            let run = |stored: Stored<'_>| products(Level::current(), stored, vectors, panel, out);
            match &self.packing {
                Packing::Dense(DType::BF16, strips) => {
                    let rows = strips.some(rows.clone()).ok_or_else(missing)?;
                    run(Stored::Bf16(&rows.map(Bf16Row::new).collect::<Vec<_>>()));
                }
                Packing::Dense(dtype, strips) => {
                    let rows = strips.some(rows.clone()).ok_or_else(missing)?;
                    run(Stored::Decoded(*dtype, &rows.collect::<Vec<_>>()));
                }
                Packing::Mxfp4 { blocks, scales, .. } => {
                    let blocks = blocks.some(rows.clone()).ok_or_else(missing)?;
                    let scales = scales.some(rows.clone()).ok_or_else(missing)?;
                    let rows =
                        blocks.zip(scales).map(|(codes, scales)| Mxfp4Row::new(codes, scales));
                    run(Stored::Mxfp4(&rows.collect::<Vec<_>>()));
                }
                Packing::Coded(coded) => {
                    let rows: Option<Vec<_>> = rows.clone().map(|row| coded.row(row)).collect();
                    run(Stored::Coded(&rows.ok_or_else(missing)?));
                }
                Packing::Int8(int8) => {
                    let rows: Option<Vec<_>> = rows.clone().map(|row| int8.row(row)).collect();
                    run(Stored::Int8(&rows.ok_or_else(missing)?));
                }
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
        if rows.is_empty() {
            return Ok(());
        }
        let missing = || Error::NoSuchRow { row: rows.end - 1, rows: self.rows() };
        let Packing::Mxfp4 { blocks, scales, .. } = &self.packing else { return Err(missing()) };
        let blocks = blocks.some(rows.clone()).ok_or_else(missing)?;
        let scales = scales.some(rows.clone()).ok_or_else(missing)?;
        let out = Out { data: to, row_step: 1, vector_step: rows.len() };
        let rows = blocks.zip(scales).map(|(codes, scales)| BlockRow::new(codes, scales));
        let rows: Vec<_> = rows.collect();
        PANEL.with_borrow_mut(|panel| {
            fixed_products(Level::current(), &rows, vectors, panel, out);
        });
        Ok(())
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
                let next = &mut Ahead::default();
                accumulate(Level::current(), decoded, &factors, sums, cols.len(), next);
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
            call(Rows::new(decoded, cols.len()));
            Ok(())
        })
    }
}
