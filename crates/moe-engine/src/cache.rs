//! Keys and values of one layer of one sequence, in pages.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;
use half::{bf16, f16};
use moe_kernels::{KvView, Span};

/// Positions of a page. Small enough that a sliding layer keeps little more than its window, large enough
/// that a full layer of a long context is no list of thousands.
pub(crate) const PAGE: usize = 32;

/// A type that keys and values are kept in.
pub(crate) trait KvElement: Pod + Send + Sync + std::fmt::Debug {
    fn from_f32(value: f32) -> Self;
    fn view(values: &[Self]) -> KvView<'_>;
}

impl KvElement for f32 {
    fn from_f32(value: f32) -> Self {
        value
    }

    fn view(values: &[Self]) -> KvView<'_> {
        KvView::F32(values)
    }
}

impl KvElement for bf16 {
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn view(values: &[Self]) -> KvView<'_> {
        KvView::Bf16(values)
    }
}

impl KvElement for f16 {
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn view(values: &[Self]) -> KvView<'_> {
        KvView::F16(values)
    }
}

/// [`PAGE`] positions, `[heads, PAGE, dim]` each: attention reads what one head has.
#[derive(Clone)]
struct Page<T> {
    keys: Vec<T>,
    values: Vec<T>,
}

/// What one layer has seen of one sequence.
///
/// A clone shares all pages, and copies the last one when either goes on. A sliding layer is a ring of
/// pages: those that no later token can see are given up.
#[derive(Clone)]
pub(crate) struct Pages<T> {
    held: VecDeque<Arc<Page<T>>>,
    /// The first position of the first page.
    first: usize,
    /// The number of positions, given up ones included.
    len: usize,
    window: Option<usize>,
    heads: usize,
    dim: usize,
}

impl<T: KvElement> Pages<T> {
    /// `window` keys are seen from now on, or all; a position has `heads` of `dim` values.
    pub(crate) fn new(window: Option<usize>, heads: usize, dim: usize) -> Self {
        Self { held: VecDeque::new(), first: 0, len: 0, window, heads, dim }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn window(&self) -> Option<usize> {
        self.window
    }

    /// Bytes of the pages, shared ones included.
    pub(crate) fn bytes(&self) -> usize {
        2 * self.held.len() * self.page_values() * size_of::<T>()
    }

    /// Keys of a page, and so many values.
    fn page_values(&self) -> usize {
        PAGE * self.heads * self.dim
    }

    /// The positions that one of the pages holds.
    fn held_by(&self, page: usize) -> usize {
        (self.len - self.first - page * PAGE).min(PAGE)
    }

    /// Where a page has what each head has of one of its positions.
    fn places(&self, slot: usize) -> impl Iterator<Item = Range<usize>> + use<T> {
        let dim = self.dim;
        (0..self.heads).map(move |head| (head * PAGE + slot) * dim).map(move |at| at..at + dim)
    }

    /// The first position that the next token sees.
    pub(crate) fn first_needed(&self, len: usize) -> usize {
        self.window.map_or(0, |window| (len + 1).saturating_sub(window))
    }

    /// Adds one position: keys and values of all heads, `[heads, dim]` each.
    pub(crate) fn append(&mut self, keys: &[f32], values: &[f32]) {
        let slot = self.len % PAGE;
        if slot == 0 || self.held.is_empty() {
            let empty = vec![T::zeroed(); self.page_values()];
            self.held.push_back(Arc::new(Page { keys: empty.clone(), values: empty }));
        }
        let places = self.places(slot);
        let Some(page) = self.held.back_mut() else { return };
        let page = Arc::make_mut(page);
        let heads = keys.chunks_exact(self.dim).zip(values.chunks_exact(self.dim));
        for (place, (keys, values)) in places.zip(heads) {
            for (to, from) in [(&mut page.keys, keys), (&mut page.values, values)] {
                for (to, &from) in to[place.clone()].iter_mut().zip(from) {
                    *to = T::from_f32(from);
                }
            }
        }
        self.len += 1;
    }

    /// Gives up what no token after the last one sees.
    pub(crate) fn give_up(&mut self) {
        let needed = self.first_needed(self.len);
        while self.first + PAGE <= needed && self.held.len() > 1 {
            self.held.pop_front();
            self.first += PAGE;
        }
    }

    /// The pages from the one that holds position `from` on, and their first position.
    pub(crate) fn spans(&self, from: usize) -> (Vec<Span<'_>>, usize) {
        let skipped = from.saturating_sub(self.first) / PAGE;
        let first = self.first + skipped * PAGE;
        let pages = self.held.iter().enumerate().skip(skipped);
        let spans = pages.map(|(index, page)| Span {
            keys: T::view(&page.keys),
            values: T::view(&page.values),
            len: self.held_by(index),
        });
        (spans.collect(), first)
    }

    /// Forgets positions from `len` on; false (and nothing done) if what the next token would then see
    /// was given up.
    pub(crate) fn truncate(&mut self, len: usize) -> bool {
        if len >= self.len {
            return true;
        }
        if self.first_needed(len) < self.first || (len < self.first) {
            return false;
        }
        self.held.truncate((len - self.first).div_ceil(PAGE));
        self.len = len;
        true
    }

    /// What is kept, as bytes: keys, then values, `[positions, heads, dim]` each, and the first position.
    pub(crate) fn export(&self) -> (Vec<u8>, Vec<u8>, usize) {
        let mut bytes = (Vec::new(), Vec::new());
        for (index, page) in self.held.iter().enumerate() {
            for place in (0..self.held_by(index)).flat_map(|slot| self.places(slot)) {
                bytes.0.extend_from_slice(bytemuck::cast_slice(&page.keys[place.clone()]));
                bytes.1.extend_from_slice(bytemuck::cast_slice(&page.values[place]));
            }
        }
        (bytes.0, bytes.1, self.first)
    }

    /// Takes what [`export`](Self::export) gave; false if it is not of this form.
    pub(crate) fn import(&mut self, keys: &[u8], values: &[u8], first: usize, len: usize) -> bool {
        let part = self.dim * size_of::<T>();
        let row = self.heads * part;
        let whole = len.checked_sub(first).and_then(|rows| rows.checked_mul(row));
        if whole != Some(keys.len()) || whole != Some(values.len()) {
            return false;
        }
        if !first.is_multiple_of(PAGE)
            || first > self.first_needed(len)
            || (first > 0 && self.window.is_none())
        {
            return false;
        }
        let page = |bytes: &[u8]| {
            let mut page = vec![T::zeroed(); self.page_values()];
            let places = (0..PAGE).flat_map(|slot| self.places(slot));
            for (place, bytes) in places.zip(bytes.chunks_exact(part)) {
                bytemuck::cast_slice_mut(&mut page[place]).copy_from_slice(bytes);
            }
            page
        };
        let pages = keys.chunks(PAGE * row).zip(values.chunks(PAGE * row));
        self.held = pages
            .map(|(keys, values)| Arc::new(Page { keys: page(keys), values: page(values) }))
            .collect();
        (self.first, self.len) = (first, len);
        true
    }
}

/// Without the keys and values: nobody reads millions of numbers.
impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, len, window, heads, dim, .. } = self;
        write!(
            f,
            "Pages {{ positions: {first}..{len}, window: {window:?}, heads: {heads}, dim: {dim} }}"
        )
    }
}

#[cfg(test)]
mod tests;
