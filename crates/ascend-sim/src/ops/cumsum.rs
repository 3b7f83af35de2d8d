//! Running sums along one dimension.

use super::access;
use super::check::{Check, FLOATS, NUMBERS};
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::tensor::Tensor;

/// `out[i] = Σ self[..=i]` along `dim` in the type `dtype`, which is that of `out`; floats in f32, one rounding.
pub(super) fn cumsum(
    site: &Site,
    self_: Tensor,
    dim: i64,
    dtype: DataType,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnCumsum");
    check.input("self", &self_)?;
    check.output("out", &out)?;
    check.dtype("self", &self_, NUMBERS)?;
    check.dtype("out", &out, NUMBERS)?;
    check.shape("out", &out, &self_.shape)?;
    let got = format_args!("{dtype:?}");
    check.require(
        dtype == out.dtype,
        "dtype",
        got,
        format_args!("that of out, {:?}", out.dtype),
    )?;
    let dim = check.dim("dim", dim, self_.shape.len())?;
    let cost = Cost::of(&[&self_, &out], out.len() as u64);
    let (from, to) = (self_.with_last(dim), out.with_last(dim));
    let width = from.shape.last().map_or(1, |&extent| extent.max(1)) as usize;
    Ok(Kernel::new(cost, move |mem| {
        if FLOATS.contains(&to.dtype) {
            let mut values = access::floats(mem, &from)?;
            for row in values.chunks_exact_mut(width) {
                let mut sum = 0.0;
                for value in row {
                    sum += *value;
                    *value = sum;
                }
            }
            return access::write_floats(mem, &to, &values);
        }
        let mut values = access::integers(mem, &from)?;
        for row in values.chunks_exact_mut(width) {
            let mut sum = 0i64;
            for value in row {
                sum = sum.wrapping_add(*value);
                *value = sum;
            }
        }
        access::write_integers(mem, &to, &values)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::INVALID_PARAMETER;
    use crate::ops::testing::{A2, Device, refused};
    use crate::ops::vectors::cases;

    #[test]
    fn as_torch_computes() {
        for case in cases("indexing", "cumsum") {
            let device = Device::default();
            let (x, out) = (case.input(&device, "self"), case.output(&device, "out"));
            device.run(cumsum(&A2, x, case.int("dim"), out.dtype, out.clone()));
            case.check(&device, "out", &out);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let device = Device::default();
        let invalid = INVALID_PARAMETER;
        let x = device.empty(DataType::F32, &[3]);
        let half = device.empty(DataType::F16, &[3]);
        let f32_ = DataType::F32;
        refused(cumsum(&A2, x.clone(), 0, f32_, half), invalid, &["aclnnCumsum", "dtype", "F16"]);
        refused(cumsum(&A2, x.clone(), 1, f32_, x.clone()), invalid, &["dim", "[-1, 0]"]);
        let four = device.empty(DataType::F32, &[4]);
        refused(cumsum(&A2, x, 0, f32_, four), invalid, &["out", "[3]"]);
        let flags = device.empty(DataType::Bool, &[3]);
        refused(cumsum(&A2, flags.clone(), 0, DataType::Bool, flags), invalid, &["self", "Bool"]);
    }
}
