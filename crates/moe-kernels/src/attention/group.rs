//! The query heads of one token that share a key head.

use super::kv::parts;
use super::{Attention, Span};
use crate::arch::{Out, accumulate, dots};

/// Keys converted to `f32` at a time: 64 of 64 elements are 16 KiB, half a first-level cache.
const TILE: usize = 64;

/// One token, one key head, all query heads of that key head.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) attention: &'a Attention<'a>,
    /// The key head.
    pub(super) head: usize,
    /// First key that is seen, counted from the first in the spans.
    pub(super) first: usize,
    /// One past the last key that is seen.
    pub(super) end: usize,
}

/// Buffers of a thread.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// `[heads of the group, keys]`: products, then probabilities.
    scores: Vec<f32>,
    tile: Vec<f32>,
}

impl Group<'_> {
    /// `q` and `out` are `[heads of the group, dim]`.
    pub(super) fn attend(
        &self,
        q: &[f32],
        spans: &[Span<'_>],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let heads = self.attention.heads;
        let (width, column) = (heads.kv * heads.dim, self.head * heads.dim);
        let keys = self.end - self.first;
        let queries: Vec<&[f32]> = q.chunks_exact(heads.dim).collect();
        let Scratch { scores, tile } = scratch;
        scores.clear();
        scores.resize(queries.len() * keys, 0.0);

        for (span, rows, before) in parts(spans, width, self.first..self.end, TILE) {
            let rows = span.keys.rows(rows, width, column, heads.dim, tile);
            let data = scores.get_mut(before..).unwrap_or_default();
            dots(rows, &queries, Out { data, row_step: 1, vector_step: keys });
        }

        let sinks = self.attention.sinks.iter().skip(self.head * queries.len());
        for (scores, sink) in scores.chunks_exact_mut(keys).zip(sinks) {
            self.softmax(scores, *sink);
        }

        out.fill(0.0);
        for (span, rows, before) in parts(spans, width, self.first..self.end, TILE) {
            let rows = span.values.rows(rows, width, column, heads.dim, tile);
            let factors: Vec<&[f32]> = scores
                .chunks_exact(keys)
                .filter_map(|scores| scores.get(before..before + rows.count()))
                .collect();
            accumulate(rows, &factors, out, heads.dim);
        }
        self.attention.rounding.apply(out);
    }

    /// Products to probabilities, the sink being one more logit.
    fn softmax(&self, scores: &mut [f32], sink: f32) {
        let rounding = self.attention.rounding.of_sums();
        let mut largest = sink;
        for score in &mut *scores {
            *score = rounding.round(rounding.round(*score) * self.attention.scale);
            largest = largest.max(*score);
        }
        let mut total = f64::from(rounding.round(sink - largest).exp());
        for score in &mut *scores {
            *score = rounding.round(*score - largest).exp();
            total += f64::from(*score);
        }
        let total = total as f32;
        for score in scores {
            *score = rounding.round(*score / total);
        }
    }
}
