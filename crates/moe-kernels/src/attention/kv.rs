//! Cached keys and values.

use std::ops::Range;

use half::{bf16, f16};
use lowfloat::cast;

use super::Heads;
use crate::arch::{Level, Rows, widen};
use crate::view::check_len;
use crate::{Error, Result};

/// Keys or values of consecutive positions, `[n, kv heads · dim]`, row-major.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KvView<'a> {
    /// In `f32`.
    F32(&'a [f32]),
    /// In bf16.
    Bf16(&'a [bf16]),
    /// In f16.
    F16(&'a [f16]),
}

/// Keys and values of the same consecutive positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span<'a> {
    /// The keys, rotated.
    pub keys: KvView<'a>,
    /// The values.
    pub values: KvView<'a>,
}

impl<'a> KvView<'a> {
    /// The number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::Bf16(values) => values.len(),
            Self::F16(values) => values.len(),
        }
    }

    /// True where there are no elements.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements of one head in some rows, in `f32`.
    pub(super) fn rows<'b>(
        &self,
        rows: Range<usize>,
        heads: Heads,
        head: usize,
        buffer: &'b mut Vec<f32>,
    ) -> Rows<'b>
    where
        'a: 'b,
    {
        let (width, dim) = (heads.kv * heads.dim, heads.dim);
        let end = (rows.end * width).saturating_sub(width - (head + 1) * dim);
        let part = rows.start * width + head * dim..end;
        match *self {
            Self::F32(values) => Rows::new(values.get(part).unwrap_or_default(), width, dim),
            Self::Bf16(values) => {
                let values = values.get(part).unwrap_or_default();
                let to = room(values.len().div_ceil(width), dim, buffer);
                widen(Level::current(), values, width, dim, to);
                Rows::new(to, dim, dim)
            }
            Self::F16(values) => {
                let values = values.get(part).unwrap_or_default();
                let to = room(values.len().div_ceil(width), dim, buffer);
                for (row, to) in values.chunks(width).zip(to.chunks_exact_mut(dim)) {
                    let done = row.get(..dim).map(|row| cast(row, to));
                    debug_assert_eq!(done, Some(Ok(())), "the lengths are the same");
                }
                Rows::new(to, dim, dim)
            }
        }
    }
}

/// Room for so many rows.
fn room(rows: usize, dim: usize, buffer: &mut Vec<f32>) -> &mut [f32] {
    buffer.resize(rows * dim, 0.0);
    buffer
}

/// How many positions the spans hold.
pub(super) fn count(spans: &[Span<'_>], width: usize) -> Result<usize> {
    let mut count = 0usize;
    for span in spans {
        let elements = span.keys.len();
        if !elements.is_multiple_of(width) {
            let expected = "whole rows of all key heads";
            return Err(Error::Count { argument: "keys of a span", expected, found: elements });
        }
        check_len("values of a span", elements, span.values.len())?;
        count = count.saturating_add(elements / width);
    }
    Ok(count)
}

/// The parts of the spans, at most `most` positions each, that hold positions `range` of all:
/// the span, the rows in it, and how many of the range came before.
pub(super) fn parts<'s, 'a>(
    spans: &'s [Span<'a>],
    heads: Heads,
    range: Range<usize>,
    most: usize,
) -> impl Iterator<Item = (&'s Span<'a>, Range<usize>, usize)> {
    let mut end = 0;
    spans.iter().flat_map(move |span| {
        let start = end;
        end += span.keys.len() / (heads.kv * heads.dim);
        let from = range.start.clamp(start, end);
        let to = range.end.clamp(start, end);
        let first = range.start;
        (from..to).step_by(most).map(move |at| {
            let rows = at - start..usize::min(at + most, to) - start;
            (span, rows, at - first)
        })
    })
}
