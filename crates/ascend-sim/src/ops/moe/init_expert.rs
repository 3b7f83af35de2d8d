//! `aclnnMoeInitRoutingV2`: positions row by row, counts, and a capacity for each expert.

use super::init::{Rows, outside};
use super::rank::by_expert;
use crate::dtype::DataType;
use crate::kernel::{Cost, INNER_NULL, Kernel, NULL_POINTER, Reject};
use crate::ops::access::{integers, width, write_elements_at, write_integers};
use crate::ops::check::{Check, FLOATS, INDICES};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// Rows copied in the order of their experts, or with `drop_pad_mode` 1 into a place of fixed size for each expert.
/// Counts are int32.
pub(crate) fn init_routing_v2(
    site: &Site,
    x: Tensor,
    expert_idx: Tensor,
    active_num: i64,
    expert_capacity: i64,
    expert_num: i64,
    drop_pad_mode: i64,
    tokens_flag: i64,
    before_capacity_flag: bool,
    expanded_x: Tensor,
    expanded_row_idx: Tensor,
    tokens_out: Option<Tensor>,
    before_capacity_out: Option<Tensor>,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, OPERATOR);
    check.input("x", &x)?;
    check.input("expertIdx", &expert_idx)?;
    check.output("expandedXOut", &expanded_x)?;
    check.output("expandedRowIdxOut", &expanded_row_idx)?;
    check.dtype("x", &x, FLOATS)?;
    let on_950 = check.soc == Soc::Ascend950;
    check.dtype("expertIdx", &expert_idx, if on_950 { INDICES } else { &[DataType::I32] })?;
    check.same_dtype("expandedXOut", &expanded_x, "x", &x)?;
    check.dtype("expandedRowIdxOut", &expanded_row_idx, &[DataType::I32])?;
    let inner = Inner(&check);
    inner.require(x.shape.len() == 2, "x", shape(&x), "of 2 dimensions")?;
    let ranks = if on_950 { 1..=2 } else { 2..=2 };
    let fits = ranks.contains(&expert_idx.shape.len()) && expert_idx.shape[0] == x.shape[0];
    let expected = "of 2 dimensions (on the 950 1 too), a row for each of x";
    inner.require(fits, "expertIdx", shape(&expert_idx), expected)?;
    for (name, number) in
        [("activeNum", active_num), ("expertCapacity", expert_capacity), ("expertNum", expert_num)]
    {
        inner.require(number >= 0, name, number.to_string(), "0 or more")?;
    }
    inner.require(
        (0..=1).contains(&drop_pad_mode),
        "dropPadMode",
        drop_pad_mode.to_string(),
        "0 or 1",
    )?;
    let flag = "expertTokensCountOrCumsumFlag";
    inner.require((0..=2).contains(&tokens_flag), flag, tokens_flag.to_string(), "0, 1 or 2")?;
    let total = expert_idx.len() as i64;
    let capacity = (drop_pad_mode == 1).then_some(expert_capacity);
    if let Some(capacity) = capacity {
        let fits = (1..=x.shape[0]).contains(&capacity);
        inner.require(fits, "expertCapacity", capacity.to_string(), "1 to the rows of x")?;
    }
    let counting = (tokens_flag > 0 && capacity.is_none()) || capacity.is_some();
    if counting {
        inner.require(expert_num > 0, "expertNum", expert_num.to_string(), "more than 0")?;
    }
    let expected = match capacity {
        Some(capacity) => vec![expert_num, capacity, x.shape[1]],
        None if active_num > 0 => vec![active_num.min(total), x.shape[1]],
        None => vec![total, x.shape[1]],
    };
    let fits = expanded_x.shape == expected;
    inner.require(fits, "expandedXOut", shape(&expanded_x), &format!("{expected:?}"))?;
    let fits = expanded_row_idx.shape == [total];
    inner.require(fits, "expandedRowIdxOut", shape(&expanded_row_idx), &format!("[{total}]"))?;
    // Each of the two belongs to one mode, and is not looked at in the other.
    let tokens = inner.counts(
        tokens_flag > 0 && capacity.is_none(),
        "expertTokensCountOrCumsumOutOptional",
        tokens_out,
        expert_num,
    )?;
    let before_capacity = inner.counts(
        before_capacity_flag && capacity.is_some(),
        "expertTokensBeforeCapacityOutOptional",
        before_capacity_out,
        expert_num,
    )?;
    let k = if x.shape[0] == 0 { 1 } else { (total / x.shape[0]).max(1) as usize };
    let cost = Cost::of(&[&x, &expanded_x, &expanded_row_idx], 0);
    Ok(Kernel::new(cost, move |mem| {
        let experts = integers(mem, &expert_idx)?;
        let limit = if counting { expert_num } else { i64::MAX };
        if let Some(&wrong) = experts.iter().find(|expert| !(0..limit).contains(*expert)) {
            return Err(outside(OPERATOR, "expertIdx", wrong, limit as usize));
        }
        let mut counts = vec![0i64; if counting { expert_num as usize } else { 0 }];
        let from = Rows::read(mem, &x)?;
        let mut to = vec![0; expanded_x.len() * width(expanded_x.dtype)];
        let row_bytes = from.row_bytes();
        let mut places = vec![-1; experts.len()];
        for (at, position) in by_expert(&experts).into_iter().enumerate() {
            let expert = experts[position] as usize;
            let place = match capacity {
                None => Some(at),
                Some(capacity) => (counts[expert] < capacity)
                    .then(|| expert * capacity as usize + counts[expert] as usize),
            };
            if let Some(count) = counts.get_mut(expert) {
                *count += 1;
            }
            let Some(place) = place else { continue };
            places[position] = place as i64;
            if let Some(row) = to.get_mut(place * row_bytes..(place + 1) * row_bytes) {
                row.copy_from_slice(from.row(position / k));
            }
        }
        write_elements_at(mem, &expanded_x, 0, &to)?;
        write_integers(mem, &expanded_row_idx, &places)?;
        if let Some(out) = &before_capacity {
            write_integers(mem, out, &counts)?;
        }
        let Some(out) = &tokens else { return Ok(()) };
        if tokens_flag == 1 {
            cumulate(&mut counts);
        }
        write_integers(mem, out, &counts)
    }))
}

const OPERATOR: &str = "aclnnMoeInitRoutingV2";

pub(super) fn cumulate(counts: &mut [i64]) {
    let mut sum = 0;
    for count in counts {
        sum += *count;
        *count = sum;
    }
}

fn shape(tensor: &Tensor) -> String {
    format!("of shape {:?}", tensor.shape)
}

/// This operator says 561103 where others say 561002.
struct Inner<'a>(&'a Check);

impl Inner<'_> {
    fn require(&self, holds: bool, name: &str, got: String, expected: &str) -> Result<(), Reject> {
        if holds { Ok(()) } else { Err(self.0.reject_as(INNER_NULL, name, got, expected)) }
    }

    fn counts(
        &self,
        wanted: bool,
        name: &str,
        out: Option<Tensor>,
        experts: i64,
    ) -> Result<Option<Tensor>, Reject> {
        if !wanted {
            return Ok(None);
        }
        let Some(out) = out else {
            return Err(self.0.reject_as(
                NULL_POINTER,
                name,
                "null",
                "given where its flag is set",
            ));
        };
        self.0.output(name, &out)?;
        self.0.dtype(name, &out, &[DataType::I32])?;
        self.require(out.shape == [experts], name, shape(&out), &format!("[{experts}]"))?;
        Ok(Some(out))
    }
}
