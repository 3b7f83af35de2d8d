//! What the operators for inference share: one request, its checks, and the attention that comes of it.

use super::compute::{Attention, Statistics};
use super::layout::{Extents, Layout};
use super::lengths::Sequence;
use super::limits::Limits;
use super::mask::{Given, Sparse};
use super::paged;
use super::rows::{Heads, Source, contiguous};
use crate::dtype::DataType;
use crate::kernel::{Kernel, NO_KERNEL, NO_TILING, NULL_POINTER, Reject};
use crate::ops::check::{Check, HALVES};
use crate::profile::Soc;
use crate::tensor::Tensor;

pub(super) struct Request {
    pub(super) check: Check,
    pub(super) query: Tensor,
    pub(super) key: Vec<Tensor>,
    pub(super) value: Vec<Tensor>,
    pub(super) mask: Option<Tensor>,
    pub(super) query_lengths: Option<Vec<i64>>,
    pub(super) key_lengths: Option<Vec<i64>>,
    pub(super) block_table: Option<Tensor>,
    pub(super) sink: Option<Tensor>,
    pub(super) heads: i64,
    pub(super) scale: f64,
    pub(super) pre_tokens: i64,
    pub(super) next_tokens: i64,
    pub(super) layout: String,
    /// 0 stands for as many as `heads`.
    pub(super) kv_heads: i64,
    pub(super) sparse_mode: i64,
    pub(super) inner_precise: i64,
    pub(super) block_size: i64,
    pub(super) lse_flag: bool,
    pub(super) out: Tensor,
    pub(super) lse: Option<Tensor>,
}

/// Refuses with 561003 what is given and not simulated.
pub(super) fn not_simulated(check: &Check, given: &[(&str, bool)]) -> Result<(), Reject> {
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => {
            Err(check.reject_as(NO_KERNEL, name, "given", "null or 0: it is not simulated"))
        }
        None => Ok(()),
    }
}

impl Request {
    pub(super) fn prepare(self) -> Result<Kernel, Reject> {
        let check = self.check;
        self.types()?;
        let got = format_args!("{:?}", self.layout);
        let expected = "BSH, BSND, BNSD, TND or NTD, perhaps with an output's after _";
        let (input, output) = Layout::pair(&self.layout)
            .filter(|(input, _)| !matches!(input, Layout::Sbh | Layout::Nbsd))
            .ok_or_else(|| check.reject_as(NO_TILING, "inputLayout", got, expected))?;
        let heads = self.heads;
        check.tiling(heads > 0, "numHeads", heads, "1 or more")?;
        let kv_heads = if self.kv_heads == 0 { heads } else { self.kv_heads };
        let fits = kv_heads > 0 && heads % kv_heads == 0;
        check.tiling(fits, "numKeyValueHeads", kv_heads, format_args!("a divisor of {heads}"))?;
        let query = Heads::new(&check, "query", self.query.clone(), input, heads)?;
        let (key, value, value_depth) = self.sources(input, query.of, kv_heads)?;
        let limits = Limits {
            check: &check,
            query: query.of,
            kv_heads,
            value_depth,
            packed: input.packed(),
            crossed: input != output,
            mode: self.sparse_mode,
            inner_precise: self.inner_precise,
            half: query.tensor.dtype == DataType::F16,
        };
        limits.depths()?;
        let sequences = self.lengths(&query, &key, input)?;
        let queries = if input.packed() {
            sequences.iter().map(|sequence| sequence.queries as i64).max().unwrap_or(0)
        } else {
            query.of.tokens
        };
        limits.precision(queries, self.mask.is_some())?;
        if let Source::Paged(paged) = &key {
            let longest = sequences.iter().map(|sequence| sequence.keys as i64).max();
            paged::check_lengths(&check, paged, &sequences, longest.unwrap_or(0))?;
            limits.block_size(self.block_size, queries)?;
        }
        let sparse = self.sparse(&limits, &key, &sequences, queries)?;
        self.check_sink(&limits)?;
        let out_of = Extents { depth: value_depth, ..query.of };
        check.output("attentionOut", &self.out)?;
        let got = format_args!("of shape {:?}", self.out.shape);
        let expected = output.shape(out_of);
        let fits = self.out.shape == expected && input.packed() == output.packed();
        check.tiling(fits, "attentionOut", got, format_args!("{expected:?}"))?;
        let statistics = self.statistics(query.of, input)?;
        let attention = Attention {
            operator: check.operator,
            key,
            value,
            kv_heads: kv_heads as usize,
            out: Heads::new(&check, "attentionOut", self.out, output, heads)?,
            query,
            sink: self.sink,
            scale: self.scale as f32,
            sparse,
            sequences,
            packed: input.packed(),
            statistics,
        };
        Ok(attention.kernel())
    }

    fn types(&self) -> Result<(), Reject> {
        let check = &self.check;
        check.input("query", &self.query)?;
        contiguous(check, "query", &self.query)?;
        contiguous(check, "attentionOut", &self.out)?;
        let quantised = [&self.query, &self.out]
            .into_iter()
            .chain(&self.key)
            .chain(&self.value)
            .any(|tensor| tensor.dtype.bits() <= 8);
        not_simulated(check, &[("a type of 8 or 4 bits", quantised)])?;
        check.dtype("query", &self.query, HALVES)?;
        check.same_dtype("attentionOut", &self.out, "query", &self.query)?;
        for (name, list) in [("key", &self.key), ("value", &self.value)] {
            let got = format_args!("a list of {}", list.len());
            check.require((1..=256).contains(&list.len()), name, got, "1 to 256 tensors")?;
            for tensor in list {
                check.blocked(name, tensor)?;
                contiguous(check, name, tensor)?;
                check.same_dtype(name, tensor, "query", &self.query)?;
            }
        }
        let got = format_args!("a list of {}", self.value.len());
        let expected = format_args!("{} tensors, as key", self.key.len());
        check.tiling(self.value.len() == self.key.len(), "value", got, expected)
    }

    fn sparse(
        &self,
        limits: &Limits<'_>,
        key: &Source,
        sequences: &[Sequence],
        queries: i64,
    ) -> Result<Sparse, Reject> {
        let mut given = Given {
            mode: self.sparse_mode,
            mask: self.mask.clone(),
            before: self.pre_tokens,
            after: self.next_tokens,
        };
        // With one query for each batch the kernel for single tokens runs, which knows no sparse modes: bands silently
        // disappear, and only a mask over all keys still counts.
        if !limits.packed
            && queries == 1
            && !limits.crossed
            && limits.value_depth == limits.query.depth
        {
            given.mask.take_if(|mask| mask.shape.ends_with(&[2048, 2048]));
            given.mode = i64::from(given.mask.is_some());
        }
        let keys = match key {
            Source::Paged(paged) => paged.table.shape[1] * self.block_size,
            Source::Plain(_) => {
                sequences.iter().map(|sequence| sequence.keys as i64).max().unwrap_or(0)
            }
        };
        Sparse::new(&self.check, given, [sequences.len() as i64, 1, queries, keys])
    }

    fn check_sink(&self, limits: &Limits<'_>) -> Result<(), Reject> {
        const NAME: &str = "learnableSinkOptional";
        let Some(sink) = &self.sink else { return Ok(()) };
        let check = &self.check;
        check.input(NAME, sink)?;
        check.dtype(NAME, sink, HALVES)?;
        check.same_dtype(NAME, sink, "query", &self.query)?;
        let got = format_args!("of shape {:?}", sink.shape);
        check.tiling(sink.shape == [self.heads], NAME, got, format_args!("[{}]", self.heads))?;
        let fits = [64, 128].contains(&limits.value_depth);
        let got = format_args!("given beside values of {}", limits.value_depth);
        check.tiling(fits, NAME, got, "values of 64 or 128")?;
        if check.soc == Soc::Ascend950 {
            let expected = "0 beside sinks on the 950";
            check.tiling(self.inner_precise == 0, "innerPrecise", self.inner_precise, expected)?;
        }
        Ok(())
    }

    fn statistics(&self, query: Extents, layout: Layout) -> Result<Statistics, Reject> {
        let check = &self.check;
        if !self.lse_flag {
            // A tensor that is there all the same is left as it is.
            return Ok(Statistics::None);
        }
        let Some(lse) = &self.lse else {
            let expected = "given where softmaxLseFlag is true";
            return Err(check.reject_as(NULL_POINTER, "softmaxLse", "null", expected));
        };
        check.output("softmaxLse", lse)?;
        contiguous(check, "softmaxLse", lse)?;
        check.dtype("softmaxLse", lse, &[DataType::F32])?;
        let Extents { batch, tokens, heads, .. } = query;
        let expected =
            if layout.packed() { vec![tokens, heads, 1] } else { vec![batch, heads, tokens, 1] };
        let got = format_args!("of shape {:?}", lse.shape);
        check.tiling(lse.shape == expected, "softmaxLse", got, format_args!("{expected:?}"))?;
        Ok(Statistics::LogSum(lse.clone()))
    }
}
