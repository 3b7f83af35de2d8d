//! Softmax along one dimension, and its logarithm; in f32, one rounding at the output.

use super::access;
use super::check::{Check, FLOATS};
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::tensor::Tensor;

/// `exp(x − max) / Σ exp(x − max)` along `dim`.
pub(super) fn softmax(site: &Site, self_: Tensor, dim: i64, out: Tensor) -> Result<Kernel, Reject> {
    along(&Check::new(site, "aclnnSoftmax"), self_, dim, out, |row| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for value in &mut *row {
            *value = (*value - largest).exp();
        }
        let sum = row.iter().sum::<f32>();
        for value in row {
            *value /= sum;
        }
    })
}

/// `x − max − ln Σ exp(x − max)` along `dim`.
pub(super) fn log_softmax(
    site: &Site,
    self_: Tensor,
    dim: i64,
    out: Tensor,
) -> Result<Kernel, Reject> {
    along(&Check::new(site, "aclnnLogSoftmax"), self_, dim, out, |row| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum = row.iter().map(|value| (value - largest).exp()).sum::<f32>();
        let shift = sum.ln();
        for value in row {
            *value = *value - largest - shift;
        }
    })
}

fn along(
    check: &Check,
    self_: Tensor,
    dim: i64,
    out: Tensor,
    function: impl Fn(&mut [f32]) + Send + Sync + 'static,
) -> Result<Kernel, Reject> {
    check.input("self", &self_)?;
    check.output("out", &out)?;
    check.dtype("self", &self_, FLOATS)?;
    check.dtype("out", &out, FLOATS)?;
    check.shape("out", &out, &self_.shape)?;
    let dim = check.dim("dim", dim, self_.shape.len())?;
    let cost = Cost::of(&[&self_, &out], 5 * out.len() as u64);
    let (from, to) = (self_.with_last(dim), out.with_last(dim));
    let width = from.shape.last().copied().unwrap_or(1) as usize;
    Ok(Kernel::new(cost, move |mem| {
        let mut values = access::floats(mem, &from)?;
        if width > 0 {
            values.chunks_exact_mut(width).for_each(&function);
        }
        access::write_floats(mem, &to, &values)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DataType;
    use crate::kernel::INVALID_PARAMETER;
    use crate::ops::testing::{A2, Device, refused};
    use crate::ops::vectors::cases;

    #[test]
    fn as_torch_computes() {
        for (name, operator) in
            [("softmax", softmax as fn(_, _, _, _) -> _), ("log_softmax", log_softmax)]
        {
            for case in cases("norm", name) {
                let device = Device::default();
                let (x, out) = (case.input(&device, "self"), case.output(&device, "out"));
                device.run(operator(&A2, x, case.int("dim"), out.clone()));
                case.check(&device, "out", &out);
            }
        }
    }

    #[test]
    fn large_and_missing_values() {
        let device = Device::default();
        let x = device.floats(DataType::F32, &[3], &[1e30, f32::NEG_INFINITY, 1e30]);
        device.run(softmax(&A2, x.clone(), 0, x.clone()));
        assert_eq!(device.read_floats(&x), [0.5, 0.0, 0.5]);
        let number = device.floats(DataType::F32, &[], &[3.0]);
        device.run(softmax(&A2, number.clone(), 0, number.clone()));
        assert_eq!(device.read_floats(&number), [1.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let device = Device::default();
        let x = device.empty(DataType::F16, &[3, 4]);
        let y = device.empty(DataType::F16, &[4, 3]);
        let whole = device.empty(DataType::I32, &[3, 4]);
        let invalid = INVALID_PARAMETER;
        refused(softmax(&A2, x.clone(), 2, x.clone()), invalid, &["aclnnSoftmax", "dim"]);
        refused(softmax(&A2, x.clone(), 1, y), invalid, &["out", "[3, 4]"]);
        refused(log_softmax(&A2, whole.clone(), 1, x.clone()), invalid, &["self", "I32"]);
        refused(log_softmax(&A2, x, 1, whole), invalid, &["aclnnLogSoftmax", "out", "I32"]);
    }
}
