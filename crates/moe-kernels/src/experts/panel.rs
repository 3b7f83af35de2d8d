//! Some outputs of one expert for all of its tokens.

use std::ops::Range;

use super::ExpertMatrix;
use crate::Result;
use crate::arch::{Level, Rows, accumulate};

/// Rows decoded at a time: 16 of 2880 elements are 184 KiB, a part of a second-level cache.
const ROWS: usize = 16;

impl<B: AsRef<[u8]>> ExpertMatrix<B> {
    /// How many outputs a task computes, in units that divide it: enough that its weights are
    /// worth a task, and a stretch of memory.
    pub(super) const fn panel(&self) -> usize {
        match self {
            Self::RowsOut(_) => 64,
            Self::RowsIn(_) => 1024,
        }
    }

    /// Writes the products of the given outputs of an expert with every vector, `sums` being
    /// `[vectors, outputs]`.
    pub(super) fn products(
        &self,
        expert: usize,
        outputs: Range<usize>,
        all_outputs: usize,
        vectors: &[&[f32]],
        sums: &mut [f32],
        buffer: &mut Vec<f32>,
    ) -> Result<()> {
        let width = outputs.len();
        match self {
            Self::RowsOut(matrix) => {
                let first = expert * all_outputs + outputs.start;
                matrix.products(first..first + width, vectors, sums)?;
            }
            Self::RowsIn(matrix) => {
                sums.fill(0.0);
                let inputs = vectors.first().map_or(0, |vector| vector.len());
                buffer.resize(ROWS * width, 0.0);
                for from in (0..inputs).step_by(ROWS) {
                    let count = usize::min(ROWS, inputs - from);
                    let decoded = &mut buffer[..count * width];
                    for (row, to) in decoded.chunks_exact_mut(width).enumerate() {
                        matrix.decode_part(expert * inputs + from + row, outputs.start, to)?;
                    }
                    let factors: Vec<&[f32]> =
                        vectors.iter().map(|vector| &vector[from..from + count]).collect();
                    accumulate(
                        Level::current(),
                        Rows::new(decoded, width, width),
                        &factors,
                        sums,
                        width,
                    );
                }
            }
        }
        Ok(())
    }
}
