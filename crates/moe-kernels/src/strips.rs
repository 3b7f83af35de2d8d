//! Rows of bytes that need not lie in one piece.

use std::ops::Range;

use crate::{Error, Result};

/// Rows of equal byte length, in order, lying in one or more pieces.
///
/// A tensor of a file is one piece. Several are what a checkpoint needs that splits a matrix into
/// tensors, as the parts of a fused projection, or over files. No alignment is asked for.
///
/// ```
/// use moe_kernels::Strips;
///
/// let strips = Strips::new(2, vec![&b"aabb"[..], b"cc"])?;
/// assert_eq!(strips.rows(), 3);
/// assert_eq!(strips.row(2), Some(&b"cc"[..]));
/// assert_eq!(strips.row(3), None);
/// assert!(Strips::new(2, vec![b"aab"]).is_err());
/// # Ok::<(), moe_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Strips<B> {
    row_bytes: usize,
    pieces: Vec<B>,
    /// Rows up to the end of each piece.
    ends: Vec<usize>,
}

impl<B: AsRef<[u8]>> Strips<B> {
    /// Rows of `row_bytes` bytes in pieces of whole rows. No piece, and pieces without rows, are
    /// allowed.
    ///
    /// # Errors
    ///
    /// [`Error::CutRow`] where a piece does not hold whole rows, [`Error::Count`] where
    /// `row_bytes` is zero.
    pub fn new(row_bytes: usize, pieces: Vec<B>) -> Result<Self> {
        if row_bytes == 0 {
            return Err(Error::Count {
                argument: "bytes of a row",
                expected: "at least 1",
                found: 0,
            });
        }
        let mut rows = 0;
        let mut ends = Vec::with_capacity(pieces.len());
        for (piece, bytes) in pieces.iter().map(|piece| piece.as_ref().len()).enumerate() {
            if !bytes.is_multiple_of(row_bytes) {
                return Err(Error::CutRow { piece, row_bytes, bytes });
            }
            // Pieces may be the same memory many times over.
            rows = usize::checked_add(rows, bytes / row_bytes).ok_or(Error::Count {
                argument: "rows of the weights",
                expected: "a count that fits the address space",
                found: usize::MAX,
            })?;
            ends.push(rows);
        }
        Ok(Self { row_bytes, pieces, ends })
    }

    /// The number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Bytes of a row.
    #[must_use]
    pub const fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The bytes of a row; `None` where there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> Option<&[u8]> {
        let piece = self.ends.partition_point(|&end| end <= row);
        let first = if piece == 0 { 0 } else { *self.ends.get(piece - 1)? };
        let start = (row - first).checked_mul(self.row_bytes)?;
        self.pieces.get(piece)?.as_ref().get(start..)?.get(..self.row_bytes)
    }

    /// Some rows, in order; `None` where one of them is missing.
    pub(crate) fn some(&self, rows: Range<usize>) -> Option<impl Iterator<Item = &[u8]>> {
        if rows.end > self.rows() || rows.is_empty() {
            return None;
        }
        let piece = self.ends.partition_point(|&end| end <= rows.start);
        let first = if piece == 0 { 0 } else { self.ends[piece - 1] };
        let (from, row_bytes) = (rows.start - first, self.row_bytes);
        let pieces =
            self.pieces.get(piece..)?.iter().enumerate().flat_map(move |(index, piece)| {
                let from = if index == 0 { from * row_bytes } else { 0 };
                piece.as_ref().get(from..).unwrap_or_default().chunks_exact(row_bytes)
            });
        Some(pieces.take(rows.len()))
    }

    /// Bytes of all rows together.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.rows().saturating_mul(self.row_bytes)
    }

    /// The pieces, in order.
    #[must_use]
    pub fn pieces(&self) -> &[B] {
        &self.pieces
    }
}

impl<B> Strips<B> {
    /// The same rows with their bytes held by something else.
    pub(crate) fn map<C>(self, map: impl FnMut(B) -> C) -> Strips<C> {
        let Self { row_bytes, pieces, ends } = self;
        Strips { row_bytes, pieces: pieces.into_iter().map(map).collect(), ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_rows_are_rows_one_by_one_across_pieces() {
        let pieces = [&b"aabb"[..], b"", b"ccddee", b"ff"];
        let strips = Strips::new(2, pieces.to_vec()).unwrap();
        for start in 0..=7 {
            for end in 0..=8 {
                let one_by_one: Option<Vec<_>> = (start..end).map(|row| strips.row(row)).collect();
                let some = strips.some(start..end).map(Iterator::collect::<Vec<_>>);
                assert_eq!(some, one_by_one.filter(|rows| !rows.is_empty()), "{start}..{end}");
            }
        }
    }
}
