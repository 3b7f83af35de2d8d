//! Tensors from numbers alone.

use super::access;
use super::check::{Check, FLOATS, MOVABLE, NUMBERS};
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// Every element becomes `value`.
pub(super) fn inplace_fill_scalar(
    site: &Site,
    self_ref: Tensor,
    value: Scalar,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnInplaceFillScalar");
    check.output("selfRef", &self_ref)?;
    check.dtype("selfRef", &self_ref, MOVABLE)?;
    Ok(Kernel::new(Cost::of(&[&self_ref], 0), move |mem| {
        let count = self_ref.len();
        if FLOATS.contains(&self_ref.dtype) {
            access::write_converted(mem, &self_ref, &vec![value.float(); count])
        } else if self_ref.dtype == DataType::F64 {
            let bytes = value.real.to_le_bytes();
            access::write_elements(mem, &self_ref, &bytes.repeat(count))
        } else {
            let whole = if self_ref.dtype == DataType::Bool {
                i64::from(value.real != 0.0)
            } else {
                value.integer
            };
            access::write_integers(mem, &self_ref, &vec![whole; count])
        }
    }))
}

/// `start`, `start + step`, … below `end`.
pub(super) fn arange(
    site: &Site,
    start: Scalar,
    end: Scalar,
    step: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    steps(&Check::new(site, "aclnnArange"), [start, end, step], out, f64::ceil)
}

/// `start`, `start + step`, … up to `end`, itself among them where a step meets it.
pub(super) fn range(
    site: &Site,
    start: Scalar,
    end: Scalar,
    step: Scalar,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let count = |steps: f64| steps.floor() + 1.0;
    steps(&Check::new(site, "aclnnRange"), [start, end, step], out, count)
}

fn steps(
    check: &Check,
    [start, end, step]: [Scalar; 3],
    out: Tensor,
    count: impl Fn(f64) -> f64,
) -> Result<Kernel, Reject> {
    check.output("out", &out)?;
    check.dtype("out", &out, NUMBERS)?;
    check.rank("out", &out, 1..=1)?;
    check.require(step.real != 0.0, "step", step.real, "not 0")?;
    let steps = (end.real - start.real) / step.real;
    let got = format_args!("{} from {} by {}", end.real, start.real, step.real);
    check.require(steps >= 0.0, "end", got, "on the side that step goes to")?;
    check.shape("out", &out, &[count(steps) as i64])?;
    let cost = Cost::of(&[&out], out.len() as u64);
    Ok(Kernel::new(cost, move |mem| {
        let values = (0..out.len()).map(|at| start.real + at as f64 * step.real);
        if FLOATS.contains(&out.dtype) {
            let values = values.map(|value| value as f32).collect::<Vec<_>>();
            access::write_converted(mem, &out, &values)
        } else {
            let values = values.map(|value| value as i64).collect::<Vec<_>>();
            access::write_integers(mem, &out, &values)
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::INVALID_PARAMETER;
    use crate::ops::testing::{A2, Device, refused, scalar, whole};
    use crate::ops::vectors::cases;

    #[test]
    fn as_torch_computes() {
        for (name, operator) in [("arange", arange as fn(_, _, _, _, _) -> _), ("range", range)] {
            for case in cases("indexing", name) {
                let device = Device::default();
                let out = case.output(&device, "out");
                let [start, end, step] = ["start", "end", "step"].map(|name| case.scalar(name));
                device.run(operator(&A2, start, end, step, out.clone()));
                case.check(&device, "out", &out);
            }
        }
    }

    #[test]
    fn every_type_is_filled() {
        let device = Device::default();
        for &dtype in MOVABLE {
            let tensor = device.empty(dtype, &[2, 3]);
            device.run(inplace_fill_scalar(&A2, tensor.transposed(), scalar(1.0)));
            assert_eq!(device.read_floats(&tensor), [1.0; 6], "{dtype:?}");
        }
        let large = device.empty(DataType::I64, &[1]);
        device.run(inplace_fill_scalar(&A2, large.clone(), whole(i64::MAX)));
        assert_eq!(device.read_integers(&large), [i64::MAX]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let device = Device::default();
        let invalid = INVALID_PARAMETER;
        let out = device.empty(DataType::F32, &[4]);
        let run = |start, end, step| arange(&A2, start, end, step, out.clone());
        refused(run(whole(0), whole(4), whole(0)), invalid, &["aclnnArange", "step"]);
        refused(run(whole(0), whole(-4), whole(1)), invalid, &["end is -4"]);
        refused(run(whole(0), whole(5), whole(1)), invalid, &["out", "[5]"]);
        refused(run(scalar(f32::NAN), whole(5), whole(1)), invalid, &["end"]);
        let five = range(&A2, whole(0), whole(4), whole(1), out);
        refused(five, invalid, &["aclnnRange", "out", "[5]"]);
        let nibbles = device.empty(DataType::I4, &[4]);
        refused(inplace_fill_scalar(&A2, nibbles, whole(1)), invalid, &["selfRef", "I4"]);
    }
}
