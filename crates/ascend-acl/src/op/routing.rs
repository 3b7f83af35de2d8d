//! From scores to experts and back.

use super::call::launch;
use super::check::Check;
use super::dtype::FLOATS;
use super::tensor::Tensor;
use crate::error::Result;
use crate::rt::Stream;
use crate::sys::aclDataType;

/// In which order experts are chosen and weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateOrder {
    /// Softmax over all experts, then the largest, whose weights do not sum to 1.
    SoftmaxThenTopK,
    /// The largest, then softmax over these. What gpt-oss does.
    TopKThenSoftmax,
}

/// The `k` best experts of each row of `scores`, `[T, E]`: their weights in `weights`, of the same type, and their int32 numbers in `experts`, both
/// `[T, k]`. Rows where the bool mask `finished` is set are passed over.
///
/// Vendor limits: `k` at most 1024. A bias of the router must be in the scores.
pub fn gating_top_k(
    stream: &Stream,
    scores: &Tensor,
    finished: Option<&Tensor>,
    order: GateOrder,
    weights: &Tensor,
    experts: &Tensor,
) -> Result<()> {
    const MOST: i64 = 1024;
    let check = Check("aclnnMoeGatingTopKSoftmaxV2");
    check.rank("scores", scores, 2)?;
    check.dtype("scores", scores, FLOATS)?;
    check.shape("weights", weights, &[scores.dim(0), -1])?;
    check.same_dtype(&[("scores", scores), ("weights", weights)])?;
    check.dtype("experts", experts, &[aclDataType::INT32])?;
    check.shape("experts", experts, weights.shape())?;
    let k = weights.dim(1);
    let most = MOST.min(scores.dim(1));
    check.require(
        (1..=most).contains(&k),
        "weights",
        || format!("of shape {:?}", weights.shape()),
        || format!("1 to {most} columns"),
    )?;
    if let Some(finished) = finished {
        check.dtype("finished", finished, &[aclDataType::BOOL])?;
        check.shape("finished", finished, &[scores.dim(0)])?;
    }
    let renorm = match order {
        GateOrder::SoftmaxThenTopK => 0_i64,
        GateOrder::TopKThenSoftmax => 1,
    };
    let no_softmax: Option<&Tensor> = None;
    launch!(
        stream,
        moe.aclnnMoeGatingTopKSoftmaxV2(
            scores, finished, k, renorm, false, weights, experts, no_softmax
        )
    )
}

/// How rows of an expert are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupList {
    /// Where the rows of each expert end.
    Ends,
    /// How many rows each expert has.
    Counts,
}

/// Rows sorted by expert: [`init_routing`].
#[derive(Debug, Clone, Copy)]
pub struct Routing<'t, 'a> {
    /// The rows in the order of their experts, `[T * k, H]`.
    pub rows: &'t Tensor<'a>,
    /// Where each row of each token went, int32 `[T * k]`, token by token.
    pub places: &'t Tensor<'a>,
    /// Rows of each expert, `[E]`, or of the range of experts: int64 for [`init_routing`], int32 for [`init_routing_v2`].
    pub counts: &'t Tensor<'a>,
}

impl Routing<'_, '_> {
    fn check(&self, check: Check, x: &Tensor, experts: &Tensor, counted: i64) -> Result<()> {
        check.rank("x", x, 2)?;
        check.dtype("experts", experts, &[aclDataType::INT32])?;
        check.shape("experts", experts, &[x.dim(0), -1])?;
        let rows = x.dim(0).saturating_mul(experts.dim(1));
        check.shape("rows", self.rows, &[rows, x.dim(1)])?;
        check.same_dtype(&[("x", x), ("rows", self.rows)])?;
        check.shape("places", self.places, &[rows])?;
        check.dtype("places", self.places, &[aclDataType::INT32])?;
        check.shape("counts", self.counts, &[counted])
    }
}

/// How many experts there are, and which of them are on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experts {
    /// All of them.
    pub count: usize,
    /// Those on this device.
    pub here: std::ops::Range<usize>,
}

impl Experts {
    /// So many, all on this device.
    #[must_use]
    pub fn all(count: usize) -> Self {
        Self { count, here: 0..count }
    }
}

/// Sorts the rows of `x`, `[T, H]`, by the experts that [`gating_top_k`] chose, `[T, k]`: each row `k` times. If not all experts are on
/// this device the rows of those that are come first, and what is behind them is not written: that is expert parallelism. CANN 8.5.
///
/// Nothing is dropped. `scales`, f32 `[T * k]`, is for quantisation, of which there is none here; the vendor wants it all the same. Vendor
/// limits: at most 10,240 experts.
pub fn init_routing(
    stream: &Stream,
    x: &Tensor,
    chosen: &Tensor,
    experts: &Experts,
    list: GroupList,
    out: Routing<'_, '_>,
    scales: &Tensor,
) -> Result<()> {
    const MOST: usize = 10_240;
    let check = Check("aclnnMoeInitRoutingV3");
    let Experts { count, here } = experts;
    check.require(
        (1..=MOST).contains(count),
        "experts",
        || count.to_string(),
        || format!("1 to {MOST}"),
    )?;
    check.require(
        here.start < here.end && here.end <= *count,
        "experts",
        || format!("{here:?} here"),
        || format!("a range within 0..{count} that is not empty"),
    )?;
    out.check(check, x, chosen, here.len() as i64)?;
    check.dtype("counts", out.counts, &[aclDataType::INT64])?;
    check.shape("scales", scales, &[out.rows.dim(0)])?;
    check.dtype("scales", scales, &[aclDataType::FLOAT])?;
    let here = [here.start as i64, here.end as i64];
    let here: Option<&[i64]> = Some(&here);
    let (count, all) = (*count as i64, out.rows.dim(0));
    let kind = match list {
        GroupList::Ends => 0_i64,
        GroupList::Counts => 1,
    };
    let none: Option<&Tensor> = None;
    let Routing { rows, places, counts } = out;
    // All rows are active, none has a capacity, none is dropped or quantised, places are where rows went to.
    launch!(
        stream,
        moe.aclnnMoeInitRoutingV3(
            x, chosen, none, none, all, 0_i64, count, 0_i64, kind, true, -1_i64, here, 0_i64, rows,
            places, counts, scales
        )
    )
}

/// [`init_routing`] as releases before 8.5 have it: all experts, and int32 counts, which a grouped product wants cast to int64.
pub fn init_routing_v2(
    stream: &Stream,
    x: &Tensor,
    experts: &Tensor,
    expert_count: usize,
    list: GroupList,
    out: Routing<'_, '_>,
) -> Result<()> {
    let check = Check("aclnnMoeInitRoutingV2");
    out.check(check, x, experts, expert_count as i64)?;
    check.dtype("counts", out.counts, &[aclDataType::INT32])?;
    let kind = match list {
        GroupList::Ends => 1_i64,
        GroupList::Counts => 2,
    };
    let (expert_count, none) = (expert_count as i64, None::<&Tensor>);
    let Routing { rows, places, counts } = out;
    launch!(
        stream,
        moe.aclnnMoeInitRoutingV2(
            x,
            experts,
            0_i64,
            0_i64,
            expert_count,
            0_i64,
            kind,
            false,
            rows,
            places,
            counts,
            none
        )
    )
}

/// The sum of what the experts of each token answered: [`FinalizeRouting::launch`].
#[derive(Debug, Clone, Copy)]
pub struct FinalizeRouting<'t, 'a> {
    /// The answers, `[T * k, H]`, in the order of the experts.
    pub rows: &'t Tensor<'a>,
    /// Where the answers of each token are, as [`init_routing`] gave it.
    pub places: &'t Tensor<'a>,
    /// The weights, `[T, k]`, of the type of the rows, or f32 beside bf16.
    pub weights: Option<&'t Tensor<'a>>,
    /// What is added to each token, `[T, H]`: the residual.
    pub residual: Option<&'t Tensor<'a>>,
    /// Biases of the experts, `[E, H]`, and which expert gave each answer, int32 `[T, k]`.
    pub bias: Option<(&'t Tensor<'a>, &'t Tensor<'a>)>,
}

impl FinalizeRouting<'_, '_> {
    /// `out[t] = residual[t] + Σ weights[t, i] * (rows[places[t, i]] + bias[expert])`, `[T, H]`.
    pub fn launch(&self, stream: &Stream, out: &Tensor) -> Result<()> {
        let check = Check("aclnnMoeFinalizeRoutingV2");
        let Self { rows, places, weights, residual, bias } = *self;
        check.rank("rows", rows, 2)?;
        check.dtype("rows", rows, FLOATS)?;
        check.shape("out", out, &[-1, rows.dim(1)])?;
        check.same_dtype(&[("rows", rows), ("out", out)])?;
        check.dtype("places", places, &[aclDataType::INT32])?;
        check.shape("places", places, &[rows.dim(0)])?;
        if let Some(weights) = weights {
            let wide = rows.dtype() == aclDataType::BF16;
            let types = [rows.dtype(), aclDataType::FLOAT];
            check.dtype("weights", weights, &types[..=usize::from(wide)])?;
            check.shape("weights", weights, &[out.dim(0), -1])?;
            let k = weights.dim(1);
            check.shape("places", places, &[out.dim(0).saturating_mul(k)])?;
        }
        if let Some(residual) = residual {
            check.same_shape(&[("out", out), ("residual", residual)])?;
            check.same_dtype(&[("rows", rows), ("residual", residual)])?;
        }
        if let Some((bias, experts)) = bias {
            check.shape("bias", bias, &[-1, rows.dim(1)])?;
            check.same_dtype(&[("rows", rows), ("bias", bias)])?;
            check.shape("experts of bias", experts, &[out.dim(0), -1])?;
            check.dtype("experts of bias", experts, &[aclDataType::INT32])?;
        }
        let (bias, experts) = bias.unzip();
        let none: Option<&Tensor> = None;
        // Mode 2: places token by token, nothing dropped, as the second and third routing give them.
        launch!(
            stream,
            moe.aclnnMoeFinalizeRoutingV2(
                rows, places, residual, none, bias, weights, experts, 2_i64, out
            )
        )
    }
}

/// Where the rows of each expert end in an int32 list of experts that is sorted, as int32 `[E]`. At most 2048 experts.
pub fn expert_ends(stream: &Stream, sorted: &Tensor, out: &Tensor) -> Result<()> {
    let check = Check("aclnnMoeComputeExpertTokens");
    check.rank("sorted", sorted, 1)?;
    check.rank("out", out, 1)?;
    check.dtype("sorted", sorted, &[aclDataType::INT32])?;
    check.dtype("out", out, &[aclDataType::INT32])?;
    let experts = out.dim(0);
    launch!(stream, moe.aclnnMoeComputeExpertTokens(sorted, experts, out))
}

/// Sorts rows by expert, for [`unpermute`]: `tokens` `[T, H]`, `experts` int32 or int64 `[T, k]`, `rows` `[T * k, H]`, `places` int32 `[T * k]`.
pub fn permute_tokens(
    stream: &Stream,
    tokens: &Tensor,
    experts: &Tensor,
    rows: &Tensor,
    places: &Tensor,
) -> Result<()> {
    let check = Check("aclnnMoeTokenPermute");
    check.rank("tokens", tokens, 2)?;
    check.dtype("experts", experts, super::dtype::INDICES)?;
    check.shape("experts", experts, &[tokens.dim(0), -1])?;
    let all = tokens.dim(0).saturating_mul(experts.dim(1));
    check.shape("rows", rows, &[all, tokens.dim(1)])?;
    check.same_dtype(&[("tokens", tokens), ("rows", rows)])?;
    check.shape("places", places, &[all])?;
    check.dtype("places", places, &[aclDataType::INT32])?;
    launch!(stream, moe.aclnnMoeTokenPermute(tokens, experts, all, false, rows, places))
}

/// Puts rows back and sums them, with `weights` `[T, k]` if given: `out` `[T, H]`.
pub fn unpermute(
    stream: &Stream,
    rows: &Tensor,
    places: &Tensor,
    weights: Option<&Tensor>,
    out: &Tensor,
) -> Result<()> {
    let check = Check("aclnnMoeTokenUnpermute");
    check.rank("rows", rows, 2)?;
    check.shape("places", places, &[rows.dim(0)])?;
    check.dtype("places", places, &[aclDataType::INT32])?;
    check.shape("out", out, &[-1, rows.dim(1)])?;
    check.same_dtype(&[("rows", rows), ("out", out)])?;
    if let Some(weights) = weights {
        check.shape("weights", weights, &[out.dim(0), -1])?;
    }
    let no_shape: Option<&[i64]> = None;
    launch!(stream, moe.aclnnMoeTokenUnpermute(rows, places, weights, false, no_shape, out))
}
