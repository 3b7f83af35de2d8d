//! Grouped-query attention with sinks and a sliding window.

mod block;
mod kv;

pub use kv::{KvView, Span};

use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::view::{check_len, check_shape, slice, slice_mut};
use crate::{Error, Result, Rounding};
use block::Block;

/// The heads of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Query heads: a multiple of `kv`.
    pub query: usize,
    /// Key and value heads; query head `h` uses `h / (query / kv)`.
    pub kv: usize,
    /// Elements of a head.
    pub dim: usize,
}

/// What an attention layer does with queries, keys and values.
///
/// ```
/// use moe_kernels::{Attention, Heads, KvView, Rounding, Span};
/// use ndarray::{Array2, array};
///
/// let attention = Attention {
///     heads: Heads { query: 2, kv: 1, dim: 1 },
///     scale: 0.5,
///     sinks: &[f32::NEG_INFINITY, 0.0], // none, and one as strong as a score of 0
///     window: Some(2),
///     rounding: Rounding::None,
/// };
/// // The cache in two pieces: positions 0 and 1, then 2.
/// let span = |keys: &'static [f32], values| Span {
///     keys: KvView::F32(keys),
///     values: KvView::F32(values),
///     len: keys.len(), // of one head and one element
/// };
/// let spans = [span(&[9.0, 0.0], &[9.0, 1.0]), span(&[0.0], &[2.0])];
/// let mut out = Array2::zeros((1, 2));
/// attention.attend(array![[5.0, 7.0]].view(), 2, &spans, 0, out.view_mut())?;
/// assert_eq!(out, array![[1.5, 1.0]]); // 3 over two keys, and over two keys and a sink
/// # Ok::<(), moe_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention<'a> {
    /// The heads.
    pub heads: Heads,
    /// Factor of the products of queries and keys.
    pub scale: f32,
    /// A logit per query head that takes part in the softmax but has no value: not scaled, never
    /// masked. Minus infinity means none.
    pub sinks: &'a [f32],
    /// How many keys a query sees, its own included; `None`: all up to its own.
    pub window: Option<usize>,
    /// [`Rounding::Bf16`] rounds products, scaled products, their distance from the largest,
    /// probabilities and results; [`Rounding::F16`] only results.
    pub rounding: Rounding,
}

impl Attention<'_> {
    /// The attention of queries at consecutive positions, the first at `first_query`.
    ///
    /// `q` and `out` are `[T, query · dim]`. The spans hold the keys and values of consecutive
    /// positions from `first_key` on, at least of all that a query may see; what comes after
    /// the last query is not read. Results depend neither on how keys are cut into spans nor on
    /// which queries come together.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`], [`Error::Length`], [`Error::Count`], [`Error::NotRowMajor`] with the
    /// argument's name; [`Error::Keys`] where a key is missing.
    pub fn attend(
        &self,
        q: ArrayView2<'_, f32>,
        first_query: usize,
        spans: &[Span<'_>],
        first_key: usize,
        out: ArrayViewMut2<'_, f32>,
    ) -> Result<()> {
        let Heads { query, kv, dim } = self.heads;
        self.check()?;
        let tokens = q.nrows();
        check_shape("q of attend", [tokens, query * dim], q.dim())?;
        check_shape("out of attend", [tokens, query * dim], out.dim())?;
        let q = slice("q of attend", q)?;
        let out = slice_mut("out of attend", out)?;
        let keys = kv::count(spans, kv * dim)?;
        if tokens == 0 {
            return Ok(());
        }
        self.check_keys(tokens, first_query, first_key, keys)?;

        let seen: Vec<_> = (first_query..first_query + tokens)
            .map(|query| self.first_seen(query) - first_key..query + 1 - first_key)
            .collect();
        let together = self.tokens_together(tokens, first_query);
        if together > 1 {
            let width = query * dim;
            let tasks = out.par_chunks_mut(together * width).zip(q.par_chunks(together * width));
            tasks.zip(seen.par_chunks(together)).for_each(|((out, q), seen)| {
                for head in 0..kv {
                    let column = head * (query / kv) * dim;
                    let block = Block { attention: self, head, seen, stride: width, column };
                    block.attend(q, spans, out);
                }
            });
        } else {
            let width = query / kv * dim;
            let tasks = out.par_chunks_mut(width).zip(q.par_chunks(width)).enumerate();
            tasks.for_each(|(task, (out, q))| {
                let (head, seen) = (task % kv, &seen[task / kv..=task / kv]);
                Block { attention: self, head, seen, stride: width, column: 0 }
                    .attend(q, spans, out);
            });
        }
        Ok(())
    }

    /// How many tokens a task has: together they convert and read keys once, but there must be
    /// enough tasks, and not too many scores.
    fn tokens_together(&self, tokens: usize, first_query: usize) -> usize {
        const MOST: usize = 8;
        /// Scores of a task: 4 MiB.
        const SCORES: usize = 1 << 20;
        let end = first_query + tokens;
        let keys = self.window.map_or(end, |window| end.min(window.saturating_add(MOST)));
        let group = self.heads.query / self.heads.kv;
        let fitting = SCORES / keys.saturating_mul(group);
        fitting.min(tokens / (2 * rayon::current_num_threads())).clamp(1, MOST)
    }

    /// The first position that a query sees.
    fn first_seen(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }

    fn check(&self) -> Result<()> {
        let Heads { query, kv, dim } = self.heads;
        let count = |argument, expected, found, ok: bool| {
            if ok { Ok(()) } else { Err(Error::Count { argument, expected, found }) }
        };
        count("key heads", "at least 1", kv, kv > 0)?;
        count("elements of a head", "at least 1", dim, dim > 0)?;
        let whole = query > 0 && query.is_multiple_of(kv);
        count("query heads", "a multiple of the key heads", query, whole)?;
        let fits = query.checked_mul(dim).is_some();
        count("elements of a head", "a size that fits the address space", dim, fits)?;
        let window = self.window.unwrap_or(1);
        count("window of attention", "at least 1", window, window > 0)?;
        check_len("sinks of attention", query, self.sinks.len())
    }

    fn check_keys(
        &self,
        tokens: usize,
        first_query: usize,
        first_key: usize,
        keys: usize,
    ) -> Result<()> {
        let missing = |first_needed, last_needed| Error::Keys {
            first_needed,
            last_needed,
            first: first_key,
            count: keys,
        };
        let Some(end) = first_query.checked_add(tokens) else {
            return Err(missing(first_query, usize::MAX));
        };
        let first_needed = self.first_seen(first_query);
        let enough = first_key <= first_needed && end - first_key <= keys;
        if enough { Ok(()) } else { Err(missing(first_needed, end - 1)) }
    }
}
