//! `aclnnScatterNdUpdate`.

use super::outside;
use crate::dtype::DataType::{Bf16, Bool, F8E4M3, F8E5M2, F16, F32, I8, I64};
use crate::kernel::{Cost, Kernel, Reject};
use crate::ops::access::{elements, integers, width, write_elements_at};
use crate::ops::check::{Check, INDICES};
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// Writes slices of `updates` to the places that the last dimension of `indices` names.
pub(crate) fn scatter_nd_update(
    site: &Site,
    var: Tensor,
    indices: Tensor,
    updates: Tensor,
) -> Result<Kernel, Reject> {
    const OPERATOR: &str = "aclnnScatterNdUpdate";
    const MOST_INDICES: usize = 7;
    let check = Check::new(site, OPERATOR);
    check.output("varRef", &var)?;
    check.input("indices", &indices)?;
    check.input("updates", &updates)?;
    let before_950 = [F16, Bf16, F32, I64, Bool, I8];
    let on_950 = [F16, Bf16, F32, I64, Bool, I8, F8E4M3, F8E5M2];
    let types = if check.soc == Soc::Ascend950 { &on_950[..] } else { &before_950[..] };
    check.dtype("varRef", &var, types)?;
    check.same_dtype("updates", &updates, "varRef", &var)?;
    check.dtype("indices", &indices, INDICES)?;
    check.rank("varRef", &var, 1..=8)?;
    check.rank("indices", &indices, 2..=8)?;
    let depth = indices.shape[indices.shape.len() - 1];
    let most = var.shape.len().min(MOST_INDICES);
    let got = format_args!("of shape {:?}", indices.shape);
    let expected = format_args!("a last dimension of 1 to {most}");
    check.require((1..=most as i64).contains(&depth), "indices", got, expected)?;
    let depth = depth as usize;
    let mut expected = indices.shape[..indices.shape.len() - 1].to_vec();
    expected.extend_from_slice(&var.shape[depth..]);
    check.shape("updates", &updates, &expected)?;
    let slice = var.shape[depth..].iter().product::<i64>() as usize;
    let cost = Cost::of(&[&indices, &updates, &updates], 0);
    Ok(Kernel::new(cost, move |mem| {
        let places = integers(mem, &indices)?;
        let bytes = elements(mem, &updates)?;
        let each = slice * width(var.dtype);
        for (at, place) in places.chunks_exact(depth).enumerate() {
            let mut row = 0;
            for (&index, &extent) in place.iter().zip(&var.shape) {
                if !(0..extent).contains(&index) {
                    return Err(outside(OPERATOR, "indices", index, extent));
                }
                row = row * extent + index;
            }
            write_elements_at(mem, &var, row as usize * slice, &bytes[at * each..][..each])?;
        }
        Ok(())
    }))
}
