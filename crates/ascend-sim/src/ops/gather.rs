//! Rows by index.
//!
//! The device does not check indices as the host would: one below zero is a fault of the kernel, one beyond the end reads what
//! happens to lie there; poison, here.

use super::access;
use super::check::{Check, INDICES, MOVABLE};
use crate::kernel::{Cost, Fault, Kernel, Reject};
use crate::profile::Site;
use crate::tensor::Tensor;

/// Rows of a table: `out[..., :] = weight[indices[...], :]`.
pub(super) fn embedding(
    site: &Site,
    weight: Tensor,
    indices: Tensor,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnEmbedding");
    check.rank("weight", &weight, 2..=2)?;
    gather(&check, ["weight", "indices"], weight, 0, indices, out)
}

/// Slices of a dimension by a vector of indices.
pub(super) fn index_select(
    site: &Site,
    self_: Tensor,
    dim: i64,
    index: Tensor,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnIndexSelect");
    check.rank("index", &index, 0..=1)?;
    let dim = check.dim("dim", dim, self_.shape.len())?;
    let index = if index.shape.is_empty() { index.unsqueezed(0) } else { index };
    gather(&check, ["self", "index"], self_, dim, index, out)
}

/// Slices of a dimension by indices of any shape, which takes the place of the dimension.
pub(super) fn gather_v2(
    site: &Site,
    self_: Tensor,
    dim: i64,
    index: Tensor,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnGatherV2");
    let dim = check.dim("dim", dim, self_.shape.len())?;
    gather(&check, ["self", "index"], self_, dim, index, out)
}

fn gather(
    check: &Check,
    [name, index_name]: [&str; 2],
    from: Tensor,
    dim: usize,
    index: Tensor,
    out: Tensor,
) -> Result<Kernel, Reject> {
    check.rank(name, &from, 1..=8)?;
    check.input(name, &from)?;
    check.input(index_name, &index)?;
    check.output("out", &out)?;
    check.dtype(name, &from, MOVABLE)?;
    check.dtype(index_name, &index, INDICES)?;
    check.same_dtype("out", &out, name, &from)?;
    let expected = [&from.shape[..dim], &index.shape, &from.shape[dim + 1..]].concat();
    check.shape("out", &out, &expected)?;
    let slices = from.shape[dim];
    let got = format_args!("without slices in dim {dim}");
    check.require(slices > 0 || index.len() == 0, name, got, "something to take")?;
    let cost = Cost::of(&[&out, &index, &out], 0);
    // Both with what is indexed first: a slice is one stretch of the view then.
    let chosen = index.shape.len();
    let order = (dim..dim + chosen).chain(0..dim).chain(dim + chosen..out.shape.len());
    let to = out.permuted(&order.collect::<Vec<_>>());
    let order = [dim].into_iter().chain(0..dim).chain(dim + 1..from.shape.len());
    let from = from.permuted(&order.collect::<Vec<_>>());
    let slice = from.shape[1..].iter().product::<i64>() as usize;
    let operator = check.operator;
    Ok(Kernel::new(cost, move |mem| {
        for (at, index) in access::integers(mem, &index)?.into_iter().enumerate() {
            if index < 0 {
                return Err(Fault::vector(format!(
                    "{operator}: index {index} at position {at} is below zero"
                )));
            }
            let elements = if index < slices {
                access::elements_at(mem, &from, index as usize * slice, slice)?
            } else {
                vec![0xFF; slice * access::width(from.dtype)]
            };
            access::write_elements_at(mem, &to, at * slice, &elements)?;
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests;
