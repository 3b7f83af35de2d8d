//! Scores, softmax and weighted sums.

use super::lengths::Sequence;
use super::mask::{Loaded, Sparse};
use super::rows::{Heads, Source};
use crate::kernel::{Cost, Fault, Kernel};
use crate::memory::Memory;
use crate::ops::access::{floats, write_floats};
use crate::tensor::Tensor;

/// Attention that is ready to run.
pub(super) struct Attention {
    pub(super) operator: &'static str,
    pub(super) query: Heads,
    pub(super) key: Source,
    pub(super) value: Source,
    pub(super) kv_heads: usize,
    pub(super) out: Heads,
    pub(super) sink: Option<Tensor>,
    pub(super) scale: f32,
    pub(super) sparse: Sparse,
    pub(super) sequences: Vec<Sequence>,
    /// Tokens are packed: a batch begins where the last ended.
    pub(super) packed: bool,
    pub(super) statistics: Statistics,
}

/// What softmax leaves behind.
pub(super) enum Statistics {
    None,
    /// `ln Σ exp`, infinite for a query without keys.
    LogSum(Tensor),
    /// The largest score and the sum, eight times each.
    MaxAndSum {
        max: Tensor,
        sum: Tensor,
    },
}

/// Copies of each statistic in a row, 32 bytes.
pub(super) const COPIES: usize = 8;

impl Attention {
    pub(super) fn kernel(self) -> Kernel {
        let of = self.query.of;
        let keys = self.sequences.iter().map(|sequence| sequence.keys as u64).sum::<u64>();
        let (kv_heads, depth) = (self.kv_heads as u64, of.depth.unsigned_abs());
        // Keys and values of every sequence once; what a band leaves out is not taken off.
        let mut cost = Cost::of(&[&self.query.tensor, &self.out.tensor], 0);
        cost.bytes += 2 * 2 * keys * kv_heads * depth;
        cost.flops = self
            .sequences
            .iter()
            .map(|sequence| 4 * (sequence.queries * sequence.keys) as u64)
            .sum::<u64>()
            * of.heads.unsigned_abs()
            * depth;
        Kernel::new(cost, move |mem| self.run(mem))
    }

    fn run(&self, mem: &dyn Memory) -> Result<(), Fault> {
        let mask = self.sparse.load(mem, self.operator)?;
        let sink = self.sink.as_ref().map(|sink| floats(mem, sink)).transpose()?;
        let rows = self.out.tensor.len() / self.out.of.depth.max(1) as usize;
        let mut statistics = Rows { max: vec![f32::INFINITY; rows], sum: vec![0.0; rows] };
        if !self.packed {
            // Queries behind the end of a sequence have an answer of zeros.
            write_floats(mem, &self.out.tensor, &vec![0.0; self.out.tensor.len()])?;
        }
        for &sequence in &self.sequences {
            self.sequence(mem, sequence, mask.as_ref(), sink.as_deref(), &mut statistics)?;
        }
        match &self.statistics {
            Statistics::None => Ok(()),
            Statistics::LogSum(out) => {
                let both = statistics.max.iter().zip(&statistics.sum);
                let values = both.map(|(&max, &sum)| if sum == 0.0 { max } else { max + sum.ln() });
                write_floats(mem, out, &values.collect::<Vec<_>>())
            }
            Statistics::MaxAndSum { max, sum } => {
                let copies = |values: &[f32]| {
                    values.iter().flat_map(|&value| [value; COPIES]).collect::<Vec<_>>()
                };
                write_floats(mem, max, &copies(&statistics.max))?;
                write_floats(mem, sum, &copies(&statistics.sum))
            }
        }
    }

    fn sequence(
        &self,
        mem: &dyn Memory,
        sequence: Sequence,
        mask: Option<&Loaded>,
        sink: Option<&[f32]>,
        statistics: &mut Rows,
    ) -> Result<(), Fault> {
        let Sequence { batch, queries, keys, .. } = sequence;
        let (low, high) = self.sparse.diagonals(queries, keys);
        // Only the keys that some query sees are read.
        let from = low.clamp(0, keys as i64) as usize;
        let to = (high.saturating_add(queries as i64)).clamp(from as i64, keys as i64) as usize;
        let heads = self.query.of.heads as usize;
        let (depth, value_depth) = (self.query.of.depth as usize, self.out.of.depth as usize);
        let query_start = if self.packed { sequence.query_start } else { 0 };
        let key_start = if self.packed { sequence.key_start } else { 0 };
        let query = self.query.read(mem, batch, query_start, queries)?;
        let key = self.key.read(mem, batch, key_start, from, to)?;
        let value = self.value.read(mem, batch, key_start, from, to)?;
        let (count, shared) = (to - from, heads / self.kv_heads);
        let mut out = vec![0.0; heads * queries * value_depth];
        let mut scores = vec![0.0; count];
        for kv_head in 0..self.kv_heads {
            let columns = columns(&key[kv_head * count * depth..][..count * depth], depth);
            let values = &value[kv_head * count * value_depth..][..count * value_depth];
            for head in kv_head * shared..(kv_head + 1) * shared {
                for token in 0..queries {
                    let row = head * queries + token;
                    let first = (low + token as i64).clamp(from as i64, to as i64) as usize;
                    let last = (high + token as i64 + 1).clamp(first as i64, to as i64) as usize;
                    let seen = first - from..last - from;
                    let scores = &mut scores[seen.clone()];
                    score(&query[row * depth..][..depth], &columns, count, seen.start, scores);
                    for (at, score) in scores.iter_mut().enumerate() {
                        let hidden =
                            mask.is_some_and(|mask| mask.hides(batch, head, token, first + at));
                        *score = if hidden { f32::NEG_INFINITY } else { *score * self.scale };
                    }
                    let sink = sink.map(|sink| sink[head]);
                    let values = &values[seen.start * value_depth..seen.end * value_depth];
                    let sum = &mut out[row * value_depth..][..value_depth];
                    let (max, total) = weigh(scores, values, sink, sum);
                    let at = self.statistics_row(sequence, head, token);
                    (statistics.max[at], statistics.sum[at]) = (max, total);
                }
            }
        }
        self.out.write(mem, batch, query_start, queries, &out)
    }

    /// `[batch, heads, tokens]`, or `[tokens, heads]` where tokens are packed.
    fn statistics_row(&self, sequence: Sequence, head: usize, token: usize) -> usize {
        let (heads, tokens) = (self.query.of.heads as usize, self.query.of.tokens as usize);
        if self.packed {
            (sequence.query_start + token) * heads + head
        } else {
            (sequence.batch * heads + head) * tokens + token
        }
    }
}

struct Rows {
    max: Vec<f32>,
    sum: Vec<f32>,
}

/// `[count][depth]` to `[depth][count]`, so that scores of neighbouring keys are computed together.
fn columns(rows: &[f32], depth: usize) -> Vec<f32> {
    let count = rows.len() / depth.max(1);
    let mut columns = vec![0.0; rows.len()];
    for (at, row) in rows.chunks_exact(depth).enumerate() {
        for (element, &value) in row.iter().enumerate() {
            columns[element * count + at] = value;
        }
    }
    columns
}

/// Products summed from the first to the last element of a row.
fn score(query: &[f32], columns: &[f32], count: usize, from: usize, scores: &mut [f32]) {
    scores.fill(0.0);
    if scores.is_empty() {
        return;
    }
    for (&element, column) in query.iter().zip(columns.chunks_exact(count)) {
        for (score, &key) in scores.iter_mut().zip(&column[from..]) {
            *score += element * key;
        }
    }
}

/// Softmax and the weighted sum of values; the largest score and the sum of exponentials. A sink adds to that sum only, and
/// does not count as a score. A query without keys has an answer of zeros.
fn weigh(scores: &mut [f32], values: &[f32], sink: Option<f32>, out: &mut [f32]) -> (f32, f32) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if max == f32::NEG_INFINITY && !scores.iter().any(|score| score.is_nan()) {
        return (f32::INFINITY, 0.0);
    }
    let mut total = 0.0;
    for (score, row) in scores.iter_mut().zip(values.chunks_exact(out.len())) {
        if *score == f32::NEG_INFINITY {
            continue;
        }
        *score = (*score - max).exp();
        total += *score;
        out.iter_mut().zip(row).for_each(|(out, value)| *out += *score * value);
    }
    if let Some(sink) = sink {
        total += (sink - max).exp();
    }
    for out in out {
        *out /= total;
    }
    (max, total)
}
