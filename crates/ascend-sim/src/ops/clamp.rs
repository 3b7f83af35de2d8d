//! Elements kept within bounds.

use super::access;
use super::check::{Check, FLOATS, NUMBERS};
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// Each element not below the one and not above the other; NaN stays.
pub(super) fn clamp(
    site: &Site,
    self_: Tensor,
    clip_value_min: Scalar,
    clip_value_max: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let bounds = (Some(clip_value_min), Some(clip_value_max));
    clamped(Check::new(site, "aclnnClamp"), self_, bounds, out)
}

/// Each element not below this.
pub(super) fn clamp_min(
    site: &Site,
    self_: Tensor,
    clip_value_min: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    clamped(Check::new(site, "aclnnClampMin"), self_, (Some(clip_value_min), None), out)
}

/// Each element not above this.
pub(super) fn clamp_max(
    site: &Site,
    self_: Tensor,
    clip_value_max: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    clamped(Check::new(site, "aclnnClampMax"), self_, (None, Some(clip_value_max)), out)
}

fn clamped(
    check: Check,
    self_: Tensor,
    (low, high): (Option<Scalar>, Option<Scalar>),
    out: Tensor,
) -> Result<Kernel, Reject> {
    check.input("self", &self_)?;
    check.output("out", &out)?;
    check.dtype("self", &self_, NUMBERS)?;
    check.same_dtype("out", &out, "self", &self_)?;
    check.shape("out", &out, &self_.shape)?;
    Ok(Kernel::new(Cost::of(&[&self_, &out], out.len() as u64), move |mem| {
        if FLOATS.contains(&self_.dtype) {
            let mut values = access::floats(mem, &self_)?;
            bound(&mut values, low.map(Scalar::float), high.map(Scalar::float));
            access::write_floats(mem, &out, &values)
        } else {
            let mut values = access::integers(mem, &self_)?;
            bound(&mut values, low.map(|low| low.integer), high.map(|high| high.integer));
            access::write_integers(mem, &out, &values)
        }
    }))
}

/// Where the bounds cross, the upper one wins.
fn bound<T: PartialOrd + Copy>(values: &mut [T], low: Option<T>, high: Option<T>) {
    for value in values {
        if let Some(low) = low.filter(|low| *value < *low) {
            *value = low;
        }
        if let Some(high) = high.filter(|high| *value > *high) {
            *value = high;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DataType;
    use crate::kernel::INVALID_PARAMETER;
    use crate::ops::testing::{A2, Device, refused, scalar};
    use crate::ops::vectors::{Case, cases};

    fn each_case(operator: &str, run: impl Fn(&Case, &Device, Tensor) -> Result<Kernel, Reject>) {
        for case in cases("elementwise", operator) {
            let device = Device::default();
            let out = case.output(&device, "out");
            device.run(run(&case, &device, out.clone()));
            case.check(&device, "out", &out);
        }
    }

    #[test]
    fn as_torch_computes() {
        each_case("clamp", |case, device, out| {
            clamp(&A2, case.input(device, "self"), case.scalar("min"), case.scalar("max"), out)
        });
        each_case("clamp_min", |case, device, out| {
            clamp_min(&A2, case.input(device, "self"), case.scalar("min"), out)
        });
        each_case("clamp_max", |case, device, out| {
            clamp_max(&A2, case.input(device, "self"), case.scalar("max"), out)
        });
    }

    #[test]
    fn bounds_that_cross_and_nan() {
        let device = Device::default();
        let x = device.floats(DataType::F32, &[3], &[f32::NAN, -5.0, 5.0]);
        device.run(clamp(&A2, x.clone(), scalar(1.0), scalar(-1.0), x.clone()));
        let values = device.read_floats(&x);
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [-1.0, -1.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let device = Device::default();
        let invalid = INVALID_PARAMETER;
        let x = device.empty(DataType::F16, &[3, 4]);
        let y = device.empty(DataType::F16, &[3]);
        let n = device.empty(DataType::I32, &[3, 4]);
        let d = device.empty(DataType::F64, &[3, 4]);
        let half = scalar(0.5);
        refused(clamp(&A2, x.clone(), half, half, y.clone()), invalid, &["aclnnClamp", "out"]);
        refused(clamp_min(&A2, x, half, n), invalid, &["aclnnClampMin", "out", "F16"]);
        refused(clamp_max(&A2, d.clone(), half, d), invalid, &["aclnnClampMax", "self", "F64"]);
    }
}
