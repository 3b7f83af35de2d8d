use proptest::prelude::*;

use super::*;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::cases;

#[test]
fn as_torch_computes() {
    for case in cases("indexing", "max") {
        let device = Device::default();
        let (x, dim, keep) = (case.input(&device, "self"), case.int("dim"), case.flag("keepdim"));
        let (out, indices) = (case.output(&device, "out"), case.output(&device, "indices"));
        device.run(max_dim(&A2, x.clone(), dim, keep, out.clone(), indices.clone()));
        case.check(&device, "out", &out);
        case.check(&device, "indices", &indices);
        for dtype in [DataType::I32, DataType::I64] {
            let indices = device.empty(dtype, &indices.shape);
            device.run(arg_max(&A2, x.clone(), dim, keep, indices.clone()));
            case.check(&device, "indices", &indices);
        }
    }
    for case in cases("indexing", "topk") {
        let device = Device::default();
        let (x, k, dim) = (case.input(&device, "self"), case.int("k"), case.int("dim"));
        let (values, indices) = (case.output(&device, "values"), case.output(&device, "indices"));
        let largest = case.flag("largest");
        device.run(topk(&A2, x, k, dim, largest, true, values.clone(), indices.clone()));
        case.check(&device, "values", &values);
        case.check(&device, "indices", &indices);
    }
    for case in cases("indexing", "sort") {
        let device = Device::default();
        let (x, dim) = (case.input(&device, "self"), case.int("dim"));
        let (values, indices) = (case.output(&device, "values"), case.output(&device, "indices"));
        let descending = case.flag("descending");
        device.run(sort(&A2, x, true, dim, descending, values.clone(), indices.clone()));
        case.check(&device, "values", &values);
        case.check(&device, "indices", &indices);
    }
}

#[test]
fn nan_is_the_largest_and_zeros_are_equal() {
    let device = Device::default();
    let x = device.floats(DataType::F32, &[5], &[0.0, f32::INFINITY, f32::NAN, -0.0, -1.0]);
    let (values, indices) = (device.empty(DataType::F32, &[5]), device.empty(DataType::I64, &[5]));
    device.run(sort(&A2, x.clone(), false, 0, true, values, indices.clone()));
    assert_eq!(device.read_integers(&indices), [2, 1, 0, 3, 4]);
    let one = device.empty(DataType::I64, &[]);
    device.run(arg_max(&A2, x, 0, false, one.clone()));
    assert_eq!(device.read_integers(&one), [2]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let x = device.empty(DataType::F32, &[3, 4]);
    let (values, indices) =
        (device.empty(DataType::F32, &[3, 2]), device.empty(DataType::I64, &[3, 2]));
    let top = |k, sorted, values: &Tensor, indices: &Tensor| {
        topk(&A2, x.clone(), k, 1, true, sorted, values.clone(), indices.clone())
    };
    refused(top(2, false, &values, &indices), invalid, &["aclnnTopk", "sorted is false", "true"]);
    refused(top(5, true, &values, &indices), invalid, &["k is 5", "0 to 4"]);
    refused(top(-1, true, &values, &indices), invalid, &["k is -1"]);
    refused(top(3, true, &values, &indices), invalid, &["valuesOut", "[3, 3]"]);
    let narrow = device.empty(DataType::I32, &[3, 2]);
    refused(top(2, true, &values, &narrow), invalid, &["indicesOut", "I32", "I64"]);
    refused(top(2, true, &narrow, &indices), invalid, &["valuesOut", "I32"]);
    let one = device.empty(DataType::I64, &[3]);
    let wrong = arg_max(&A2, x.clone(), 1, true, one.clone());
    refused(wrong, invalid, &["aclnnArgMax", "out", "[3, 1]"]);
    let wrong = arg_max(&A2, x.clone(), 1, false, device.empty(DataType::F32, &[3]));
    refused(wrong, invalid, &["out", "F32"]);
    let wrong = arg_max(&A2, device.empty(DataType::F64, &[3, 4]), 1, false, one.clone());
    refused(wrong, invalid, &["self", "F64"]);
    let wrong = arg_max(&A2, device.empty(DataType::F32, &[3, 0]), 1, false, one.clone());
    refused(wrong, invalid, &["self", "elements along dim 1"]);
    let half = device.empty(DataType::F16, &[3]);
    refused(max_dim(&A2, x.clone(), 1, false, half, one), invalid, &["aclnnMaxDim", "out"]);
    let wrong = sort(&A2, x, true, 1, false, values, indices);
    refused(wrong, invalid, &["aclnnSort", "valuesOut", "[3, 4]"]);
}

proptest! {
    #[test]
    fn the_first_k_of_a_full_sort(
        values in proptest::collection::vec(-9i64..9, 1..40), k in 0usize..40, descending: bool,
    ) {
        let k = k % (values.len() + 1);
        let mut all = (0..values.len()).collect::<Vec<_>>();
        all.sort_by_key(|&at| if descending { -values[at] } else { values[at] });
        prop_assert_eq!(&in_order(&values, k, descending)[..], &all[..k]);
    }
}
