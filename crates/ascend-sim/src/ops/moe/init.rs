//! `aclnnMoeInitRouting`, and the rows that every version copies.

use super::rank::by_expert;
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, Kernel, Reject};
use crate::memory::Memory;
use crate::ops::access::{elements, integers, width, write_elements_at, write_integers};
use crate::ops::check::{Check, FLOATS};
use crate::profile::Site;
use crate::tensor::Tensor;

/// Rows copied in the order of their experts; positions count column by column, as `aclnnMoeGatingTopKSoftmax` gives
/// them in `row_idx`.
pub(crate) fn init_routing(
    site: &Site,
    x: Tensor,
    row_idx: Tensor,
    expert_idx: Tensor,
    active_num: i64,
    expanded_x: Tensor,
    expanded_row_idx: Tensor,
    expanded_expert_idx: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMoeInitRouting");
    check.input("x", &x)?;
    check.dtype("x", &x, FLOATS)?;
    check.output("expandedXOut", &expanded_x)?;
    check.same_dtype("expandedXOut", &expanded_x, "x", &x)?;
    for (name, tensor) in [("rowIdx", &row_idx), ("expertIdx", &expert_idx)] {
        check.input(name, tensor)?;
        check.dtype(name, tensor, &[DataType::I32])?;
    }
    let shape = |tensor: &Tensor| format!("of shape {:?}", tensor.shape);
    check.tiling(x.shape.len() == 2, "x", shape(&x), "2 dimensions")?;
    let same = expert_idx.shape.len() == 2 && row_idx.shape == expert_idx.shape;
    check.tiling(same, "rowIdx", shape(&row_idx), "2 dimensions, the shape of expertIdx")?;
    let (rows, k) = (x.shape[0], expert_idx.shape[1]);
    let expected = format_args!("{rows} rows, as x");
    check.tiling(expert_idx.shape[0] == rows, "expertIdx", shape(&expert_idx), expected)?;
    check.tiling(active_num >= 0, "activeNum", active_num, "0 or more")?;
    let expected = [rows.min(active_num) * k, x.shape[1]];
    let fits = expanded_x.shape == expected;
    check.tiling(fits, "expandedXOut", shape(&expanded_x), format_args!("{expected:?}"))?;
    for (name, tensor) in
        [("expandedRowIdxOut", &expanded_row_idx), ("expandedExpertIdxOut", &expanded_expert_idx)]
    {
        check.output(name, tensor)?;
        check.dtype(name, tensor, &[DataType::I32])?;
        let expected = format_args!("[{}]", rows * k);
        check.tiling(tensor.shape == [rows * k], name, shape(tensor), expected)?;
    }
    let cost = Cost::of(&[&x, &expanded_x, &expanded_row_idx, &expanded_expert_idx], 0);
    Ok(Kernel::new(cost, move |mem| {
        let experts = integers(mem, &expert_idx)?;
        let places = integers(mem, &row_idx)?;
        let total = places.len();
        let order = by_expert(&experts);
        let sorted = order.iter().map(|&at| places[at]).collect::<Vec<_>>();
        let mut found = vec![-1; total];
        for (at, &place) in sorted.iter().enumerate() {
            let slot = usize::try_from(place).ok().and_then(|place| found.get_mut(place));
            *slot.ok_or_else(|| outside("aclnnMoeInitRouting", "rowIdx", place, total))? =
                at as i64;
        }
        let from = Rows::read(mem, &x)?;
        let mut expanded = Vec::new();
        for &place in sorted.iter().take(expanded_x.shape[0] as usize) {
            expanded.extend_from_slice(from.row(place as usize % rows as usize));
        }
        write_elements_at(mem, &expanded_x, 0, &expanded)?;
        write_integers(mem, &expanded_row_idx, &found)?;
        let sorted_experts = order.iter().map(|&at| experts[at]).collect::<Vec<_>>();
        write_integers(mem, &expanded_expert_idx, &sorted_experts)
    }))
}

/// An index that a kernel found in memory, and that points nowhere.
pub(super) fn outside(operator: &str, name: &str, index: i64, count: usize) -> Fault {
    Fault::vector(format!("{operator}: {name} has {index}, expected 0 to {}", count as i64 - 1))
}

/// The rows of a matrix, as bytes.
pub(super) struct Rows {
    bytes: Vec<u8>,
    width: usize,
}

impl Rows {
    pub(super) fn read(mem: &dyn Memory, tensor: &Tensor) -> Result<Self, Fault> {
        let each = tensor.shape[1..].iter().product::<i64>() as usize;
        Ok(Self { bytes: elements(mem, tensor)?, width: each * width(tensor.dtype) })
    }

    pub(super) fn row_bytes(&self) -> usize {
        self.width
    }

    pub(super) fn row(&self, index: usize) -> &[u8] {
        &self.bytes[index * self.width..][..self.width]
    }
}
