//! How well packing to MXFP4 kept the values.

use lowfloat::mxfp4::QuantizeStats;
use serde::{Deserialize, Serialize};

use crate::journal::TensorDone;
use crate::report::Packing;

/// Sums over the blocks of a tensor, in a form that a journal can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PackingSums {
    blocks: u64,
    exact_blocks: u64,
    max_abs_error: f64,
    sum_squared_error: f64,
    sum_squares: f64,
}

impl From<QuantizeStats> for PackingSums {
    fn from(stats: QuantizeStats) -> Self {
        Self {
            blocks: stats.blocks,
            exact_blocks: stats.exact_blocks,
            max_abs_error: stats.max_abs_error,
            sum_squared_error: stats.sum_squared_error,
            sum_squares: stats.sum_squares,
        }
    }
}

impl PackingSums {
    pub(super) fn add(&mut self, other: Self) {
        self.blocks += other.blocks;
        self.exact_blocks += other.exact_blocks;
        self.max_abs_error = self.max_abs_error.max(other.max_abs_error);
        self.sum_squared_error += other.sum_squared_error;
        self.sum_squares += other.sum_squares;
    }
}

/// The sums of all tensors; `None` when none was packed.
pub(super) fn total(done: &[TensorDone]) -> Option<Packing> {
    let mut sums = PackingSums::default();
    done.iter().filter_map(|done| done.packing).for_each(|tensor| sums.add(tensor));
    (sums.blocks > 0).then(|| Packing {
        blocks: sums.blocks,
        exact_blocks: sums.exact_blocks,
        max_abs_error: sums.max_abs_error,
        relative_rms_error: if sums.sum_squares > 0.0 {
            (sums.sum_squared_error / sums.sum_squares).sqrt()
        } else {
            0.0
        },
    })
}
