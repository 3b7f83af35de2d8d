//! The largest, the first few, and all in order. NaN is larger than any number, as in torch; of equal elements the first
//! comes first.

use super::access;
use super::check::{Check, INDICES, NUMBERS};
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, Kernel, Reject};
use crate::memory::Memory;
use crate::profile::Site;
use crate::tensor::Tensor;

/// Where the largest element along `dim` is, in I32 or I64.
pub(super) fn arg_max(
    site: &Site,
    self_: Tensor,
    dim: i64,
    keepdim: bool,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnArgMax");
    let ranked = Ranked::new(&check, self_, dim)?;
    ranked.indices(&check, "out", &out, keepdim, INDICES)?;
    let out = ranked.reduced(out, keepdim);
    Ok(ranked.kernel(None, out, 1, true))
}

/// The largest element along `dim`, and where it is.
pub(super) fn max_dim(
    site: &Site,
    self_: Tensor,
    dim: i64,
    keepdim: bool,
    out: Tensor,
    indices: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnMaxDim");
    let ranked = Ranked::new(&check, self_, dim)?;
    check.output("out", &out)?;
    check.same_dtype("out", &out, "self", &ranked.from)?;
    check.shape("out", &out, &ranked.reduced_shape(keepdim))?;
    ranked.indices(&check, "indices", &indices, keepdim, INDICES)?;
    let (out, indices) = (ranked.reduced(out, keepdim), ranked.reduced(indices, keepdim));
    Ok(ranked.kernel(Some(out), indices, 1, true))
}

/// The `k` largest, or smallest, along `dim`, in order; `sorted` has to be true, and indices are I64.
pub(super) fn topk(
    site: &Site,
    self_: Tensor,
    k: i64,
    dim: i64,
    largest: bool,
    sorted: bool,
    values_out: Tensor,
    indices_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnTopk");
    check.require(sorted, "sorted", sorted, "true")?;
    first(&check, self_, Some(k), dim, largest, values_out, indices_out)
}

/// All elements along `dim` in order, and where they were, in I64; always stable.
pub(super) fn sort(
    site: &Site,
    self_: Tensor,
    _stable: bool,
    dim: i64,
    descending: bool,
    values_out: Tensor,
    indices_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnSort");
    first(&check, self_, None, dim, descending, values_out, indices_out)
}

fn first(
    check: &Check,
    self_: Tensor,
    k: Option<i64>,
    dim: i64,
    descending: bool,
    values: Tensor,
    indices: Tensor,
) -> Result<Kernel, Reject> {
    let ranked = Ranked::new(check, self_, dim)?;
    let extent = ranked.extent as i64;
    let k = k.unwrap_or(extent);
    check.require((0..=extent).contains(&k), "k", k, format_args!("0 to {extent}"))?;
    let mut shape = ranked.shape.clone();
    if let Some(extent) = shape.get_mut(ranked.dim) {
        *extent = k;
    }
    check.output("valuesOut", &values)?;
    check.same_dtype("valuesOut", &values, "self", &ranked.from)?;
    check.shape("valuesOut", &values, &shape)?;
    check.output("indicesOut", &indices)?;
    check.dtype("indicesOut", &indices, &[DataType::I64])?;
    check.shape("indicesOut", &indices, &shape)?;
    let (values, indices) = (values.with_last(ranked.dim), indices.with_last(ranked.dim));
    Ok(ranked.kernel(Some(values), indices, k as usize, descending))
}

/// A tensor whose elements along a dimension are put in order.
struct Ranked {
    /// The dimension last.
    from: Tensor,
    /// As it was given.
    shape: Vec<i64>,
    dim: usize,
    extent: usize,
}

impl Ranked {
    fn new(check: &Check, self_: Tensor, dim: i64) -> Result<Self, Reject> {
        check.input("self", &self_)?;
        check.dtype("self", &self_, NUMBERS)?;
        let dim = check.dim("dim", dim, self_.shape.len())?;
        let extent = self_.shape.get(dim).copied().unwrap_or(1) as usize;
        let got = format_args!("of shape {:?}", self_.shape);
        check.require(extent > 0, "self", got, format_args!("elements along dim {dim}"))?;
        Ok(Self { from: self_.with_last(dim), shape: self_.shape, dim, extent })
    }

    fn reduced_shape(&self, keepdim: bool) -> Vec<i64> {
        let mut shape = self.shape.clone();
        if self.dim < shape.len() {
            if keepdim {
                shape[self.dim] = 1;
            } else {
                shape.remove(self.dim);
            }
        }
        shape
    }

    /// An output without the dimension, with it as the last one.
    fn reduced(&self, out: Tensor, keepdim: bool) -> Tensor {
        if keepdim { out.with_last(self.dim) } else { out.unsqueezed(out.shape.len()) }
    }

    fn indices(
        &self,
        check: &Check,
        name: &str,
        tensor: &Tensor,
        keepdim: bool,
        types: &[DataType],
    ) -> Result<(), Reject> {
        check.output(name, tensor)?;
        check.dtype(name, tensor, types)?;
        check.shape(name, tensor, &self.reduced_shape(keepdim))
    }

    /// Writes the first `k` of each row, in order.
    fn kernel(self, values: Option<Tensor>, indices: Tensor, k: usize, descending: bool) -> Kernel {
        let cost = Cost::of(&[&self.from, &indices], self.from.len() as u64);
        Kernel::new(cost, move |mem| {
            let keys = keys(mem, &self.from)?;
            let elements = access::elements(mem, &self.from)?;
            let width = access::width(self.from.dtype);
            let (mut chosen, mut places) = (Vec::new(), Vec::new());
            for (row, keys) in keys.chunks_exact(self.extent).enumerate() {
                for at in in_order(keys, k, descending) {
                    let element = (row * self.extent + at) * width;
                    chosen.extend_from_slice(&elements[element..element + width]);
                    places.push(at as i64);
                }
            }
            if let Some(values) = &values {
                access::write_elements(mem, values, &chosen)?;
            }
            access::write_integers(mem, &indices, &places)
        })
    }
}

/// Places of the first `k` in order.
pub(super) fn in_order(keys: &[i64], k: usize, descending: bool) -> Vec<usize> {
    let compare = |&a: &usize, &b: &usize| {
        let order = keys[a].cmp(&keys[b]);
        if descending { order.reverse() } else { order }.then(a.cmp(&b))
    };
    if k == 1 {
        return (0..keys.len()).min_by(compare).into_iter().collect();
    }
    let mut places = (0..keys.len()).collect::<Vec<_>>();
    if k < places.len() && k > 0 {
        places.select_nth_unstable_by(k - 1, compare);
    }
    places.truncate(k);
    places.sort_unstable_by(compare);
    places
}

/// Integers in the order of the elements.
fn keys(mem: &dyn Memory, tensor: &Tensor) -> Result<Vec<i64>, Fault> {
    if !super::check::FLOATS.contains(&tensor.dtype) {
        return access::integers(mem, tensor);
    }
    Ok(access::floats(mem, tensor)?.into_iter().map(float_key).collect())
}

/// An integer in the order of floats: both zeros are one, NaN is above all.
pub(super) fn float_key(value: f32) -> i64 {
    if value.is_nan() {
        return i64::MAX;
    }
    let magnitude = i64::from(value.abs().to_bits());
    if value < 0.0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests;
