use proptest::prelude::*;

use super::*;
use crate::dtype::DataType;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::{Case, cases};

fn each_case(
    operator: &str,
    run: impl Fn(&Case, &Device, Tensor, Tensor) -> Result<Kernel, Reject>,
) {
    for case in cases("indexing", operator) {
        let device = Device::default();
        let (x, out) = (case.input(&device, "self"), case.output(&device, "out"));
        device.run(run(&case, &device, x, out.clone()));
        case.check(&device, "out", &out);
    }
}

#[test]
fn as_torch_computes() {
    each_case("permute", |case, _, x, out| permute(&A2, x, case.ints("dims"), out));
    each_case("slice", |case, _, x, out| {
        let [dim, start, end, step] = ["dim", "start", "end", "step"].map(|name| case.int(name));
        slice(&A2, x, dim, start, end, step, out)
    });
    each_case("slice_v2", |case, _, x, out| {
        let [starts, ends, axes, steps] =
            ["starts", "ends", "axes", "steps"].map(|name| case.ints(name));
        slice_v2(&A2, x, starts, ends, axes, steps, out)
    });
    each_case("repeat", |case, _, x, out| repeat(&A2, x, case.ints("repeats"), out));
    each_case("expand", |case, _, x, out| expand(&A2, x, case.ints("size"), out));
    each_case("cat", |case, device, x, out| {
        let tensors = vec![x, case.input(device, "second"), case.input(device, "third")];
        cat(&A2, tensors, case.int("dim"), out)
    });
}

#[test]
fn parts_as_torch_splits() {
    for case in cases("indexing", "split") {
        let device = Device::default();
        let sizes = case.ints("sizes");
        let names = (0..sizes.len()).map(|part| format!("out{part}")).collect::<Vec<_>>();
        let out = names.iter().map(|name| case.output(&device, name)).collect::<Vec<_>>();
        let x = case.input(&device, "self");
        device.run(split_with_size(&A2, x, sizes, case.int("dim"), out.clone()));
        for (name, out) in names.iter().zip(&out) {
            case.check(&device, name, out);
        }
    }
}

#[test]
fn every_bit_moves() {
    let device = Device::default();
    // NaN with a payload, and integers that no float holds.
    let x = device.integers(DataType::I32, &[2, 1], &[0x7FC0_1234, -1]);
    let x = Tensor { dtype: DataType::F32, ..x };
    let out = device.empty(DataType::F32, &[1, 2]);
    device.run(permute(&A2, x, vec![1, 0], out.clone()));
    let bits = Tensor { dtype: DataType::I32, ..out };
    assert_eq!(device.read_integers(&bits), [0x7FC0_1234, -1]);
    let x = device.integers(DataType::I64, &[1], &[i64::MIN + 1]);
    let out = device.empty(DataType::I64, &[3]);
    device.run(expand(&A2, x, vec![3], out.clone()));
    assert_eq!(device.read_integers(&out), [i64::MIN + 1; 3]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let x = device.empty(DataType::F16, &[3, 4]);
    let out = device.empty(DataType::F16, &[4, 3]);
    let half = |shape: &[i64]| device.empty(DataType::F16, shape);
    refused(cat(&A2, vec![], 0, out.clone()), invalid, &["aclnnCat", "tensors", "empty"]);
    let two = vec![x.clone(), x.clone()];
    refused(cat(&A2, two.clone(), 0, half(&[7, 4])), invalid, &["out", "6 in dim 0"]);
    refused(cat(&A2, two.clone(), 0, half(&[6, 5])), invalid, &["tensors[0]", "[3, 5]"]);
    refused(cat(&A2, two.clone(), 2, half(&[6, 4])), invalid, &["dim"]);
    let wide = device.empty(DataType::F32, &[6, 4]);
    refused(cat(&A2, two, 0, wide.clone()), invalid, &["tensors[0]", "F16"]);

    let split =
        |sizes: &[i64], out: Vec<Tensor>| split_with_size(&A2, x.clone(), sizes.to_vec(), 1, out);
    let parts = vec![half(&[3, 1]), half(&[3, 3])];
    refused(split(&[1, 2], parts.clone()), invalid, &["splitSize", "make 4"]);
    refused(split(&[5, -1], parts.clone()), invalid, &["splitSize"]);
    refused(split(&[2, 2], parts.clone()), invalid, &["out[0]", "[3, 2]"]);
    refused(split(&[4], parts), invalid, &["aclnnSplitWithSize", "out", "2 tensors"]);

    refused(permute(&A2, x.clone(), vec![0, 0], out.clone()), invalid, &["dims", "once"]);
    refused(permute(&A2, x.clone(), vec![0], out.clone()), invalid, &["dims", "once"]);
    refused(permute(&A2, x.clone(), vec![0, 2], out.clone()), invalid, &["dims"]);
    refused(permute(&A2, x.clone(), vec![0, 1], out.clone()), invalid, &["aclnnPermute", "out"]);
    refused(slice(&A2, x.clone(), 0, 0, 2, 0, half(&[2, 4])), invalid, &["step is 0"]);
    refused(slice(&A2, x.clone(), 0, 0, 2, 1, half(&[3, 4])), invalid, &["out", "[2, 4]"]);
    let several = |starts: &[i64], axes: &[i64]| {
        let (starts, ends) = (starts.to_vec(), vec![1; axes.len()]);
        slice_v2(&A2, x.clone(), starts, ends.clone(), axes.to_vec(), ends, half(&[1, 1]))
    };
    refused(several(&[0], &[0, 1]), invalid, &["aclnnSliceV2", "starts"]);
    refused(several(&[0, 0], &[0, -2]), invalid, &["axes", "each once"]);
    refused(repeat(&A2, x.clone(), vec![2], out.clone()), invalid, &["aclnnRepeat", "repeats"]);
    refused(repeat(&A2, x.clone(), vec![2, -1], out.clone()), invalid, &["repeats"]);
    refused(repeat(&A2, x.clone(), vec![2, 1], out.clone()), invalid, &["out", "[6, 4]"]);
    refused(expand(&A2, x.clone(), vec![4], out.clone()), invalid, &["aclnnExpand", "size"]);
    refused(expand(&A2, x.clone(), vec![2, 4], out.clone()), invalid, &["self", "[2, 4]"]);
    refused(expand(&A2, x, vec![-1, 3, 4], wide), invalid, &["self"]);
}

proptest! {
    #[test]
    fn slices_are_those_of_numpy(
        extent in 0i64..9, start in -12i64..12, end in -12i64..12, step in 1i64..20,
    ) {
        let device = Device::default();
        let x = device.integers(DataType::I32, &[extent], &(0..extent).collect::<Vec<_>>());
        let inside = |at: i64| if at < 0 { (at + extent).max(0) } else { at.min(extent) };
        let expected = (inside(start)..inside(end)).step_by(step as usize).collect::<Vec<_>>();
        let out = device.empty(DataType::I32, &[expected.len() as i64]);
        device.run(slice(&A2, x, 0, start, end, step, out.clone()));
        prop_assert_eq!(device.read_integers(&out), expected);
    }

    #[test]
    fn repetitions_are_indices_by_remainder(
        shape in proptest::collection::vec(1i64..4, 1..3),
        times in proptest::collection::vec(0i64..4, 2..4),
    ) {
        let device = Device::default();
        let count = shape.iter().product::<i64>();
        let x = device.integers(DataType::I32, &shape, &(0..count).collect::<Vec<_>>());
        let own = [vec![1; times.len() - shape.len()], shape].concat();
        let out_shape = own.iter().zip(&times).map(|(a, b)| a * b).collect::<Vec<_>>();
        let out = device.empty(DataType::I32, &out_shape);
        device.run(repeat(&A2, x, times, out.clone()));
        for (at, got) in device.read_integers(&out).into_iter().enumerate() {
            let (mut rest, mut expected, mut step) = (at as i64, 0, 1);
            for dim in (0..own.len()).rev() {
                expected += rest % out_shape[dim] % own[dim] * step;
                rest /= out_shape[dim];
                step *= own[dim];
            }
            prop_assert_eq!(got, expected);
        }
    }
}
