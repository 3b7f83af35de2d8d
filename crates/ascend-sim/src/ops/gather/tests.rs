use proptest::prelude::*;

use super::*;
use crate::dtype::DataType;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::cases;

#[test]
fn as_torch_computes() {
    for case in cases("indexing", "index_select") {
        let device = Device::default();
        let (x, index) = (case.input(&device, "self"), case.input(&device, "index"));
        let (dim, out) = (case.int("dim"), case.output(&device, "out"));
        device.run(index_select(&A2, x.clone(), dim, index.clone(), out.clone()));
        case.check(&device, "out", &out);
        access::poison(&device, &out).unwrap();
        device.run(gather_v2(&A2, x.clone(), dim, index.clone(), out.clone()));
        case.check(&device, "out", &out);
        if dim == 0 && x.shape.len() == 2 {
            access::poison(&device, &out).unwrap();
            device.run(embedding(&A2, x, index, out.clone()));
            case.check(&device, "out", &out);
        }
    }
}

#[test]
fn indices_out_of_range() {
    let device = Device::default();
    let table = device.floats(DataType::F16, &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let out = device.empty(DataType::F16, &[2, 2]);
    let indices = device.integers(DataType::I64, &[2], &[2, 3]);
    device.run(embedding(&A2, table.clone(), indices, out.clone()));
    let got = device.read_floats(&out);
    assert_eq!(got[..2], [5.0, 6.0]);
    assert!(got[2].is_nan() && got[3].is_nan());
    let indices = device.integers(DataType::I32, &[2], &[0, -1]);
    let fault = device.try_run(embedding(&A2, table, indices, out)).unwrap_err();
    assert_eq!(fault.status, 507_035);
    assert!(fault.message.contains("index -1 at position 1"));
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let x = device.empty(DataType::F32, &[3, 4]);
    let index = device.empty(DataType::I64, &[2]);
    let out = device.empty(DataType::F32, &[2, 4]);
    let select = |x: &Tensor, dim, index: &Tensor, out: &Tensor| {
        index_select(&A2, x.clone(), dim, index.clone(), out.clone())
    };
    refused(select(&x, 2, &index, &out), invalid, &["aclnnIndexSelect", "dim"]);
    refused(select(&x, 1, &index, &out), invalid, &["out", "[3, 2]"]);
    let float = device.empty(DataType::F32, &[2]);
    refused(select(&x, 0, &float, &out), invalid, &["index", "F32"]);
    let square = device.empty(DataType::I64, &[1, 2]);
    refused(select(&x, 0, &square, &out), invalid, &["index", "2 dimensions"]);
    let half = device.empty(DataType::F16, &[2, 4]);
    refused(select(&x, 0, &index, &half), invalid, &["out", "F16"]);
    let none = device.empty(DataType::F32, &[0, 4]);
    refused(select(&none, 0, &index, &out), invalid, &["self", "without slices"]);
    let nibbles = device.empty(DataType::I4, &[3, 4]);
    refused(select(&nibbles, 0, &index, &out), invalid, &["self", "I4"]);
    let cube = device.empty(DataType::F32, &[3, 4, 5]);
    refused(embedding(&A2, cube, index.clone(), out.clone()), invalid, &["weight", "3 dimensions"]);
    refused(gather_v2(&A2, x, 0, square, out), invalid, &["aclnnGatherV2", "out", "[1, 2, 4]"]);
}

proptest! {
    #[test]
    fn any_dimension(
        shape in proptest::collection::vec(1i64..5, 1..4),
        index in proptest::collection::vec(0i64..100, 1..6),
        dim in 0usize..3, reverse: bool,
    ) {
        let device = Device::default();
        let dim = dim % shape.len();
        let count = shape.iter().product::<i64>();
        let mut x = device.integers(DataType::I32, &shape, &(0..count).collect::<Vec<_>>());
        if reverse {
            x.shape.reverse();
            x.strides.reverse();
        }
        let index = index.into_iter().map(|at| at % x.shape[dim]).collect::<Vec<_>>();
        let mut out_shape = x.shape.clone();
        out_shape[dim] = index.len() as i64;
        let out = device.empty(DataType::I32, &out_shape);
        let chosen = device.integers(DataType::I64, &[index.len() as i64], &index);
        device.run(index_select(&A2, x.clone(), dim as i64, chosen, out.clone()));
        let all = device.read_integers(&x);
        let inner = x.shape[dim + 1..].iter().product::<i64>();
        for (at, got) in device.read_integers(&out).into_iter().enumerate() {
            let at = at as i64;
            let (outer, chosen, inside) =
                (at / inner / index.len() as i64, at / inner % index.len() as i64, at % inner);
            let from = (outer * x.shape[dim] + index[chosen as usize]) * inner + inside;
            prop_assert_eq!(got, all[from as usize]);
        }
    }
}
