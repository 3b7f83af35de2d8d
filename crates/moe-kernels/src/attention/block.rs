//! The query heads of some tokens that share a key head.

use std::cell::RefCell;
use std::ops::Range;

use super::kv::{Part, parts};
use super::{Attention, Span};
use crate::Rounding;
use crate::arch::{Level, Out, Softmax, accumulate, dots, softmax};

/// Keys converted to `f32` at a time: 64 of 64 elements are 16 KiB, half a first-level cache.
const TILE: usize = 64;

/// Consecutive tokens, one key head, and all query heads of that key head.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub(super) attention: &'a Attention<'a>,
    /// The key head.
    pub(super) head: usize,
    /// Of each token the keys that it sees, counted from the first in the spans. Neither the
    /// starts nor the ends decrease.
    pub(super) seen: &'a [Range<usize>],
    /// Elements from one token to the next, in queries and results.
    pub(super) stride: usize,
    /// Where the query heads begin in a token.
    pub(super) column: usize,
}

/// Buffers of a thread.
#[derive(Debug, Default)]
struct Scratch {
    /// `[tokens, heads, keys]`: products, then probabilities.
    scores: Vec<f32>,
    tile: Vec<f32>,
}

impl Block<'_> {
    /// The results of these heads; `q` and `out` are `[tokens, stride]`.
    pub(super) fn attend(&self, q: &[f32], spans: &[Span<'_>], out: &mut [f32]) {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let (Some(first), Some(last)) = (self.seen.first(), self.seen.last()) else { return };
        let all = first.start..last.end;
        SCRATCH.with_borrow_mut(|Scratch { scores, tile }| {
            let needed = self.seen.len() * self.group() * all.len();
            if scores.len() < needed {
                scores.resize(needed, 0.0);
            }
            let scores = &mut scores[..needed];
            self.score(q, spans, all.clone(), tile, scores);
            self.normalise(all.clone(), scores);
            self.gather(scores, spans, all, tile, out);
        });
    }

    /// Query heads of the key head.
    fn group(&self) -> usize {
        self.attention.heads.query / self.attention.heads.kv
    }

    /// The products of all queries with all keys that one of them sees.
    fn score(
        &self,
        q: &[f32],
        spans: &[Span<'_>],
        all: Range<usize>,
        tile: &mut Vec<f32>,
        scores: &mut [f32],
    ) {
        let heads = self.attention.heads;
        let queries: Vec<&[f32]> = q
            .chunks_exact(self.stride)
            .flat_map(|q| q[self.column..][..self.group() * heads.dim].chunks_exact(heads.dim))
            .collect();
        let mut parts = parts(spans, heads, self.head, all.clone(), TILE).peekable();
        while let Some(Part { span, rows, before }) = parts.next() {
            let next = parts.peek();
            let next = next.map(|part| part.span.keys.ahead(part.rows.clone(), heads.dim));
            let rows = span.keys.rows(rows, heads.dim, tile);
            let data = &mut scores[before..];
            let out = Out { data, row_step: 1, vector_step: all.len() };
            dots(Level::current(), rows, &queries, out, &mut next.unwrap_or_default());
        }
    }

    /// The probabilities of the keys that each token sees.
    fn normalise(&self, all: Range<usize>, scores: &mut [f32]) {
        let Attention { scale, sinks, rounding, .. } = *self.attention;
        let sinks = &sinks[self.head * self.group()..][..self.group()];
        let tokens = scores.chunks_exact_mut(self.group() * all.len());
        for (scores, seen) in tokens.zip(self.seen) {
            for (scores, &sink) in scores.chunks_exact_mut(all.len()).zip(sinks) {
                let scores = &mut scores[seen.start - all.start..seen.end - all.start];
                let bf16 = rounding == Rounding::Bf16;
                softmax(Level::current(), Softmax { scores, scale, sink, bf16 });
            }
        }
    }

    /// The sums of values, weighted with the probabilities.
    fn gather(
        &self,
        scores: &[f32],
        spans: &[Span<'_>],
        all: Range<usize>,
        tile: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        let heads = self.attention.heads;
        let width = self.group() * heads.dim;
        for out in out.chunks_exact_mut(self.stride) {
            out[self.column..][..width].fill(0.0);
        }
        let mut factors: Vec<&[f32]> = Vec::with_capacity(self.group());
        let mut parts = parts(spans, heads, self.head, all.clone(), TILE).peekable();
        while let Some(Part { span, rows, before }) = parts.next() {
            let next = parts.peek();
            let next = next.map(|part| part.span.values.ahead(part.rows.clone(), heads.dim));
            let mut next = next.unwrap_or_default();
            let rows = span.values.rows(rows, heads.dim, tile);
            let (start, end) = (all.start + before, all.start + before + rows.count());
            let tokens = scores.chunks_exact(self.group() * all.len()).zip(self.seen);
            for (out, (scores, seen)) in out.chunks_exact_mut(self.stride).zip(tokens) {
                let (from, to) = (seen.start.max(start), seen.end.min(end));
                if from >= to {
                    continue;
                }
                factors.clear();
                let scores = scores.chunks_exact(all.len());
                factors.extend(scores.map(|scores| &scores[from - all.start..to - all.start]));
                let rows = rows.part(from - start, to - start);
                let out = &mut out[self.column..][..width];
                accumulate(Level::current(), rows, &factors, out, heads.dim, &mut next);
            }
        }
        for out in out.chunks_exact_mut(self.stride) {
            self.attention.rounding.apply(&mut out[self.column..][..width]);
        }
    }
}
