//! Which rows `aclnnMoeInitRoutingV3` moves where.

use std::ops::Range;

use super::init_expert::cumulate;
use super::rank::by_expert;
use crate::dtype::DataType;
use crate::kernel::Reject;
use crate::ops::check::Check;
use crate::profile::Soc;
use crate::tensor::Tensor;

pub(super) struct Plan {
    pub(super) rows: i64,
    pub(super) k: i64,
    pub(super) width: i64,
    pub(super) experts: i64,
    pub(super) range: Range<i64>,
    pub(super) active: i64,
    pub(super) capacity: Option<i64>,
    /// The kind of counts: 0 cumulative, 1 counts, 2 pairs of expert and count.
    pub(super) counting: Option<i64>,
    pub(super) scatter: bool,
}

/// What goes where.
pub(super) struct Routed {
    /// Positions in the list of experts, and their places.
    pub(super) moves: Vec<(usize, usize)>,
    pub(super) indices: Vec<i64>,
    pub(super) counts: Vec<i64>,
}

impl Plan {
    pub(super) fn inputs(
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

    pub(super) fn limits(&self, check: &Check, tokens_type: i64) -> Result<(), Reject> {
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

    pub(super) fn outputs(
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

    pub(super) fn route(&self, experts: &[i64]) -> Routed {
        // Experts of other devices go behind all others.
        let keys = experts
            .iter()
            .map(|expert| if self.range.contains(expert) { *expert } else { i64::MAX });
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

    pub(super) fn tokens(&self, kind: i64, mut counts: Vec<i64>) -> Vec<i64> {
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
