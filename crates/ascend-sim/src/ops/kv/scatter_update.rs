//! `aclnnInplaceScatterUpdate`.

use super::outside;
use crate::dtype::DataType::{Bf16, F8E4M3, F8E5M2, F16, F32, I8, I32, U8};
use crate::kernel::{Cost, Kernel, Reject};
use crate::ops::access::{elements, integers, width, write_elements_at};
use crate::ops::check::{Check, INDICES};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// Writes `updates` along an axis, from an offset that each batch (the first dimension) has of its own. Indices of two
/// dimensions name the batch too. The axis may not be 0.
pub(crate) fn inplace_scatter_update(
    site: &Site,
    data: Tensor,
    indices: Tensor,
    updates: Tensor,
    axis: i64,
) -> Result<Kernel, Reject> {
    const OPERATOR: &str = "aclnnInplaceScatterUpdate";
    let check = Check::new(site, OPERATOR);
    check.output("data", &data)?;
    check.input("indices", &indices)?;
    check.input("updates", &updates)?;
    let before_950 = [I8, U8, F16, F32, I32, Bf16];
    let on_950 = [I8, U8, F16, F32, I32, Bf16, F8E4M3, F8E5M2];
    let types = if check.soc == Soc::Ascend950 { &on_950[..] } else { &before_950[..] };
    check.dtype("data", &data, types)?;
    check.same_dtype("updates", &updates, "data", &data)?;
    check.dtype("indices", &indices, INDICES)?;
    let rank = data.shape.len();
    check.rank("data", &data, 2..=8)?;
    check.rank("updates", &updates, rank..=rank)?;
    check.rank("indices", &indices, 0..=2)?;
    for (name, tensor) in [("data", &data), ("indices", &indices), ("updates", &updates)] {
        check.require(tensor.len() > 0, name, "empty", "not empty")?;
    }
    let axis_given = axis;
    let axis = check.dim("axis", axis, rank)?;
    check.require(axis != 0, "axis", axis_given, "not the first dimension")?;
    let batches = indices.shape.first().copied().unwrap_or(1);
    let mut expected = data.shape.clone();
    expected[0] = batches;
    expected[axis] = updates.shape[axis];
    check.shape("updates", &updates, &expected)?;
    let got = format_args!("of shape {:?}", indices.shape);
    let by_name = indices.shape.len() == 2;
    check.require(!by_name || indices.shape[1] == 2, "indices", got, "rows of batch and offset")?;
    let fits = batches <= data.shape[0] && updates.shape[axis] <= data.shape[axis];
    let got = format_args!("of shape {:?}", updates.shape);
    check.require(fits, "updates", got, format_args!("no larger than data, {:?}", data.shape))?;
    let between = data.shape[1..axis].iter().product::<i64>();
    let inner = data.shape[axis + 1..].iter().product::<i64>();
    let (extent, count) = (data.shape[axis], updates.shape[axis]);
    let cost = Cost::of(&[&indices, &updates, &updates], 0);
    Ok(Kernel::new(cost, move |mem| {
        let places = integers(mem, &indices)?;
        let bytes = elements(mem, &updates)?;
        let each = (count * inner) as usize * width(data.dtype);
        for batch in 0..batches {
            let (to, offset) = match (by_name, batch as usize) {
                (true, at) => (places[2 * at], places[2 * at + 1]),
                (false, at) => (batch, places[at]),
            };
            if !(0..data.shape[0]).contains(&to) {
                return Err(outside(OPERATOR, "indices", to, data.shape[0]));
            }
            if !(0..=extent - count).contains(&offset) {
                return Err(outside(OPERATOR, "indices", offset, extent - count + 1));
            }
            for middle in 0..between {
                let first = ((to * between + middle) * extent + offset) * inner;
                let from = (batch * between + middle) as usize * each;
                write_elements_at(mem, &data, first as usize, &bytes[from..from + each])?;
            }
        }
        Ok(())
    }))
}
