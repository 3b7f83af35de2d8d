use proptest::prelude::*;

use super::*;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused, scalar, whole};
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
    each_case("add", |case, device, out| {
        let (a, b) = (case.input(device, "self"), case.input(device, "other"));
        add(&A2, a, b, case.scalar("alpha"), out)
    });
    each_case("sub", |case, device, out| {
        let (a, b) = (case.input(device, "self"), case.input(device, "other"));
        sub(&A2, a, b, case.scalar("alpha"), out)
    });
    each_case("mul", |case, device, out| {
        mul(&A2, case.input(device, "self"), case.input(device, "other"), out)
    });
    each_case("div", |case, device, out| {
        div(&A2, case.input(device, "self"), case.input(device, "other"), out)
    });
    each_case("adds", |case, device, out| {
        adds(&A2, case.input(device, "self"), case.scalar("other"), case.scalar("alpha"), out)
    });
    each_case("muls", |case, device, out| {
        muls(&A2, case.input(device, "self"), case.scalar("other"), out)
    });
}

#[test]
fn in_place_as_torch_computes() {
    for case in cases("elementwise", "add") {
        let device = Device::default();
        let (a, b) = (case.input(&device, "self"), case.input(&device, "other"));
        if a.shape == case.output(&device, "out").shape && !case.has_argument("promoted") {
            device.run(inplace_add(&A2, a.clone(), b, case.scalar("alpha")));
            case.check(&device, "out", &a);
        }
    }
    for case in cases("elementwise", "mul") {
        let device = Device::default();
        let (a, b) = (case.input(&device, "self"), case.input(&device, "other"));
        if a.shape == case.output(&device, "out").shape && !case.has_argument("promoted") {
            device.run(inplace_mul(&A2, a.clone(), b));
            case.check(&device, "out", &a);
        }
    }
    for case in cases("elementwise", "muls") {
        let device = Device::default();
        let a = case.input(&device, "self");
        if !case.has_argument("promoted") {
            device.run(inplace_muls(&A2, a.clone(), case.scalar("other")));
            case.check(&device, "out", &a);
        }
    }
}

#[test]
fn a_sum_is_rounded_once() {
    let device = Device::default();
    // 1 + 2^-8 is halfway between two bf16 numbers; with alpha rounded on its own it would be 1.
    let a = device.floats(DataType::Bf16, &[1], &[1.0]);
    let b = device.floats(DataType::Bf16, &[1], &[1.0]);
    let alpha = scalar(2f32.powi(-8) + 2f32.powi(-20));
    device.run(add(&A2, a.clone(), b, alpha, a.clone()));
    assert_eq!(device.read_floats(&a), [1.007_812_5]);
}

#[test]
fn integers_wrap() {
    let device = Device::default();
    let a = device.integers(DataType::I32, &[1], &[i64::from(i32::MAX)]);
    let b = device.integers(DataType::I32, &[1], &[1]);
    device.run(add(&A2, a.clone(), b, whole(1), a.clone()));
    assert_eq!(device.read_integers(&a), [i64::from(i32::MIN)]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let x = device.empty(DataType::F16, &[3, 4]);
    let y = device.empty(DataType::F16, &[3]);
    let n = device.empty(DataType::I32, &[3, 4]);
    let d = device.empty(DataType::F64, &[3, 4]);
    let invalid = INVALID_PARAMETER;
    let one = whole(1);
    refused(add(&A2, x.clone(), y.clone(), one, x.clone()), invalid, &["aclnnAdd", "other", "[3]"]);
    refused(inplace_add(&A2, y.clone(), x.clone(), one), invalid, &["other", "[3]"]);
    let row = device.empty(DataType::F16, &[1, 4]);
    refused(inplace_add(&A2, row, x.clone(), one), invalid, &["aclnnInplaceAdd", "out", "[3, 4]"]);
    refused(mul(&A2, x.clone(), x.clone(), n.clone()), invalid, &["aclnnMul", "out", "I32"]);
    refused(
        div(&A2, n.clone(), n.clone(), n.clone()),
        invalid,
        &["aclnnDiv", "out", "float result"],
    );
    refused(sub(&A2, d.clone(), x.clone(), one, x.clone()), invalid, &["self", "F64"]);
    refused(sub(&A2, x.clone(), d.clone(), one, x.clone()), invalid, &["other", "F64"]);
    refused(sub(&A2, x.clone(), x.clone(), one, d.clone()), invalid, &["out", "F64"]);
    let half = scalar(0.5);
    refused(add(&A2, n.clone(), n.clone(), half, n.clone()), invalid, &["alpha", "0.5"]);
    refused(adds(&A2, n.clone(), half, one, n.clone()), invalid, &["aclnnAdds", "out", "I32"]);
    refused(muls(&A2, x.clone(), half, y.clone()), invalid, &["aclnnMuls", "out", "[3, 4]"]);
    refused(inplace_muls(&A2, d.clone(), half), invalid, &["aclnnInplaceMuls", "F64"]);
}

proptest! {
    /// Against a twin in f64 that finds every element by its index.
    #[test]
    fn any_two_shapes_that_meet(
        shape in proptest::collection::vec(1i64..4, 1..4),
        ones in any::<[bool; 6]>(),
        turned: bool,
        seed in 0i64..1000,
    ) {
        let device = Device::default();
        let part = |ones: &[bool]| -> Vec<i64> {
            shape.iter().zip(ones).map(|(&extent, &one)| if one { 1 } else { extent }).collect()
        };
        let (a_shape, b_shape) = (part(&ones[..3]), part(&ones[3..]));
        let b_shape = b_shape[usize::from(ones[1]).min(b_shape.len() - 1)..].to_vec();
        let values = |count: usize, seed: i64| -> Vec<f32> {
            (0..count as i64).map(|at| ((at * 37 + seed * 11) % 64 - 32) as f32 / 8.0).collect()
        };
        let count = |shape: &[i64]| shape.iter().product::<i64>() as usize;
        let mut a = device.floats(DataType::Bf16, &a_shape, &values(count(&a_shape), seed));
        let b = device.floats(DataType::F16, &b_shape, &values(count(&b_shape), seed + 3));
        if turned {
            a.shape.reverse();
            a.strides.reverse();
        }
        let Some(out_shape) = super::super::broadcast::together(&a.shape, &b.shape) else {
            return Ok(());
        };
        let out = device.empty(DataType::F32, &out_shape);
        device.run(mul(&A2, a.clone(), b.clone(), out.clone()));
        let got = device.read_floats(&out);
        let (all_a, all_b) = (device.read_floats(&a), device.read_floats(&b));
        for (at, got) in got.iter().enumerate() {
            let element = |own: &[i64], values: &[f32]| {
                let (mut rest, mut position, mut step) = (at as i64, 0, 1);
                for dim in (0..out_shape.len()).rev() {
                    let index = rest % out_shape[dim];
                    rest /= out_shape[dim];
                    if let Some(dim) = (dim + own.len()).checked_sub(out_shape.len()) {
                        position += index.min(own[dim] - 1) * step;
                        step *= own[dim];
                    }
                }
                f64::from(values[position as usize])
            };
            let expected = element(&a.shape, &all_a) * element(&b.shape, &all_b);
            prop_assert_eq!(f64::from(*got), expected);
        }
    }
}
