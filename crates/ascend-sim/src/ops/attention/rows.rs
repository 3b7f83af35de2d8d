//! Rows of heads from and to device memory.

use super::layout::{Extents, Layout, Place};
use crate::kernel::{Fault, Reject};
use crate::memory::Memory;
use crate::ops::access::{floats_at, integers, write_floats_at};
use crate::ops::check::Check;
use crate::tensor::Tensor;

/// A tensor in a layout.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    pub(super) tensor: Tensor,
    pub(super) of: Extents,
    place: Place,
}

impl Heads {
    pub(super) fn new(
        check: &Check,
        name: &str,
        tensor: Tensor,
        layout: Layout,
        heads: i64,
    ) -> Result<Self, Reject> {
        let of = layout.extents(check, name, &tensor, heads)?;
        Ok(Self { place: layout.place(of), tensor, of })
    }

    /// `[heads][count][depth]` of tokens from `token` on.
    pub(super) fn read(
        &self,
        mem: &dyn Memory,
        batch: usize,
        token: usize,
        count: usize,
    ) -> Result<Vec<f32>, Fault> {
        let (heads, depth) = (self.of.heads as usize, self.of.depth as usize);
        let mut values = vec![0.0; heads * count * depth];
        for stretch in self.place.stretches(batch, token, count, heads, depth) {
            let read = floats_at(mem, &self.tensor, stretch.first, stretch.len)?;
            for ((token, head), row) in stretch.rows(heads, depth).zip(read.chunks_exact(depth)) {
                values[(head * count + token) * depth..][..depth].copy_from_slice(row);
            }
        }
        Ok(values)
    }

    /// The inverse of [`Heads::read`].
    pub(super) fn write(
        &self,
        mem: &dyn Memory,
        batch: usize,
        token: usize,
        count: usize,
        values: &[f32],
    ) -> Result<(), Fault> {
        let (heads, depth) = (self.of.heads as usize, self.of.depth as usize);
        for stretch in self.place.stretches(batch, token, count, heads, depth) {
            let mut together = Vec::with_capacity(stretch.len);
            for (token, head) in stretch.rows(heads, depth) {
                together.extend_from_slice(&values[(head * count + token) * depth..][..depth]);
            }
            write_floats_at(mem, &self.tensor, stretch.first, &together)?;
        }
        Ok(())
    }
}

/// Kernels for inference take no views.
pub(super) fn contiguous(check: &Check, name: &str, tensor: &Tensor) -> Result<(), Reject> {
    let got = format_args!("of shape {:?} and strides {:?}", tensor.shape, tensor.strides);
    check.require(tensor.contiguous() || tensor.len() == 0, name, got, "contiguous")
}

/// Where keys or values come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// One tensor, or one for each batch.
    Plain(Vec<Heads>),
    Paged(Box<Paged>),
}

/// Blocks of tokens in a cache, and which belong to a sequence.
#[derive(Clone, Debug)]
pub(super) struct Paged {
    pub(super) cache: Tensor,
    pub(super) order: Blocks,
    pub(super) table: Tensor,
    pub(super) blocks: usize,
    pub(super) block_size: usize,
    pub(super) heads: usize,
    pub(super) depth: usize,
    pub(super) operator: &'static str,
}

/// Takes elements of a row: its head, the row, the first element.
type Piece<'a> = &'a mut dyn FnMut(usize, usize, usize, &[f32]);

/// The order of elements in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocks {
    /// `[block_size, heads · D]`.
    TokensFirst,
    /// `[heads, block_size, D]`.
    HeadsFirst,
    /// `[heads, D / 16, block_size, 16]`.
    Fractal,
}

/// Elements of 16 bits in the 32 bytes of a block's row.
pub(super) const FRACTAL_WIDTH: usize = 16;

impl Source {
    /// `[heads][to - from][depth]` of the tokens of a sequence; `start` is where the sequence begins in a packed layout.
    pub(super) fn read(
        &self,
        mem: &dyn Memory,
        batch: usize,
        start: usize,
        from: usize,
        to: usize,
    ) -> Result<Vec<f32>, Fault> {
        match self {
            Self::Plain(list) if list.len() == 1 => {
                list[0].read(mem, batch, start + from, to - from)
            }
            Self::Plain(list) => list[batch].read(mem, 0, from, to - from),
            Self::Paged(paged) => paged.read(mem, batch, from, to),
        }
    }
}

impl Paged {
    fn read(
        &self,
        mem: &dyn Memory,
        batch: usize,
        from: usize,
        to: usize,
    ) -> Result<Vec<f32>, Fault> {
        let Self { block_size: size, heads, depth, .. } = *self;
        let count = to - from;
        let mut values = vec![0.0; heads * count * depth];
        let table = integers(mem, &self.table)?;
        let columns = table.len() / self.table.shape[0] as usize;
        let mut token = from;
        while token < to {
            let number = table[batch * columns + token / size];
            let block = usize::try_from(number).ok().filter(|&block| block < self.blocks);
            // The vendor checks no block numbers and reads whatever lies there.
            let block = block.ok_or_else(|| {
                let text = format!("blockTable has {number}, expected 0 to {}", self.blocks - 1);
                Fault::cube(format!("{}: {text}", self.operator))
            })?;
            let at = token % size;
            let len = (size - at).min(to - token);
            self.read_block(mem, block, at, len, &mut |head, row, element, piece| {
                let first = (head * count + token - from + row) * depth + element;
                values[first..first + piece.len()].copy_from_slice(piece);
            })?;
            token += len;
        }
        Ok(values)
    }

    /// Hands over pieces of `len` rows from `at` on: head, row, first element.
    fn read_block(
        &self,
        mem: &dyn Memory,
        block: usize,
        at: usize,
        len: usize,
        take: Piece<'_>,
    ) -> Result<(), Fault> {
        let Self { block_size: size, heads, depth, .. } = *self;
        let base = block * size * heads * depth;
        match self.order {
            Blocks::TokensFirst => {
                let all = heads * depth;
                let read = floats_at(mem, &self.cache, base + at * all, len * all)?;
                for (row, piece) in read.chunks_exact(depth).enumerate() {
                    take(row % heads, row / heads, 0, piece);
                }
            }
            Blocks::HeadsFirst => {
                for head in 0..heads {
                    let first = base + (head * size + at) * depth;
                    let read = floats_at(mem, &self.cache, first, len * depth)?;
                    for (row, piece) in read.chunks_exact(depth).enumerate() {
                        take(head, row, 0, piece);
                    }
                }
            }
            Blocks::Fractal => {
                let across = depth / FRACTAL_WIDTH;
                for column in 0..heads * across {
                    let first = base + (column * size + at) * FRACTAL_WIDTH;
                    let read = floats_at(mem, &self.cache, first, len * FRACTAL_WIDTH)?;
                    for (row, piece) in read.chunks_exact(FRACTAL_WIDTH).enumerate() {
                        take(column / across, row, column % across * FRACTAL_WIDTH, piece);
                    }
                }
            }
        }
        Ok(())
    }
}
