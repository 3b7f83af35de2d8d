//! Cached keys and values.

use std::ops::Range;

use half::{bf16, f16};
use lowfloat::{Element, cast};

use super::Heads;
use crate::arch::{Ahead, Rows};
use crate::view::check_len;
use crate::{Error, Result};

/// Keys or values of consecutive positions, `[kv heads, capacity, dim]`, row-major: what one head has lies together.
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
    /// The values, as many as the keys.
    pub values: KvView<'a>,
    /// How many positions there are, the first ones of the capacity; what comes after them is not read.
    pub len: usize,
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

    /// Some rows of `dim` elements, which will be read soon.
    pub(super) fn ahead(&self, rows: Range<usize>, dim: usize) -> Ahead<'a> {
        let part = rows.start * dim..rows.end * dim;
        let bytes = match *self {
            Self::F32(values) => values.get(part).map(bytemuck::cast_slice),
            Self::Bf16(values) => values.get(part).map(bytemuck::cast_slice),
            Self::F16(values) => values.get(part).map(bytemuck::cast_slice),
        };
        Ahead::new(bytes.unwrap_or_default())
    }

    /// Some rows of `dim` elements, in `f32`.
    pub(super) fn rows<'b>(
        &self,
        rows: Range<usize>,
        dim: usize,
        buffer: &'b mut Vec<f32>,
    ) -> Rows<'b>
    where
        'a: 'b,
    {
        let part = rows.start * dim..rows.end * dim;
        let widened = match *self {
            Self::F32(values) => values.get(part).unwrap_or_default(),
            Self::Bf16(values) => widened(values.get(part).unwrap_or_default(), buffer),
            Self::F16(values) => widened(values.get(part).unwrap_or_default(), buffer),
        };
        Rows::new(widened, dim)
    }
}

/// The values in `f32`.
fn widened<'b, T: Element>(values: &[T], buffer: &'b mut Vec<f32>) -> &'b [f32] {
    buffer.resize(values.len(), 0.0);
    let done = cast(values, buffer);
    debug_assert_eq!(done, Ok(()), "the lengths are the same");
    buffer
}

impl Span<'_> {
    /// The row of the first position of a head.
    fn first_row(&self, heads: Heads, head: usize) -> usize {
        head * (self.keys.len() / (heads.kv * heads.dim))
    }
}

/// How many positions the spans hold.
pub(super) fn count(spans: &[Span<'_>], width: usize) -> Result<usize> {
    let mut count = 0usize;
    for span in spans {
        let elements = span.keys.len();
        if !elements.is_multiple_of(width) {
            let expected = "as many for every key head, and whole ones";
            return Err(Error::Count { argument: "keys of a span", expected, found: elements });
        }
        check_len("values of a span", elements, span.values.len())?;
        if span.len > elements / width {
            let expected = "at most its capacity";
            return Err(Error::Count {
                argument: "positions of a span",
                expected,
                found: span.len,
            });
        }
        count = count.saturating_add(span.len);
    }
    Ok(count)
}

/// Consecutive positions of a head in a span.
#[derive(Clone, Debug)]
pub(super) struct Part<'s, 'a> {
    pub(super) span: &'s Span<'a>,
    /// Their rows in the views of the span.
    pub(super) rows: Range<usize>,
    /// How many of the range came before.
    pub(super) before: usize,
}

/// The parts of a key head in the spans, at most `most` positions each, that hold positions `range` of all.
pub(super) fn parts<'s, 'a>(
    spans: &'s [Span<'a>],
    heads: Heads,
    head: usize,
    range: Range<usize>,
    most: usize,
) -> impl Iterator<Item = Part<'s, 'a>> {
    let mut end = 0;
    spans.iter().flat_map(move |span| {
        let start = end;
        end += span.len;
        let from = range.start.clamp(start, end);
        let to = range.end.clamp(start, end);
        let (before, first) = (range.start, span.first_row(heads, head));
        (from..to).step_by(most).map(move |at| {
            let end = usize::min(at + most, to);
            let rows = first + at - start..first + end - start;
            Part { span, rows, before: at - before }
        })
    })
}
