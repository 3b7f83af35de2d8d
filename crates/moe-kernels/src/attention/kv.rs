//! Cached keys and values.

use std::ops::Range;

use half::{bf16, f16};

use crate::arch::Rows;
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

    /// The elements `column..column + dim` of some rows of `width`, in `f32`.
    pub(super) fn rows<'b>(
        &self,
        rows: Range<usize>,
        width: usize,
        column: usize,
        dim: usize,
        buffer: &'b mut Vec<f32>,
    ) -> Rows<'b>
    where
        'a: 'b,
    {
        let part = match rows.len() {
            0 => 0..0,
            count => {
                let start = rows.start * width + column;
                start..start + (count - 1) * width + dim
            }
        };
        match *self {
            Self::F32(values) => Rows::new(values.get(part).unwrap_or(&[]), width, dim),
            Self::Bf16(values) => widen(values.get(part).unwrap_or(&[]), width, dim, buffer),
            Self::F16(values) => widen(values.get(part).unwrap_or(&[]), width, dim, buffer),
        }
    }
}

/// The first `dim` of every `width` elements.
fn widen<'b, T: Copy + Into<f32>>(
    values: &[T],
    width: usize,
    dim: usize,
    buffer: &'b mut Vec<f32>,
) -> Rows<'b> {
    buffer.clear();
    for row in values.chunks(width) {
        buffer.extend(row.iter().take(dim).map(|&value| value.into()));
    }
    Rows::new(buffer, dim, dim)
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
    width: usize,
    range: Range<usize>,
    most: usize,
) -> impl Iterator<Item = (&'s Span<'a>, Range<usize>, usize)> {
    let mut end = 0;
    spans.iter().flat_map(move |span| {
        let start = end;
        end += span.keys.len() / width;
        let from = range.start.clamp(start, end);
        let to = range.end.clamp(start, end);
        let first = range.start;
        (from..to).step_by(most).map(move |at| {
            let rows = at - start..usize::min(at + most, to) - start;
            (span, rows, at - first)
        })
    })
}
