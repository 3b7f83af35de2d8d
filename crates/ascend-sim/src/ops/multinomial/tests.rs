use super::*;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused};

#[test]
fn draws_follow_the_weights() {
    let device = Device::default();
    let weights = device.floats(DataType::F32, &[2, 4], &[0.0, 1.0, 2.0, 5.0, 3.0, 0.0, 1.0, 0.0]);
    let out = device.empty(DataType::I64, &[2, 4000]);
    device.run(multinomial(&A2, weights.clone(), 4000, true, 7, 0, out.clone()));
    let drawn = device.read_integers(&out);
    let share = |row: usize, category: i64| {
        let row = &drawn[row * 4000..][..4000];
        row.iter().filter(|&&drawn| drawn == category).count() as f64 / 4000.0
    };
    for (row, expected) in [[0.0, 0.125, 0.25, 0.625], [0.75, 0.0, 0.25, 0.0]].iter().enumerate() {
        for (category, expected) in expected.iter().enumerate() {
            // Four standard deviations of 4000 draws are 0.03.
            let got = share(row, category as i64);
            assert!((got - expected).abs() <= 0.03, "{row} {category}: {got}");
            assert_eq!(got == 0.0, *expected == 0.0);
        }
    }
    device.run(multinomial(&A2, weights.clone(), 4000, true, 7, 0, out.clone()));
    assert_eq!(device.read_integers(&out), drawn);
    device.run(multinomial(&A2, weights, 4000, true, 7, 1, out.clone()));
    assert_ne!(device.read_integers(&out), drawn);
}

#[test]
fn without_replacement_each_comes_once() {
    let device = Device::default();
    let weights = device.floats(DataType::Bf16, &[5], &[1.0, 2.0, 3.0, 4.0, 5.0]);
    let mut first = [0; 5];
    for seed in 0..2000 {
        let out = device.empty(DataType::I64, &[5]);
        device.run(multinomial(&A2, weights.clone(), 5, false, seed, 0, out.clone()));
        let mut drawn = device.read_integers(&out);
        first[drawn[0] as usize] += 1;
        drawn.sort_unstable();
        assert_eq!(drawn, [0, 1, 2, 3, 4]);
    }
    for (at, count) in first.into_iter().enumerate() {
        let expected = (at + 1) as f64 / 15.0;
        assert!((f64::from(count) / 2000.0 - expected).abs() < 0.045, "{first:?}");
    }
}

#[test]
fn what_is_no_distribution_faults() {
    let device = Device::default();
    let out = device.empty(DataType::I64, &[1]);
    for weights in [[0.0, 0.0], [-1.0, 2.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0]] {
        let weights = device.floats(DataType::F32, &[2], &weights);
        let fault = device.try_run(multinomial(&A2, weights, 1, true, 0, 0, out.clone()));
        assert_eq!(fault.unwrap_err().status, 507_035);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let x = device.empty(DataType::F16, &[2, 4]);
    let out = device.empty(DataType::I64, &[2, 3]);
    let draw = |x: &Tensor, count, replacement, out: &Tensor| {
        multinomial(&A2, x.clone(), count, replacement, 0, 0, out.clone())
    };
    refused(draw(&x, 5, false, &out), invalid, &["aclnnMultinomial", "numsamples is 5", "1 to 4"]);
    refused(draw(&x, 0, true, &out), invalid, &["numsamples is 0"]);
    refused(draw(&x, 2, true, &out), invalid, &["out", "[2, 2]"]);
    refused(draw(&out, 3, true, &out), invalid, &["self", "I64"]);
    refused(draw(&x, 4, true, &x), invalid, &["out", "F16"]);
    refused(draw(&device.empty(DataType::F16, &[2, 0]), 1, true, &out), invalid, &["self"]);
}
