//! Products of a part of the weights with all activations that need it.

use std::cell::RefCell;
use std::ops::Range;

use crate::arch::{Level, Out, Rows, accumulate, dots};
use crate::{Matrix, Result};

/// Rows decoded at a time where they are used once or twice: those of gpt-oss, of 2880 elements,
/// share a first-level cache with an activation.
const FEW: usize = 4;

/// Rows decoded at a time where they are used more often: the activations, read from a cache further
/// away, are then used as often. Those of gpt-oss are 184 KiB, a part of a second-level cache.
const MANY: usize = 16;

/// Bytes of weights that are worth a task of their own: some microseconds of reading.
const TASK: usize = 128 << 10;

impl<B: AsRef<[u8]>> Matrix<B> {
    /// How many rows a task should have.
    pub(crate) fn rows_per_task(&self) -> usize {
        (TASK / self.row_bytes().max(1)).next_multiple_of(MANY).min(16 * MANY)
    }

    /// The products of some rows with every vector: `products[v, r] = Σ_k vectors[v][k]·w[r, k]`.
    pub(crate) fn products(
        &self,
        rows: Range<usize>,
        vectors: &[&[f32]],
        products: &mut [f32],
    ) -> Result<()> {
        let count = if vectors.len() < 4 { FEW } else { MANY };
        for first in rows.clone().step_by(count) {
            let some = first..usize::min(first + count, rows.end);
            self.with_decoded(some, 0..self.cols(), |decoded| {
                let data = products.get_mut(first - rows.start..).unwrap_or_default();
                let out = Out { data, row_step: 1, vector_step: rows.len() };
                dots(Level::current(), decoded, vectors, out);
            })?;
        }
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
        for first in rows.clone().step_by(MANY) {
            let some = first..usize::min(first + MANY, rows.end);
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
