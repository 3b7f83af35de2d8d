//! `aclnnFlashAttentionScoreV3` and `aclnnFlashAttentionVarLenScoreV3`: what training runs forward, without dropout.

use super::compute::{Attention, COPIES, Statistics};
use super::inference::not_simulated;
use super::layout::{Extents, Layout};
use super::lengths::{Sequence, cumulative, sequences};
use super::mask::{Given, Sparse};
use super::rows::{Heads, Source, contiguous};
use crate::dtype::DataType;
use crate::kernel::{INNER_NULL, Kernel, NULL_POINTER, Reject};
use crate::ops::check::{Check, FLOATS};
use crate::profile::Site;
use crate::tensor::Tensor;

/// Batches of one length: BSH, SBH, BSND or BNSD; sinks are f32.
pub(crate) fn flash_attention_score_v3(
    site: &Site,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    real_shift: Option<Tensor>,
    drop_mask: Option<Tensor>,
    _padding_mask: Option<Tensor>,
    atten_mask: Option<Tensor>,
    sink: Option<Tensor>,
    prefix: Option<Vec<i64>>,
    q_start_idx: Option<Vec<i64>>,
    kv_start_idx: Option<Vec<i64>>,
    scale_value: f64,
    keep_prob: f64,
    pre_tokens: i64,
    next_tokens: i64,
    head_num: i64,
    input_layout: String,
    inner_precise: i64,
    sparse_mode: i64,
    pse_type: i64,
    softmax_max: Tensor,
    softmax_sum: Tensor,
    _softmax_out: Option<Tensor>,
    attention_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnFlashAttentionScoreV3");
    not_simulated(
        &check,
        &[
            ("realShiftOptional", real_shift.is_some()),
            ("dropMaskOptional", drop_mask.is_some() || keep_prob < 1.0),
            ("prefixOptional", prefix.is_some_and(|list| !list.is_empty())),
            ("qStartIdxOptional", q_start_idx.is_some_and(|list| !list.is_empty())),
            ("kvStartIdxOptional", kv_start_idx.is_some_and(|list| !list.is_empty())),
        ],
    )?;
    let layout = match Layout::pair(&input_layout) {
        Some((layout, output))
            if layout == output && !layout.packed() && layout != Layout::Nbsd =>
        {
            layout
        }
        _ => {
            let got = format_args!("{input_layout:?}");
            return Err(check.reject_as(INNER_NULL, "inputLayout", got, "BSH, SBH, BSND or BNSD"));
        }
    };
    let training = Training {
        check,
        mask: Given { mode: sparse_mode, mask: atten_mask, before: pre_tokens, after: next_tokens },
        sink,
        scale: scale_value,
        keep_prob,
        heads: head_num,
        layout,
        inner_precise,
        pse_type,
        softmax_max,
        softmax_sum,
        out: attention_out,
    };
    training.prepare([query, key, value], |query, key| {
        let one = |batch| Sequence {
            batch,
            query_start: 0,
            queries: query.tokens as usize,
            key_start: 0,
            keys: key.tokens as usize,
        };
        Ok((0..query.batch as usize).map(one).collect())
    })
}

/// Sequences that follow each other (TND), their ends in cumulative lists; a mask is required.
pub(crate) fn flash_attention_var_len_score_v3(
    site: &Site,
    query: Tensor,
    query_rope: Option<Tensor>,
    key: Tensor,
    key_rope: Option<Tensor>,
    value: Tensor,
    real_shift: Option<Tensor>,
    drop_mask: Option<Tensor>,
    _padding_mask: Option<Tensor>,
    atten_mask: Option<Tensor>,
    prefix: Option<Vec<i64>>,
    actual_seq_q_len: Option<Vec<i64>>,
    actual_seq_kv_len: Option<Vec<i64>>,
    q_start_idx: Option<Vec<i64>>,
    kv_start_idx: Option<Vec<i64>>,
    scale_value: f64,
    keep_prob: f64,
    pre_tokens: i64,
    next_tokens: i64,
    head_num: i64,
    input_layout: String,
    inner_precise: i64,
    sparse_mode: i64,
    pse_type: i64,
    softmax_max: Tensor,
    softmax_sum: Tensor,
    _softmax_out: Option<Tensor>,
    attention_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnFlashAttentionVarLenScoreV3");
    not_simulated(
        &check,
        &[
            ("queryRope", query_rope.is_some()),
            ("keyRope", key_rope.is_some()),
            ("realShiftOptional", real_shift.is_some()),
            ("dropMaskOptional", drop_mask.is_some() || keep_prob < 1.0),
            ("prefixOptional", prefix.is_some_and(|list| !list.is_empty())),
            ("qStartIdxOptional", q_start_idx.is_some_and(|list| !list.is_empty())),
            ("kvStartIdxOptional", kv_start_idx.is_some_and(|list| !list.is_empty())),
        ],
    )?;
    if input_layout != "TND" {
        let got = format_args!("{input_layout:?}");
        return Err(check.reject_as(INNER_NULL, "inputLayout", got, "TND"));
    }
    if atten_mask.is_none() {
        return Err(check.reject_as(NULL_POINTER, "attenMaskOptional", "null", "given"));
    }
    let training = Training {
        check,
        mask: Given { mode: sparse_mode, mask: atten_mask, before: pre_tokens, after: next_tokens },
        sink: None,
        scale: scale_value,
        keep_prob,
        heads: head_num,
        layout: Layout::Tnd,
        inner_precise,
        pse_type,
        softmax_max,
        softmax_sum,
        out: attention_out,
    };
    training.prepare([query, key, value], |query, key| {
        let name = "actualSeqQLenOptional";
        let queries = cumulative(&check, name, actual_seq_q_len.as_deref(), query.tokens)?;
        let name = "actualSeqKvLenOptional";
        let keys = cumulative(&check, name, actual_seq_kv_len.as_deref(), key.tokens)?;
        let got = format_args!("{} lengths", keys.len());
        check.tiling(keys.len() == queries.len(), name, got, "as many as actualSeqQLenOptional")?;
        Ok(sequences(&queries, &keys))
    })
}

struct Training {
    check: Check,
    mask: Given,
    sink: Option<Tensor>,
    scale: f64,
    keep_prob: f64,
    heads: i64,
    layout: Layout,
    inner_precise: i64,
    pse_type: i64,
    softmax_max: Tensor,
    softmax_sum: Tensor,
    out: Tensor,
}

impl Training {
    fn prepare(
        self,
        [query, key, value]: [Tensor; 3],
        sequences: impl FnOnce(Extents, Extents) -> Result<Vec<Sequence>, Reject>,
    ) -> Result<Kernel, Reject> {
        let (check, layout, heads) = (self.check, self.layout, self.heads);
        self.types(&query, &key, &value)?;
        check.tiling(heads > 0, "headNum", heads, "1 or more")?;
        let query = Heads::new(&check, "query", query, layout, heads)?;
        let kv_heads = kv_heads(layout, &key, query.of.depth);
        let fits = kv_heads > 0 && heads % kv_heads == 0;
        let got = format_args!("of shape {:?}", key.shape);
        check.tiling(fits, "key", got, format_args!("heads that divide {heads}"))?;
        let key = Heads::new(&check, "key", key, layout, kv_heads)?;
        let value = Heads::new(&check, "value", value, layout, kv_heads)?;
        let fits = key.of.batch == query.of.batch
            && key.of.depth == query.of.depth
            && Extents { depth: key.of.depth, ..value.of } == key.of
            && value.of.depth <= key.of.depth
            && (1..=768).contains(&key.of.depth);
        let got = format_args!("of shapes {:?} and {:?}", key.tensor.shape, value.tensor.shape);
        let expected = "batches and rows as query, values of the same tokens with rows no longer";
        check.tiling(fits, "key and value", got, expected)?;
        let sequences = sequences(query.of, key.of)?;
        let longest =
            |of: fn(&Sequence) -> usize| sequences.iter().map(of).max().unwrap_or(0) as i64;
        let need = [
            sequences.len() as i64,
            heads,
            longest(|sequence| sequence.queries),
            longest(|sequence| sequence.keys),
        ];
        let sparse = Sparse::new(&check, self.mask, need)?;
        let expected = layout.shape(Extents { depth: value.of.depth, ..query.of });
        check.shape("attentionOutOut", &self.out, &expected)?;
        let Extents { batch, tokens, .. } = query.of;
        let copies = COPIES as i64;
        let expected = if layout.packed() {
            vec![tokens, heads, copies]
        } else {
            vec![batch, heads, tokens, copies]
        };
        check.shape("softmaxMaxOut", &self.softmax_max, &expected)?;
        check.shape("softmaxSumOut", &self.softmax_sum, &expected)?;
        if let Some(sink) = &self.sink {
            check.input("sinkOptional", sink)?;
            check.dtype("sinkOptional", sink, &[DataType::F32])?;
            check.shape("sinkOptional", sink, &[heads])?;
        }
        let attention = Attention {
            operator: check.operator,
            out: Heads::new(&check, "attentionOutOut", self.out, layout, heads)?,
            query,
            kv_heads: kv_heads as usize,
            key: Source::Plain(vec![key]),
            value: Source::Plain(vec![value]),
            sink: self.sink,
            scale: self.scale as f32,
            sparse,
            sequences,
            packed: layout.packed(),
            statistics: Statistics::MaxAndSum { max: self.softmax_max, sum: self.softmax_sum },
        };
        Ok(attention.kernel())
    }

    fn types(&self, query: &Tensor, key: &Tensor, value: &Tensor) -> Result<(), Reject> {
        let check = &self.check;
        check.dtype("query", query, FLOATS)?;
        for (name, tensor) in
            [("query", query), ("key", key), ("value", value), ("attentionOutOut", &self.out)]
        {
            check.input(name, tensor)?;
            check.same_dtype(name, tensor, "query", query)?;
        }
        for (name, tensor) in
            [("softmaxMaxOut", &self.softmax_max), ("softmaxSumOut", &self.softmax_sum)]
        {
            check.output(name, tensor)?;
            contiguous(check, name, tensor)?;
            check.dtype(name, tensor, &[DataType::F32])?;
        }
        let (keep, precise) = (self.keep_prob, self.inner_precise);
        check.tiling(keep <= 1.0, "keepProb", keep, "more than 0, at most 1")?;
        check.tiling((0..=2).contains(&precise), "innerPrecise", precise, "0, 1 or 2")?;
        // 1 is what a call without position shifts passes.
        check.tiling(self.pse_type == 1, "pseType", self.pse_type, "1 without realShiftOptional")
    }
}

/// Keys may have fewer heads than queries; rows are of one length.
fn kv_heads(layout: Layout, key: &Tensor, depth: i64) -> i64 {
    match (layout, &key.shape[..]) {
        (Layout::Bsh | Layout::Sbh, &[_, _, all]) if depth > 0 && all % depth == 0 => all / depth,
        (Layout::Bsnd, &[_, _, heads, _])
        | (Layout::Bnsd, &[_, heads, _, _])
        | (Layout::Tnd, &[_, heads, _]) => heads,
        _ => 0,
    }
}
