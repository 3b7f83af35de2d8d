//! MXFP4 pairs made dense.

use lowfloat::mxfp4::{self, Matrix};

use super::Packed;
use super::produce::{CHUNK, Producer, size_of, value};
use crate::Result;
use crate::plan::PlanTensor;

impl Producer<'_> {
    /// Whole blocks from block `first` on, in their own order.
    pub(super) fn dequantize(
        &mut self,
        blocks: usize,
        scales: usize,
        tensor: &PlanTensor,
        first: u64,
        dst: &mut [u8],
    ) -> Result<()> {
        let block = 32 * size_of(tensor.dtype);
        let end = first + (dst.len() / block) as u64;
        let mut at = first;
        for dst in dst.chunks_mut(CHUNK / block * block) {
            let count = (dst.len() / block) as u64;
            self.read_packed(blocks, scales, at, count, end - at)?;
            mxfp4::dequantize_bytes(&self.scratch, &self.scales, tensor.dtype, dst)
                .map_err(|error| value(tensor, &error))?;
            at += count;
        }
        Ok(())
    }

    /// Elements from `first` on of the stack of transposed matrices.
    pub(super) fn dequantize_transposed(
        &mut self,
        blocks: usize,
        scales: usize,
        tensor: &PlanTensor,
        first: u64,
        dst: &mut [u8],
    ) -> Result<()> {
        let packed = Packed::from_scales(&self.source.tensors()[scales].shape);
        let size = size_of(tensor.dtype);
        let mut at = first;
        let mut rest = dst;
        while !rest.is_empty() {
            let (matrix, inside) = (at / packed.elements(), at % packed.elements());
            let count = (rest.len() / size).min((packed.elements() - inside) as usize);
            let (now, later) = rest.split_at_mut(count * size);
            self.transpose_into(blocks, scales, tensor, packed, matrix, inside, now)?;
            (at, rest) = (at + count as u64, later);
        }
        Ok(())
    }

    /// Elements from `inside` on of one transposed matrix.
    #[expect(clippy::too_many_arguments, reason = "the inputs, the shape, and the range")]
    fn transpose_into(
        &mut self,
        blocks: usize,
        scales: usize,
        tensor: &PlanTensor,
        packed: Packed,
        matrix: u64,
        inside: u64,
        dst: &mut [u8],
    ) -> Result<()> {
        let size = size_of(tensor.dtype);
        let pieces = pieces(packed.rows, inside, (dst.len() / size) as u64);
        // The packed rows are read once, front to back, whatever part of each is used.
        let step = (CHUNK as u64 * 2 / packed.columns).clamp(1, packed.rows);
        let mut row = 0;
        while row < packed.rows {
            let rows = step.min(packed.rows - row);
            let first = (matrix * packed.rows + row) * packed.groups();
            let left = (packed.rows - row) * packed.groups();
            self.read_packed(blocks, scales, first, rows * packed.groups(), left)?;
            for piece in &pieces {
                let begin = piece.rows.start.max(row);
                let end = piece.rows.end.min(row + rows);
                if begin >= end {
                    continue;
                }
                let groups = packed.groups() as usize;
                let (from, to) = ((begin - row) as usize * groups, (end - row) as usize * groups);
                let part = Matrix {
                    blocks: &self.scratch[from * mxfp4::BLOCK_BYTES..to * mxfp4::BLOCK_BYTES],
                    scales: &self.scales[from..to],
                    rows: (end - begin) as usize,
                    columns: packed.columns as usize,
                };
                let offset = (piece.offset + begin - piece.rows.start) as usize * size;
                let len = ((piece.columns.end - piece.columns.start - 1) * packed.rows + end
                    - begin) as usize
                    * size;
                mxfp4::dequantize_transposed(
                    part,
                    piece.columns.start as usize..piece.columns.end as usize,
                    tensor.dtype,
                    &mut dst[offset..offset + len],
                    packed.rows as usize,
                )
                .map_err(|error| value(tensor, &error))?;
            }
            row += rows;
        }
        Ok(())
    }

    /// Reads `count` blocks from block `first` on, and their scales, into the scratch space.
    fn read_packed(
        &mut self,
        blocks: usize,
        scales: usize,
        first: u64,
        count: u64,
        ahead: u64,
    ) -> Result<()> {
        let block = mxfp4::BLOCK_BYTES as u64;
        let [blocks_window, scales_window] = &mut self.windows;
        self.scratch.resize((count * block) as usize, 0);
        self.source.read_at(
            blocks,
            first * block,
            &mut self.scratch,
            ahead * block,
            blocks_window,
        )?;
        self.scales.resize(count as usize, 0);
        self.source.read_at(scales, first, &mut self.scales, ahead, scales_window)
    }
}

/// A rectangle of a transposed matrix: whole columns of the packed one, or part of a single one.
#[derive(Debug, PartialEq)]
struct Piece {
    columns: std::ops::Range<u64>,
    rows: std::ops::Range<u64>,
    /// Where its first element goes, counted from the first element of the range.
    offset: u64,
}

/// Cuts `count` elements from `first` on of a `[columns, rows]` matrix into at most three pieces.
fn pieces(rows: u64, first: u64, count: u64) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(3);
    let end = first + count;
    let mut at = first;
    while at < end {
        let (column, row) = (at / rows, at % rows);
        let piece = if row == 0 && end - at >= rows {
            let columns = (end - at) / rows;
            Piece { columns: column..column + columns, rows: 0..rows, offset: at - first }
        } else {
            let last = rows.min(row + end - at);
            Piece { columns: column..column + 1, rows: row..last, offset: at - first }
        };
        at += (piece.columns.end - piece.columns.start) * (piece.rows.end - piece.rows.start);
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_range_once() {
        let rows = 7;
        for first in 0..20 {
            for count in 1..30 {
                let pieces = pieces(rows, first, count);
                assert!(pieces.len() <= 3);
                let mut covered = Vec::new();
                for piece in pieces {
                    for column in piece.columns.clone() {
                        for row in piece.rows.clone() {
                            let place = piece.offset + (column - piece.columns.start) * rows + row
                                - piece.rows.start;
                            assert_eq!(first + place, column * rows + row);
                            covered.push(place);
                        }
                    }
                }
                assert_eq!(covered, (0..count).collect::<Vec<_>>());
            }
        }
    }
}
