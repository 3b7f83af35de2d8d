//! Elements of one type as those of another.

use super::access;
use super::check::{Check, FLOATS, MOVABLE};
use crate::dtype::DataType;
use crate::kernel::{Cost, Fault, Kernel, Reject};
use crate::memory::Memory;
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

/// `out = self` in the type `dtype`, which is that of `out`. Floats are cut towards zero and saturated where they become
/// integers; integers wrap where they become narrower; anything but 0 is true.
pub(super) fn cast(
    site: &Site,
    self_: Tensor,
    dtype: DataType,
    out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnCast");
    check.input("self", &self_)?;
    check.output("out", &out)?;
    check.shape("out", &out, &self_.shape)?;
    let got = format_args!("{dtype:?}");
    check.require(
        dtype == out.dtype,
        "dtype",
        got,
        format_args!("that of out, {:?}", out.dtype),
    )?;
    convertible(&check, ["self", "out"], &self_, &out)?;
    Ok(conversion(self_, out))
}

/// `selfRef = src`, stretched and converted.
pub(super) fn inplace_copy(site: &Site, self_ref: Tensor, src: Tensor) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnInplaceCopy");
    check.output("selfRef", &self_ref)?;
    check.input("src", &src)?;
    let src = check.stretch("src", &src, &self_ref.shape)?;
    convertible(&check, ["src", "selfRef"], &src, &self_ref)?;
    Ok(conversion(src, self_ref))
}

/// The types that there are conversions for: floats of 8 bits on the 950, and none from f64 to integers.
fn convertible(check: &Check, names: [&str; 2], from: &Tensor, to: &Tensor) -> Result<(), Reject> {
    let mut types = MOVABLE.to_vec();
    if check.soc == Soc::Ascend950 {
        types.extend([DataType::F8E4M3, DataType::F8E5M2]);
    }
    check.dtype(names[0], from, &types)?;
    check.dtype(names[1], to, &types)?;
    let from_double = from.dtype == DataType::F64 && from.dtype != to.dtype;
    if from_double {
        check.dtype(names[1], to, FLOATS)?;
    }
    Ok(())
}

fn conversion(from: Tensor, to: Tensor) -> Kernel {
    Kernel::new(Cost::of(&[&from, &to], to.len() as u64), move |mem| convert(mem, &from, &to))
}

fn convert(mem: &dyn Memory, from: &Tensor, to: &Tensor) -> Result<(), Fault> {
    if from.dtype == to.dtype {
        return access::write_elements(mem, to, &access::elements(mem, from)?);
    }
    if !is_float(from.dtype) {
        return access::write_integers(mem, to, &access::integers(mem, from)?);
    }
    let mut values = access::floats(mem, from)?;
    if !is_float(to.dtype) && to.dtype != DataType::Bool {
        for value in &mut values {
            *value = value.trunc();
        }
    }
    access::write_converted(mem, to, &values)
}

fn is_float(dtype: DataType) -> bool {
    use DataType::{Bf16, F8E4M3, F8E5M2, F16, F32, F64};
    matches!(dtype, F32 | F16 | Bf16 | F64 | F8E4M3 | F8E5M2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::INVALID_PARAMETER;
    use crate::ops::testing::{A2, Device, refused};
    use crate::ops::vectors::cases;
    use crate::profile::Cann;

    #[test]
    fn as_torch_computes() {
        for case in cases("indexing", "cast") {
            let device = Device::default();
            let (x, out) = (case.input(&device, "self"), case.output(&device, "out"));
            device.run(cast(&A2, x.clone(), out.dtype, out.clone()));
            case.check(&device, "out", &out);
            access::poison(&device, &out).unwrap();
            device.run(inplace_copy(&A2, out.clone(), x));
            case.check(&device, "out", &out);
        }
    }

    #[test]
    fn a_copy_stretches_and_may_overlap() {
        let device = Device::default();
        let row = device.integers(DataType::I32, &[3], &[1, 2, 3]);
        let out = device.empty(DataType::F16, &[2, 3]);
        device.run(inplace_copy(&A2, out.clone(), row.clone()));
        assert_eq!(device.read_floats(&out), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        let (head, tail) = (row.narrowed(0, 0, 2, 1), row.narrowed(0, 1, 2, 1));
        device.run(inplace_copy(&A2, tail, head));
        assert_eq!(device.read_integers(&row), [1, 1, 2]);
    }

    #[test]
    fn what_does_not_fit_saturates_or_wraps() {
        let device = Device::default();
        let x = device.floats(DataType::F32, &[3], &[1e9, -300.7, f32::NAN]);
        let out = device.empty(DataType::I8, &[3]);
        device.run(cast(&A2, x, DataType::I8, out.clone()));
        assert_eq!(device.read_integers(&out), [127, -128, 0]);
        let x = device.integers(DataType::I64, &[1], &[300]);
        let out = device.empty(DataType::I8, &[1]);
        device.run(cast(&A2, x, DataType::I8, out.clone()));
        assert_eq!(device.read_integers(&out), [44]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let device = Device::default();
        let invalid = INVALID_PARAMETER;
        let x = device.empty(DataType::F32, &[3]);
        let half = device.empty(DataType::F16, &[3]);
        let refusal = cast(&A2, x.clone(), DataType::Bf16, half.clone());
        refused(refusal, invalid, &["aclnnCast", "dtype", "F16"]);
        let four = device.empty(DataType::F16, &[4]);
        refused(cast(&A2, x.clone(), DataType::F16, four.clone()), invalid, &["out", "[3]"]);
        let byte = device.empty(DataType::F8E4M3, &[3]);
        refused(cast(&A2, x.clone(), DataType::F8E4M3, byte.clone()), invalid, &["out", "F8E4M3"]);
        let newer = Site { soc: Soc::Ascend950, cann: Cann::V8_5 };
        cast(&newer, x, DataType::F8E4M3, byte).expect("the 950 has floats of 8 bits");
        let double = device.empty(DataType::F64, &[3]);
        let whole = device.empty(DataType::I32, &[3]);
        refused(cast(&A2, double, DataType::I32, whole), invalid, &["out", "I32"]);
        refused(inplace_copy(&A2, half, four), invalid, &["aclnnInplaceCopy", "src", "[3]"]);
    }
}
