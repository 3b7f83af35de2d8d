//! `aclnnMoeInitRoutingV3`: experts of one device, int64 counts, either kind of index.

use super::init::{Rows, outside};
use super::init_expert::cumulate;
use super::rank::by_expert;
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, NO_KERNEL, Reject};
use crate::ops::access::{
    floats, integers, poison, width, write_elements_at, write_floats_at, write_integers,
    write_integers_at,
};
use crate::ops::check::Check;
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// Rows of the experts in a range copied in the order of these; rows beyond them, and with scatter indices places
/// beyond them, are not written. Only `quant_mode` -1 (none) is simulated.
pub(crate) fn init_routing_v3(
    site: &Site,
    x: Tensor,
    expert_idx: Tensor,
    scale: Option<Tensor>,
    offset: Option<Tensor>,
    active_num: i64,
    expert_capacity: i64,
    expert_num: i64,
    drop_pad_mode: i64,
    tokens_type: i64,
    tokens_flag: bool,
    quant_mode: i64,
    active_range: Option<Vec<i64>>,
    row_idx_type: i64,
    expanded_x: Tensor,
    expanded_row_idx: Tensor,
    tokens_out: Tensor,
    expanded_scale: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, OPERATOR);
    if quant_mode != -1 {
        let expected = "-1 (none): quantisation is not simulated";
        return Err(check.reject_as(NO_KERNEL, "quantMode", quant_mode, expected));
    }
    let plan = Plan {
        rows: x.shape.first().copied().unwrap_or(0),
        k: expert_idx.shape.get(1).copied().unwrap_or(0),
        width: x.shape.get(1).copied().unwrap_or(0),
        experts: expert_num,
        range: plan_range(&check, active_range, expert_num)?,
        active: active_num,
        capacity: (drop_pad_mode == 1).then_some(expert_capacity),
        counting: tokens_flag.then_some(tokens_type),
        scatter: row_idx_type == 1,
    };
    plan.inputs(&check, &x, &expert_idx, scale.as_ref(), offset.as_ref())?;
    check.tiling((0..=1).contains(&drop_pad_mode), "dropPadMode", drop_pad_mode, "0 or 1")?;
    check.tiling((0..=1).contains(&row_idx_type), "rowIdxType", row_idx_type, "0 or 1")?;
    plan.limits(&check, tokens_type)?;
    plan.outputs(&check, &x, &expanded_x, &expanded_row_idx, &tokens_out)?;
    if scale.is_some() {
        check.output("expandedScaleOut", &expanded_scale)?;
        check.dtype("expandedScaleOut", &expanded_scale, &[DataType::F32])?;
        let rows = expanded_x.shape[..expanded_x.shape.len() - 1].iter().product::<i64>();
        let got = format_args!("of shape {:?}", expanded_scale.shape);
        let expected = format_args!("{rows} elements");
        check.tiling(expanded_scale.len() as i64 == rows, "expandedScaleOut", got, expected)?;
    }
    let cost = Cost::of(&[&x, &expanded_x, &expanded_row_idx], 0);
    Ok(Kernel::new(cost, move |mem| {
        let experts = integers(mem, &expert_idx)?;
        if let Some(&wrong) = experts.iter().find(|expert| !(0..plan.experts).contains(*expert)) {
            return Err(outside(OPERATOR, "expertIdx", wrong, plan.experts as usize));
        }
        let routed = plan.route(&experts);
        let from = Rows::read(mem, &x)?;
        let scales = scale.as_ref().map(|scale| floats(mem, scale)).transpose()?;
        if plan.capacity.is_some() {
            let zero = vec![0; expanded_x.len() * width(expanded_x.dtype)];
            write_elements_at(mem, &expanded_x, 0, &zero)?;
        } else {
            poison(mem, &expanded_x)?;
        }
        for &(position, place) in &routed.moves {
            let row = position / plan.k as usize;
            let first = place * plan.width as usize;
            if first < expanded_x.len() {
                write_elements_at(mem, &expanded_x, first, from.row(row))?;
                if let Some(scales) = &scales {
                    write_floats_at(mem, &expanded_scale, place, &scales[row..=row])?;
                }
            }
        }
        poison(mem, &expanded_row_idx)?;
        write_integers_at(mem, &expanded_row_idx, 0, &routed.indices)?;
        match plan.counting {
            Some(kind) => write_integers(mem, &tokens_out, &plan.tokens(kind, routed.counts)),
            None => Ok(()),
        }
    }))
}

const OPERATOR: &str = "aclnnMoeInitRoutingV3";

fn plan_range(
    check: &Check,
    range: Option<Vec<i64>>,
    experts: i64,
) -> Result<std::ops::Range<i64>, Reject> {
    let Some(range) = range.filter(|range| !range.is_empty()) else { return Ok(0..experts) };
    let got = format_args!("{range:?}");
    let expected = format_args!("[start, end) within [0, {experts})");
    match range[..] {
        [start, end] if 0 <= start && start < end && end <= experts => Ok(start..end),
        _ => Err(check.reject_as(
            crate::kernel::NO_TILING,
            "activeExpertRangeOptional",
            got,
            expected,
        )),
    }
}

struct Plan {
    rows: i64,
    k: i64,
    width: i64,
    experts: i64,
    range: std::ops::Range<i64>,
    active: i64,
    capacity: Option<i64>,
    /// The kind of counts: 0 cumulative, 1 counts, 2 pairs of expert and count.
    counting: Option<i64>,
    scatter: bool,
}

/// What goes where.
struct Routed {
    /// Positions in the list of experts, and their places.
    moves: Vec<(usize, usize)>,
    indices: Vec<i64>,
    counts: Vec<i64>,
}

impl Plan {
    fn inputs(
        &self,
        check: &Check,
        x: &Tensor,
        expert_idx: &Tensor,
        scale: Option<&Tensor>,
        offset: Option<&Tensor>,
    ) -> Result<(), Reject> {
        use DataType::{Bf16, F16, F32, I8, I32};
        check.input("x", x)?;
        check.input("expertIdx", expert_idx)?;
        check.dtype("x", x, &[F16, Bf16, F32, I8])?;
        check.dtype("expertIdx", expert_idx, &[I32])?;
        let got = format_args!("of shape {:?}", x.shape);
        check.tiling(x.shape.len() == 2, "x", got, "of 2 dimensions")?;
        let got = format_args!("of shape {:?}", expert_idx.shape);
        let fits = expert_idx.shape == [self.rows, self.k];
        check.tiling(fits, "expertIdx", got, "of 2 dimensions, a row for each of x")?;
        if let Some(scale) = scale {
            check.input("scaleOptional", scale)?;
            check.dtype("scaleOptional", scale, &[F32])?;
            let got = format_args!("of shape {:?}", scale.shape);
            let expected = format_args!("[{}]", self.rows);
            check.tiling(scale.shape == [self.rows], "scaleOptional", got, expected)?;
        }
        check.tiling(offset.is_none(), "offsetOptional", "given", "null without quantisation")
    }

    fn limits(&self, check: &Check, tokens_type: i64) -> Result<(), Reject> {
        const MOST_EXPERTS: i64 = 10_240;
        const MOST_PAIRS: i64 = 5120;
        let on_950 = check.soc == Soc::Ascend950;
        let most = if tokens_type == 2 { MOST_PAIRS } else { MOST_EXPERTS };
        let expected = format_args!("1 to {most}");
        check.tiling((1..=most).contains(&self.experts), "expertNum", self.experts, expected)?;
        let name = "expertTokensNumType";
        check.tiling((0..=2).contains(&tokens_type), name, tokens_type, "0, 1 or 2")?;
        check.tiling(self.active >= 0, "activeNum", self.active, "0 or more")?;
        if on_950 {
            let total = self.rows * self.k;
            let expected = format_args!("{total}, all rows, on the 950");
            check.tiling(self.active == total, "activeNum", self.active, expected)?;
            let flag = self.counting.is_some();
            check.tiling(flag, "expertTokensNumFlag", flag, "true on the 950")?;
        }
        let Some(capacity) = self.capacity else { return Ok(()) };
        let expected = format_args!("1 to {} where dropPadMode is 1", self.rows);
        check.tiling((1..=self.rows).contains(&capacity), "expertCapacity", capacity, expected)?;
        check.tiling(!self.scatter, "rowIdxType", 1, "0 where dropPadMode is 1")?;
        let whole = self.range == (0..self.experts);
        let got = format_args!("{:?}", self.range);
        let expected = "all experts where dropPadMode is 1";
        check.tiling(whole, "activeExpertRangeOptional", got, expected)?;
        let fits = self.counting.is_none_or(|kind| kind == 1);
        check.tiling(fits, name, tokens_type, "1 where dropPadMode is 1")
    }

    fn outputs(
        &self,
        check: &Check,
        x: &Tensor,
        expanded_x: &Tensor,
        expanded_row_idx: &Tensor,
        tokens_out: &Tensor,
    ) -> Result<(), Reject> {
        check.output("expandedXOut", expanded_x)?;
        check.same_dtype("expandedXOut", expanded_x, "x", x)?;
        check.output("expandedRowIdxOut", expanded_row_idx)?;
        check.dtype("expandedRowIdxOut", expanded_row_idx, &[DataType::I32])?;
        let total = self.rows * self.k;
        let expected = match self.capacity {
            Some(capacity) => vec![self.experts, capacity, self.width],
            None if self.active > 0 => vec![self.active.min(total), self.width],
            None => vec![total, self.width],
        };
        let tiling = |name: &str, tensor: &Tensor, expected: &[i64]| {
            let got = format_args!("of shape {:?}", tensor.shape);
            check.tiling(tensor.shape == expected, name, got, format_args!("{expected:?}"))
        };
        tiling("expandedXOut", expanded_x, &expected)?;
        tiling("expandedRowIdxOut", expanded_row_idx, &[total])?;
        let Some(kind) = self.counting else { return Ok(()) };
        let name = "expertTokensCountOrCumsumOut";
        check.output(name, tokens_out)?;
        check.dtype(name, tokens_out, &[DataType::I64])?;
        let here = self.range.end - self.range.start;
        let expected = if kind == 2 { vec![self.experts, 2] } else { vec![here] };
        tiling(name, tokens_out, &expected)
    }

    fn route(&self, experts: &[i64]) -> Routed {
        // Experts of other devices go behind all others.
        let keys = experts.iter().map(|expert| match self.range.contains(expert) {
            true => *expert,
            false => i64::MAX,
        });
        let mut order = by_expert(&keys.collect::<Vec<_>>());
        order.retain(|&position| self.range.contains(&experts[position]));
        let mut counts = vec![0; (self.range.end - self.range.start) as usize];
        let mut moves = Vec::new();
        for (at, &position) in order.iter().enumerate() {
            let expert = (experts[position] - self.range.start) as usize;
            match self.capacity {
                None => moves.push((position, at)),
                Some(capacity) if counts[expert] < capacity => {
                    moves.push((position, expert * capacity as usize + counts[expert] as usize));
                }
                Some(_) => {}
            }
            counts[expert] += 1;
        }
        let indices = if self.scatter {
            order.iter().map(|&position| position as i64).collect()
        } else {
            let mut gather = vec![-1; experts.len()];
            for &(position, place) in &moves {
                gather[position] = place as i64;
            }
            gather
        };
        Routed { moves, indices, counts }
    }

    fn tokens(&self, kind: i64, mut counts: Vec<i64>) -> Vec<i64> {
        match kind {
            0 => cumulate(&mut counts),
            1 => {}
            _ => {
                let pairs = self.range.clone().zip(counts).filter(|&(_, count)| count > 0);
                counts = pairs.flat_map(|(expert, count)| [expert, count]).collect();
                counts.resize(2 * self.experts as usize, 0);
            }
        }
        counts
    }
}
