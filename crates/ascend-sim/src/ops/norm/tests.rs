use proptest::prelude::*;

use super::*;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::cases;

#[test]
fn as_torch_computes() {
    for case in cases("norm", "rms_norm") {
        let device = Device::default();
        let (x, gamma) = (case.input(&device, "x"), case.input(&device, "gamma"));
        let (y, rstd) = (case.output(&device, "y"), case.output(&device, "rstd"));
        device.run(rms_norm(&A2, x, gamma, case.float("epsilon"), y.clone(), rstd.clone()));
        case.check(&device, "y", &y);
        case.check(&device, "rstd", &rstd);
    }
}

#[test]
fn sums_as_torch_computes() {
    for case in cases("norm", "add_rms_norm") {
        let device = Device::default();
        let (x1, x2) = (case.input(&device, "x1"), case.input(&device, "x2"));
        let gamma = case.input(&device, "gamma");
        let epsilon = case.float("epsilon");
        let [y, rstd, x] = ["y", "rstd", "x"].map(|name| case.output(&device, name));
        let (a, b, g) = (x1.clone(), x2.clone(), gamma.clone());
        device.run(add_rms_norm(&A2, a, b, g, epsilon, y.clone(), rstd.clone(), x.clone()));
        case.check(&device, "y", &y);
        case.check(&device, "rstd", &rstd);
        case.check(&device, "x", &x);
        if x.dtype != DataType::F32 {
            let [y2, rstd, x] = ["y", "rstd", "x"].map(|name| case.output(&device, name));
            let y1 = device.empty(DataType::F32, &x.shape);
            let (a, b, g) = (x1.clone(), x2.clone(), gamma.clone());
            let (y1_out, y2_out) = (y1.clone(), y2.clone());
            device.run(add_rms_norm_cast(&A2, a, b, g, epsilon, y1_out, y2_out, rstd, x.clone()));
            case.check(&device, "y", &y1);
            case.check(&device, "y", &y2);
            case.check(&device, "x", &x);
        }
        device.run(inplace_add_rms_norm(&A2, x1.clone(), x2.clone(), gamma, epsilon, rstd));
        case.check(&device, "y", &x1);
        case.check(&device, "x", &x2);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let x = device.empty(DataType::Bf16, &[2, 3, 4]);
    let half = device.empty(DataType::F16, &[2, 3, 4]);
    let gamma = device.empty(DataType::Bf16, &[4]);
    let rstd = device.empty(DataType::F32, &[2, 3, 1]);
    let invalid = INVALID_PARAMETER;
    let norm = |x: &Tensor, gamma: &Tensor, y: &Tensor, rstd: &Tensor| {
        rms_norm(&A2, x.clone(), gamma.clone(), 1e-6, y.clone(), rstd.clone())
    };
    refused(norm(&x, &device.empty(DataType::F16, &[4]), &x, &rstd), invalid, &["gamma", "F16"]);
    refused(norm(&half, &device.empty(DataType::F32, &[4]), &half, &rstd), invalid, &["gamma"]);
    refused(norm(&x, &device.empty(DataType::Bf16, &[3]), &x, &rstd), invalid, &["gamma", "[4]"]);
    refused(norm(&x, &gamma, &half, &rstd), invalid, &["yOut", "F16"]);
    refused(norm(&x, &gamma, &x, &device.empty(DataType::F32, &[2, 3])), invalid, &["rstdOut"]);
    refused(norm(&x, &gamma, &x, &device.empty(DataType::Bf16, &[2, 3, 1])), invalid, &["rstdOut"]);
    let whole = device.empty(DataType::I32, &[4]);
    refused(norm(&whole, &whole, &whole, &rstd), invalid, &["aclnnRmsNorm", "x", "I32"]);
    let short = device.empty(DataType::Bf16, &[2, 3, 2]);
    refused(norm(&x, &gamma, &short, &rstd), invalid, &["yOut", "[2, 3, 4]"]);
    let negative = rms_norm(&A2, x.clone(), gamma.clone(), -1.0, x.clone(), rstd.clone());
    refused(negative, invalid, &["epsilon"]);

    let (a, b, g, r) = (x.clone(), x.clone(), gamma.clone(), rstd.clone());
    let wide = device.empty(DataType::F32, &[4]);
    let sum = add_rms_norm(&A2, a, b, wide, 1e-6, x.clone(), r, x.clone());
    refused(sum, invalid, &["aclnnAddRmsNorm", "gamma", "F32"]);
    let (a, r) = (x.clone(), rstd.clone());
    let sum = add_rms_norm(&A2, a, half.clone(), g.clone(), 1e-6, x.clone(), r, x.clone());
    refused(sum, invalid, &["x2", "F16"]);
    let (a, r) = (x.clone(), rstd.clone());
    let sum = add_rms_norm(&A2, a, x.clone(), g.clone(), 1e-6, x.clone(), r, half.clone());
    refused(sum, invalid, &["xOut", "F16"]);
    let sum = inplace_add_rms_norm(&A2, x.clone(), short, g.clone(), 1e-6, rstd.clone());
    refused(sum, invalid, &["aclnnInplaceAddRmsNorm", "x2Ref", "[2, 3, 4]"]);
    let (a, b, y) = (x.clone(), x.clone(), x.clone());
    let cast = add_rms_norm_cast(&A2, a, b, g, 1e-6, y, x.clone(), rstd.clone(), x);
    refused(cast, invalid, &["aclnnAddRmsNormCast", "y1Out", "[F32]"]);
    let wide = device.empty(DataType::F32, &[2, 3, 4]);
    let [a, b, y, x] = [0; 4].map(|_| wide.clone());
    let g = device.empty(DataType::F32, &[4]);
    let cast = add_rms_norm_cast(&A2, a, b, g, 1e-6, y, wide, rstd, x);
    refused(cast, invalid, &["x1", "F32"]);
}

proptest! {
    #[test]
    fn any_rows(rows in 1usize..5, width in 1usize..70, gap in 0usize..4, seed in 0usize..1000) {
        let device = Device::default();
        let stride = width + gap;
        let values = (0..=rows * stride).map(|at| ((at * 29 + seed) % 97) as f32 / 16.0 - 3.0);
        let values = values.collect::<Vec<_>>();
        let whole = device.floats(DataType::F16, &[values.len() as i64], &values);
        let (rows_i, width_i) = (rows as i64, width as i64);
        let x = Tensor {
            shape: vec![rows_i, width_i],
            strides: vec![stride as i64, 1],
            offset: 1,
            ..whole
        };
        let gamma_values = (0..width).map(|at| (at % 5) as f32 - 1.5).collect::<Vec<_>>();
        let gamma = device.floats(DataType::F16, &[width_i], &gamma_values);
        let y = device.empty(DataType::F16, &[rows_i, width_i]);
        let rstd = device.empty(DataType::F32, &[rows_i, 1]);
        device.run(rms_norm(&A2, x.clone(), gamma, 1e-5, y.clone(), rstd));
        let (x, y) = (device.read_floats(&x), device.read_floats(&y));
        for row in 0..rows {
            let x = &x[row * width..][..width];
            let squares = x.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
            let scale = 1.0 / (squares / width as f64 + 1e-5).sqrt();
            for column in 0..width {
                let expected = f64::from(x[column]) * scale * f64::from(gamma_values[column]);
                let got = f64::from(y[row * width + column]);
                // One rounding of 11 bits, and what f32 loses before.
                let allowed = expected.abs() * 2f64.powi(-11) + 2f64.powi(-24);
                prop_assert!((got - expected).abs() <= allowed * 1.001, "{got} {expected}");
            }
        }
    }
}
