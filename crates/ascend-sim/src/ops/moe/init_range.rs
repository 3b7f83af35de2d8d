//! `aclnnMoeInitRoutingV3`: experts of one device, int64 counts, either kind of index.

use super::init::{Rows, outside};
use super::init_plan::Plan;
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, NO_KERNEL, NO_TILING, Reject};
use crate::ops::access::{
    floats, integers, poison, width, write_elements_at, write_floats_at, write_integers,
    write_integers_at,
};
use crate::ops::check::Check;
use crate::profile::Site;
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
        range: range(&check, active_range, expert_num)?,
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

fn range(
    check: &Check,
    range: Option<Vec<i64>>,
    experts: i64,
) -> Result<std::ops::Range<i64>, Reject> {
    let Some(range) = range.filter(|range| !range.is_empty()) else { return Ok(0..experts) };
    let got = format_args!("{range:?}");
    let expected = format_args!("[start, end) within [0, {experts})");
    match range[..] {
        [start, end] if 0 <= start && start < end && end <= experts => Ok(start..end),
        _ => Err(check.reject_as(NO_TILING, "activeExpertRangeOptional", got, expected)),
    }
}
