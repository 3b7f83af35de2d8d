//! Where the elements of a view lie.

use crate::tensor::{FRACTAL_NZ, Tensor};

/// Elements that follow each other in the view and in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Elements from the tensor's address.
    pub(super) position: i64,
    pub(super) len: usize,
}

/// The runs of a stretch of a view, in its order.
pub(super) struct Runs<'a> {
    tensor: &'a Tensor,
    /// The next element of the view, and the one to stop before.
    next: usize,
    end: usize,
    order: Order,
}

/// How an index of the view becomes a position.
enum Order {
    /// Every so many elements of the view, from the dimensions `..outer`, a jump; between, one after another.
    Strided {
        block: usize,
        outer: usize,
    },
    Blocked(Blocks),
}

/// `FRACTAL_NZ`: the matrix is cut into blocks of 16 rows by 32 bytes; blocks go down the rows first, then to the next
/// column of blocks.
struct Blocks {
    /// Elements of a block's row, `C0`.
    width: i64,
    /// Blocks from top to bottom.
    down: i64,
    /// Elements of a whole matrix with its padding.
    matrix: i64,
    /// The view has rows and columns exchanged.
    exchanged: bool,
}

/// Rows of a block.
pub(in crate::ops) const BLOCK_ROWS: i64 = 16;
/// Bits of a block's row, where the storage does not say otherwise.
pub(in crate::ops) const BLOCK_ROW_BITS: i64 = 32 * 8;

impl<'a> Runs<'a> {
    pub(super) fn new(tensor: &'a Tensor, first: usize, count: usize) -> Self {
        let order = if tensor.format == FRACTAL_NZ && tensor.shape.len() >= 2 {
            Order::Blocked(Blocks::of(tensor))
        } else {
            let (mut block, mut outer) = (1, tensor.shape.len());
            while outer > 0 {
                let extent = tensor.shape[outer - 1];
                if extent != 1 && tensor.strides[outer - 1] != block {
                    break;
                }
                block *= extent.max(1);
                outer -= 1;
            }
            Order::Strided { block: block as usize, outer }
        };
        Self { tensor, next: first, end: first + count, order }
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        if self.next >= self.end {
            return None;
        }
        let rest = self.end - self.next;
        let run = match &self.order {
            Order::Strided { block, outer } => {
                let inside = self.next % block;
                let mut index = (self.next / block) as i64;
                let mut position = self.tensor.offset + inside as i64;
                for dim in (0..*outer).rev() {
                    let extent = self.tensor.shape[dim];
                    position += index % extent * self.tensor.strides[dim];
                    index /= extent;
                }
                Run { position, len: (block - inside).min(rest) }
            }
            Order::Blocked(blocks) => blocks.run(self.tensor, self.next as i64, rest),
        };
        self.next += run.len;
        Some(run)
    }
}

impl Blocks {
    fn of(tensor: &Tensor) -> Self {
        let rank = tensor.shape.len();
        let exchanged = tensor.exchanged();
        let (rows, columns) = if exchanged {
            (tensor.shape[rank - 1], tensor.shape[rank - 2])
        } else {
            (tensor.shape[rank - 2], tensor.shape[rank - 1])
        };
        // The storage says how the memory was cut; a view may show less of it, and types of 4 bits have
        // blocks of another width on some chips.
        let (width, down, across) = match tensor.storage[..] {
            [.., across, down, BLOCK_ROWS, width] if tensor.storage.len() == rank + 2 => {
                (width, down, across)
            }
            _ => {
                let width = BLOCK_ROW_BITS / tensor.dtype.bits().cast_signed();
                (width, ceil(rows, BLOCK_ROWS), ceil(columns, width))
            }
        };
        Self { width, down, matrix: across * down * BLOCK_ROWS * width, exchanged }
    }

    fn run(&self, tensor: &Tensor, index: i64, rest: usize) -> Run {
        let rank = tensor.shape.len();
        let (high, low) = (tensor.shape[rank - 2], tensor.shape[rank - 1]);
        let (matrix, row, column) = (index / (high * low), index / low % high, index % low);
        let (row, column) = if self.exchanged { (column, row) } else { (row, column) };
        let len = if self.exchanged {
            1
        } else {
            (self.width - column % self.width).min(low - column) as usize
        };
        let block = column / self.width * self.down + row / BLOCK_ROWS;
        let position = tensor.offset
            + matrix * self.matrix
            + (block * BLOCK_ROWS + row % BLOCK_ROWS) * self.width
            + column % self.width;
        Run { position, len: len.min(rest) }
    }
}

/// `i64::div_ceil` is not stable.
pub(in crate::ops) fn ceil(value: i64, by: i64) -> i64 {
    (value + by - 1) / by
}
