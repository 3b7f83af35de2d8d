//! bf16 in twelve bits.

use std::ops::Range;

use rayon::prelude::*;

use crate::arch::coded::{Escape, GROUP_BYTES, index_of, lower_of};
use crate::arch::{CodedRow, GROUP};
use crate::view::check_len;
use crate::{Error, Matrix, Result, Strips};

/// Weights of [`Repack::Coded`](crate::Repack::Coded), as they are stored.
///
/// A row is, for every 128 weights, 64 bytes of indexes and 128 lower bytes, then the weights left over
/// as bf16. Lower byte `64·(s / 2) + 16·(w / 8) + 8·(s mod 2) + w mod 8` of 128 is that of
/// weight `32·s + w`, and at place `p` is the index in four bits of byte `p mod 64`, the lower four
/// for `p < 64`.
#[derive(Clone, Debug)]
pub struct CodedParts<B> {
    /// The rows.
    pub rows: Strips<B>,
    /// The most frequent upper bytes.
    pub table: [u8; 16],
    /// Upper bytes that are not in the table, row after row by column: four bytes each, little-endian, the
    /// column times 256 plus the upper byte.
    pub escapes: B,
    /// How many escapes there are up to the end of each row.
    pub ends: Vec<u32>,
}

/// The same with its columns.
#[derive(Clone, Debug)]
pub(crate) struct Coded<B> {
    cols: usize,
    parts: CodedParts<B>,
}

/// Columns that an escape can tell apart.
const MOST_COLS: usize = 1 << 24;

/// Bytes of a row.
const fn row_bytes(cols: usize) -> usize {
    cols / GROUP * GROUP_BYTES + cols % GROUP * 2
}

impl<B: AsRef<[u8]>> Matrix<B> {
    /// Weights of `cols` columns that [`repacked`](Self::repacked) made and somebody stored.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] or [`Error::Count`] where the parts do not fit each other.
    pub fn coded(cols: usize, parts: CodedParts<B>) -> Result<Self> {
        let expected = "1 to 16777215";
        if cols == 0 || cols >= MOST_COLS {
            return Err(Error::Count {
                argument: "columns of coded weights",
                expected,
                found: cols,
            });
        }
        check_len("bytes of a coded row", row_bytes(cols), parts.rows.row_bytes())?;
        let rows = parts.rows.rows();
        check_len("ends of escapes", rows, parts.ends.len())?;
        let count = parts.ends.last().map_or(0, |end| *end as usize);
        check_len("bytes of escapes", count.saturating_mul(4), parts.escapes.as_ref().len())?;
        if !parts.ends.is_sorted() {
            let expected = "an ascending sequence";
            return Err(Error::Count { argument: "ends of escapes", expected, found: rows });
        }
        let coded = Coded { cols, parts };
        if let Some(found) = (0..rows).find_map(|row| coded.misplaced(row)) {
            let expected = "one of a whole group, after the one before";
            return Err(Error::Count { argument: "column of an escape", expected, found });
        }
        Ok(Self::packed(rows, cols, crate::matrix::Packing::Coded(coded)))
    }

    /// The parts of coded weights, to store them; `None` for others.
    pub const fn coded_parts(&self) -> Option<&CodedParts<B>> {
        match &self.packing {
            crate::matrix::Packing::Coded(coded) => Some(&coded.parts),
            _ => None,
        }
    }
}

impl Coded<Vec<u8>> {
    /// `None` where it would be no smaller.
    pub(crate) fn of<B: AsRef<[u8]> + Sync>(strips: &Strips<B>, cols: usize) -> Option<Self> {
        if !(GROUP..MOST_COLS).contains(&cols) {
            return None;
        }
        let (rows, row_bytes) = (strips.rows(), row_bytes(cols));
        let table = table(strips);
        let mut index_of_upper = [None; 256];
        for (index, upper) in (0u8..).zip(table) {
            index_of_upper[usize::from(upper)] = Some(index);
        }
        let mut bytes = vec![0; row_bytes.checked_mul(rows)?];
        let escapes: Vec<Vec<Escape>> = bytes
            .par_chunks_exact_mut(row_bytes)
            .enumerate()
            .map(|(row, to)| encode(strips.row(row).unwrap_or_default(), &index_of_upper, to))
            .collect();
        let mut end = 0u32;
        let mut ends = Vec::with_capacity(rows);
        for escapes in &escapes {
            end = end.checked_add(u32::try_from(escapes.len()).ok()?)?;
            ends.push(end);
        }
        let escapes: Vec<u8> =
            escapes.iter().flatten().flat_map(|escape| escape.to_le_bytes()).collect();
        if bytes.len() + escapes.len() >= strips.byte_len() {
            return None;
        }
        let rows = Strips::new(row_bytes, vec![bytes]).ok()?;
        Some(Self { cols, parts: CodedParts { rows, table, escapes, ends } })
    }
}

/// The most frequent upper bytes in a part of the rows.
fn table<B: AsRef<[u8]>>(strips: &Strips<B>) -> [u8; 16] {
    const ROWS: usize = 1024;
    let mut counts = [0u64; 256];
    for row in (0..strips.rows()).step_by(strips.rows().div_ceil(ROWS).max(1)) {
        for weight in strips.row(row).unwrap_or_default().as_chunks::<2>().0 {
            counts[usize::from(weight[1])] += 1;
        }
    }
    let mut uppers: Vec<u8> = (0..=u8::MAX).collect();
    uppers.sort_by_key(|upper| std::cmp::Reverse(counts[usize::from(*upper)]));
    let mut table = [0; 16];
    table.iter_mut().zip(uppers).for_each(|(to, upper)| *to = upper);
    table
}

/// Writes a row and tells what is not in it.
fn encode(row: &[u8], index_of_upper: &[Option<u8>; 256], to: &mut [u8]) -> Vec<Escape> {
    let mut escapes = Vec::new();
    let (groups, rest) = row.as_chunks::<{ 2 * GROUP }>();
    let split = groups.len() * GROUP_BYTES;
    let Some((whole, tail)) = to.split_at_mut_checked(split) else { return escapes };
    let mut column = 0;
    for (group, to) in groups.iter().zip(whole.as_chunks_mut::<GROUP_BYTES>().0) {
        let (indexes, lower) = to.split_at_mut(64);
        for (element, weight) in group.as_chunks::<2>().0.iter().enumerate() {
            lower[lower_of(element)] = weight[0];
            let index = index_of_upper[usize::from(weight[1])].unwrap_or_else(|| {
                escapes.push(Escape::new(column, weight[1]));
                0
            });
            let (byte, shift) = index_of(element);
            indexes[byte] |= index << shift;
            column += 1;
        }
    }
    tail.copy_from_slice(rest);
    escapes
}

impl<B: AsRef<[u8]>> Coded<B> {
    pub(crate) fn byte_len(&self) -> usize {
        let CodedParts { rows, table, escapes, ends } = &self.parts;
        rows.byte_len() + table.len() + escapes.as_ref().len() + size_of_val(ends.as_slice())
    }

    /// The column of the first escape of a row that is in what is left after its whole groups, or not
    /// after the escape before it.
    fn misplaced(&self, row: usize) -> Option<usize> {
        let mut next = 0;
        let escapes = self.escapes(row).unwrap_or_default().iter();
        let mut columns = escapes.map(|escape| Escape::from_le_bytes(*escape).element());
        columns.find(|column| {
            let fits = (next..self.cols / GROUP * GROUP).contains(column);
            next = column + 1;
            !fits
        })
    }

    fn escapes(&self, row: usize) -> Option<&[[u8; 4]]> {
        let CodedParts { escapes, ends, .. } = &self.parts;
        let start = if row == 0 { 0 } else { *ends.get(row - 1)? };
        let range: Range<usize> = start as usize..*ends.get(row)? as usize;
        escapes.as_ref().as_chunks::<4>().0.get(range)
    }

    /// A row for the kernels.
    pub(crate) fn row(&self, row: usize) -> Option<CodedRow<'_>> {
        let CodedParts { rows, table, .. } = &self.parts;
        Some(CodedRow::new(rows.row(row)?, self.cols, *table, self.escapes(row)?))
    }

    /// The weights of a row from column `from` on.
    pub(crate) fn decode(&self, row: usize, from: usize, to: &mut [f32]) -> Option<()> {
        let coded = self.row(row)?;
        for (column, to) in (from..).zip(to) {
            *to = coded.weight(column)?;
        }
        Some(())
    }

    pub(crate) fn map<C>(self, mut map: impl FnMut(B) -> C) -> Coded<C> {
        let CodedParts { rows, table, escapes, ends } = self.parts;
        let (rows, escapes) = (rows.map(&mut map), map(escapes));
        Coded { cols: self.cols, parts: CodedParts { rows, table, escapes, ends } }
    }
}
