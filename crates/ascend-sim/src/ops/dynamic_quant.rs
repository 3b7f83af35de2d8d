//! Rows to integers, each with a scale of its own.

use super::access;
use super::check::{Check, HALVES};
use crate::dtype::DataType;
use crate::kernel::{Cost, Kernel, Reject};
use crate::profile::Site;
use crate::tensor::Tensor;

/// `scale = max |x · smooth| / limit` and `y = round(x · smooth / scale)` for each row, with 127 for I8 and 7 for I4. A row of
/// zeros gives zeros and the scale 0.
pub(super) fn dynamic_quant(
    site: &Site,
    x: Tensor,
    smooth_scales: Option<Tensor>,
    y_out: Tensor,
    scale_out: Tensor,
) -> Result<Kernel, Reject> {
    let check = Check::new(site, "aclnnDynamicQuant");
    check.input("x", &x)?;
    check.dtype("x", &x, HALVES)?;
    check.rank("x", &x, 2..=8)?;
    let (leading, width) = x.shape.split_at(x.shape.len() - 1);
    if let Some(smooth) = &smooth_scales {
        check.input("smoothScalesOptional", smooth)?;
        check.same_dtype("smoothScalesOptional", smooth, "x", &x)?;
        check.shape("smoothScalesOptional", smooth, width)?;
    }
    check.output("yOut", &y_out)?;
    check.dtype("yOut", &y_out, &[DataType::I8, DataType::I4])?;
    check.shape("yOut", &y_out, &x.shape)?;
    check.output("scaleOut", &scale_out)?;
    check.dtype("scaleOut", &scale_out, &[DataType::F32])?;
    check.shape("scaleOut", &scale_out, leading)?;
    let limit = if y_out.dtype == DataType::I8 { 127.0 } else { 7.0 };
    let width = width[0] as usize;
    let cost = Cost::of(&[&x, &y_out, &scale_out], 3 * x.len() as u64);
    Ok(Kernel::new(cost, move |mem| {
        let smooth =
            smooth_scales.as_ref().map(|smooth| access::floats(mem, smooth)).transpose()?;
        let mut scales = Vec::with_capacity(scale_out.len());
        for row in 0..scale_out.len() {
            let mut values = access::floats_at(mem, &x, row * width, width)?;
            for (value, smooth) in values.iter_mut().zip(smooth.iter().flatten()) {
                *value *= smooth;
            }
            let scale = values.iter().fold(0f32, |largest, value| largest.max(value.abs())) / limit;
            for value in &mut values {
                *value = if scale == 0.0 { 0.0 } else { *value / scale };
            }
            access::write_floats_at(mem, &y_out, row * width, &values)?;
            scales.push(scale);
        }
        access::write_floats(mem, &scale_out, &scales)
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
        for case in cases("quant", "dynamic_quant") {
            let device = Device::default();
            let (x, smooth) = (case.input(&device, "x"), case.optional(&device, "smooth"));
            let (y, scale) = (case.output(&device, "y"), case.output(&device, "scale"));
            device.run(dynamic_quant(&A2, x, smooth, y.clone(), scale.clone()));
            case.check(&device, "y", &y);
            case.check(&device, "scale", &scale);
        }
    }

    #[test]
    fn nibbles_and_zeros() {
        let device = Device::default();
        let x = device.floats(DataType::F16, &[2, 4], &[7.0, -7.0, 3.0, 0.4, 0.0, 0.0, 0.0, 0.0]);
        let (y, scale) = (device.empty(DataType::I4, &[2, 4]), device.empty(DataType::F32, &[2]));
        device.run(dynamic_quant(&A2, x, None, y.clone(), scale.clone()));
        assert_eq!(device.read_integers(&y), [7, -7, 3, 0, 0, 0, 0, 0]);
        assert_eq!(device.read_floats(&scale), [1.0, 0.0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let device = Device::default();
        let x = device.empty(DataType::F16, &[2, 4]);
        let (y, scale) = (device.empty(DataType::I8, &[2, 4]), device.empty(DataType::F32, &[2]));
        let run = |x: &Tensor, smooth: Option<Tensor>, y: &Tensor, scale: &Tensor| {
            dynamic_quant(&A2, x.clone(), smooth, y.clone(), scale.clone())
        };
        let invalid = INVALID_PARAMETER;
        let wide = device.empty(DataType::F32, &[2, 4]);
        refused(run(&wide, None, &y, &scale), invalid, &["aclnnDynamicQuant", "x", "F32"]);
        let vector = device.empty(DataType::F16, &[4]);
        refused(run(&vector, None, &y, &scale), invalid, &["x", "1 dimensions"]);
        let smooth = device.empty(DataType::F16, &[3]);
        refused(run(&x, Some(smooth), &y, &scale), invalid, &["smoothScalesOptional", "[4]"]);
        let smooth = device.empty(DataType::F32, &[4]);
        refused(run(&x, Some(smooth), &y, &scale), invalid, &["smoothScalesOptional", "F32"]);
        refused(run(&x, None, &x, &scale), invalid, &["yOut", "F16"]);
        refused(run(&x, None, &y, &wide), invalid, &["scaleOut", "[2]"]);
        let half = device.empty(DataType::F16, &[2]);
        refused(run(&x, None, &y, &half), invalid, &["scaleOut", "F16"]);
    }
}
