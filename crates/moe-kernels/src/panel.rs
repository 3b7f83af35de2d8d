//! Products of some rows of weights with all activations that need them.

use std::cell::RefCell;
use std::ops::Range;

use crate::arch::{Level, Out, Rows, dots};
use crate::{Matrix, Result};

/// Bytes of weights that are worth a task of their own: some microseconds of reading.
const TASK: usize = 128 << 10;

impl<B: AsRef<[u8]>> Matrix<B> {
    /// How many rows a task should have.
    pub(crate) fn rows_per_task(&self) -> usize {
        (TASK / self.row_bytes().max(1)).next_multiple_of(MANY).min(16 * MANY)
    }

    /// Writes the products of the rows with every vector, `products` being `[vectors, rows]`.
    pub(crate) fn products(
        &self,
        rows: Range<usize>,
        vectors: &[&[f32]],
        products: &mut [f32],
    ) -> Result<()> {
        thread_local! {
            static DECODED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
        }
        DECODED.with_borrow_mut(|decoded| {
            let count = if vectors.len() < 4 { FEW } else { MANY };
            decoded.resize(count * self.cols(), 0.0);
            for first in rows.clone().step_by(count) {
                let some = first..usize::min(first + count, rows.end);
                let decoded = &mut decoded[..some.len() * self.cols()];
                for (row, decoded) in some.zip(decoded.chunks_exact_mut(self.cols())) {
                    self.decode_row(row, decoded)?;
                }
                let data = products.get_mut(first - rows.start..).unwrap_or_default();
                let out = Out { data, row_step: 1, vector_step: rows.len() };
                dots(Level::current(), Rows::new(decoded, self.cols(), self.cols()), vectors, out);
            }
            Ok(())
        })
    }
}

/// Rows decoded at a time where they are used once or twice: those of gpt-oss, of 2880 elements,
/// share a first-level cache with an activation.
const FEW: usize = 4;

/// Rows decoded at a time where they are used more often: the activations, read from a cache further
/// away, are then used as often. Those of gpt-oss are 184 KiB, a part of a second-level cache.
const MANY: usize = 16;
