use proptest::prelude::*;

use super::*;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused, scalar};
use crate::ops::vectors::{Case, cases};
use crate::ops::weight_format::npu_format_cast;

const OLD: Site = Site { soc: A2.soc, cann: Cann::V8_3 };

type Operator = fn(&Site, Tensor, Tensor, Tensor, i8) -> Result<Kernel, Reject>;

/// The weight of a case, in the layout that it asks for.
fn weight(case: &Case, device: &Device, name: &str) -> Tensor {
    let tensor = case.input(device, name);
    if case.flag("transposed") { tensor.transposed() } else { tensor }
}

fn to_blocks(device: &Device, rows: &Tensor) -> Tensor {
    let storage = nz::blocked_storage(&rows.shape, nz::block_width(rows.dtype));
    let memory = device.empty(rows.dtype, &storage);
    let plain = device.empty(rows.dtype, &rows.shape);
    let blocks =
        Tensor { shape: rows.shape.clone(), strides: plain.strides, format: FRACTAL_NZ, ..memory };
    device.run(npu_format_cast(&A2, rows.clone(), blocks.clone()));
    blocks
}

#[test]
fn as_torch_computes() {
    for case in cases("matmul", "matmul") {
        let device = Device::default();
        let (x, w) = (case.input(&device, "self"), weight(&case, &device, "mat2"));
        let mut operators: Vec<Operator> = vec![matmul];
        match (x.shape.len(), w.shape.len()) {
            (2, 2) => operators.push(mm),
            (3, 3) => operators.push(batch_mat_mul),
            _ => {}
        }
        for operator in operators {
            let out = case.output(&device, "out");
            device.run(operator(&A2, x.clone(), w.clone(), out.clone(), 0));
            case.check(&device, "out", &out);
        }
        if x.dtype == DataType::F32 || w.shape.len() < 2 {
            continue;
        }
        let base = if w.exchanged() { w.transposed() } else { w.clone() };
        let blocks = to_blocks(&device, &base);
        let blocks = if w.exchanged() { blocks.transposed() } else { blocks };
        let out = case.output(&device, "out");
        match (x.shape.len(), w.shape.len()) {
            (2, 2) => device.run(matmul_weight_nz(&A2, x, blocks, out.clone(), 0)),
            (3, 3) => device.run(batch_mat_mul_weight_nz(&A2, x, blocks, out.clone(), 0)),
            _ => continue,
        }
        case.check(&device, "out", &out);
    }
}

#[test]
fn sums_as_torch_computes() {
    for case in cases("matmul", "addmm") {
        let device = Device::default();
        let (added, x) = (case.input(&device, "self"), case.input(&device, "mat1"));
        let w = weight(&case, &device, "mat2");
        let (beta, alpha) = (case.scalar("beta"), case.scalar("alpha"));
        let out = case.output(&device, "out");
        let (a, b, o) = (added.clone(), x.clone(), out.clone());
        device.run(addmm(&A2, a, b, w.clone(), beta, alpha, o, 0));
        case.check(&device, "out", &out);
        if x.dtype != DataType::F32 && !w.exchanged() {
            let blocks = to_blocks(&device, &w);
            let out = case.output(&device, "out");
            device.run(addmm_weight_nz(&A2, added, x, blocks, beta, alpha, out.clone(), 0));
            case.check(&device, "out", &out);
        }
    }
}

#[test]
fn a_weight_in_blocks_is_silently_wrong_on_the_older_release() {
    let device = Device::default();
    let values = (0..32 * 32).map(|at| (at % 13) as f32 - 6.0).collect::<Vec<_>>();
    let rows = device.floats(DataType::F16, &[32, 32], &values);
    let blocks = to_blocks(&device, &rows);
    let x = device.floats(DataType::F16, &[1, 32], &values[..32]);
    let run = |site, weight: &Tensor| {
        let out = device.empty(DataType::F16, &[1, 32]);
        device.run(mm(&site, x.clone(), weight.clone(), out.clone(), 0));
        device.read_floats(&out)
    };
    assert_eq!(run(A2, &blocks), run(A2, &rows));
    assert_eq!(run(OLD, &rows), run(A2, &rows));
    assert_ne!(run(OLD, &blocks), run(A2, &rows));
}

#[test]
fn f32_loses_bits_where_it_may() {
    let device = Device::default();
    let x = device.floats(DataType::F32, &[1, 1], &[1.0 + 2f32.powi(-12) + 2f32.powi(-20)]);
    let one = device.floats(DataType::F32, &[1, 1], &[1.0]);
    let run = |cube| {
        let out = device.empty(DataType::F32, &[1, 1]);
        device.run(mm(&A2, x.clone(), one.clone(), out.clone(), cube));
        device.read_floats(&out)[0]
    };
    assert_eq!(run(0), 1.0 + 2f32.powi(-12) + 2f32.powi(-20));
    assert_eq!(run(1), 1.0 + 2f32.powi(-11));
    assert_eq!(run(2), 1.0);
    assert_eq!(run(3), 1.0 + 2f32.powi(-11));
    assert_eq!(hf32(1.0 + 2f32.powi(-12)), 1.0);
    assert!(hf32(f32::NAN).is_nan());
    assert_eq!(hf32(f32::INFINITY), f32::INFINITY);
}

#[test]
fn without_depth_there_is_the_sum_alone() {
    let device = Device::default();
    let x = device.empty(DataType::F32, &[2, 0]);
    let w = device.empty(DataType::F32, &[0, 2]);
    let added = device.floats(DataType::F32, &[2], &[1.0, f32::NAN]);
    let out = device.empty(DataType::F32, &[2, 2]);
    let (one, two) = (scalar(1.0), scalar(2.0));
    device.run(addmm(&A2, added.clone(), x.clone(), w.clone(), two, one, out.clone(), 0));
    assert_eq!(device.read_floats(&out)[0], 2.0);
    device.run(addmm(&A2, added, x, w, scalar(0.0), one, out.clone(), 0));
    assert_eq!(device.read_floats(&out), [0.0; 4]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let x = device.empty(DataType::F16, &[3, 4]);
    let w = device.empty(DataType::F16, &[4, 5]);
    let out = device.empty(DataType::F16, &[3, 5]);
    let run = |x: &Tensor, w: &Tensor, out: &Tensor, cube| {
        mm(&A2, x.clone(), w.clone(), out.clone(), cube)
    };
    refused(run(&x, &x, &out, 0), invalid, &["aclnnMm", "mat2", "4 rows"]);
    refused(run(&x, &w, &x, 0), invalid, &["out", "[3, 5]"]);
    refused(run(&x, &w, &out, 4), invalid, &["cubeMathType is 4"]);
    refused(run(&x, &w, &out, -1), invalid, &["cubeMathType is -1"]);
    let brain = device.empty(DataType::Bf16, &[4, 5]);
    refused(run(&x, &brain, &out, 0), invalid, &["mat2", "Bf16"]);
    refused(run(&x, &w, &device.empty(DataType::F32, &[3, 5]), 0), invalid, &["out", "F32"]);
    let square = device.empty(DataType::Bf16, &[4, 4]);
    refused(run(&square, &square, &square, 2), invalid, &["cubeMathType", "bf16"]);
    let whole = device.empty(DataType::I8, &[4, 4]);
    refused(run(&whole, &whole, &whole, 0), invalid, &["self", "I8"]);
    let vector = device.empty(DataType::F16, &[4]);
    refused(run(&vector, &w, &out, 0), invalid, &["self", "1 dimensions"]);
    let batch = device.empty(DataType::F16, &[2, 4, 5]);
    refused(run(&x, &batch, &out, 0), invalid, &["mat2", "3 dimensions"]);
    let three = device.empty(DataType::F16, &[3, 3, 4]);
    let into = device.empty(DataType::F16, &[3, 3, 5]);
    let clash = batch_mat_mul(&A2, three, batch.clone(), into, 0);
    refused(clash, invalid, &["aclnnBatchMatMul", "mat2", "batch that meets [3]"]);
    let clash = matmul(&A2, device.empty(DataType::F16, &[]), w.clone(), out.clone(), 0);
    refused(clash, invalid, &["aclnnMatmul", "self", "0 dimensions"]);

    let one = scalar(1.0);
    let added = device.empty(DataType::F16, &[4]);
    let sum = addmm(&A2, added, x.clone(), w.clone(), one, one, out.clone(), 0);
    refused(sum, invalid, &["aclnnAddmm", "self", "[3, 5]"]);
    let added = device.empty(DataType::F32, &[5]);
    let sum = addmm(&A2, added, x.clone(), w.clone(), one, one, out.clone(), 0);
    refused(sum, invalid, &["self", "F32"]);

    let nz = matmul_weight_nz(&A2, x.clone(), w.clone(), out.clone(), 0);
    refused(nz, invalid, &["aclnnMatmulWeightNz", "mat2", "format 2"]);
    let wide = device.empty(DataType::F32, &[4, 5]);
    let nz = matmul_weight_nz(&A2, wide.clone(), wide.clone(), wide, 0);
    refused(nz, invalid, &["mat2", "F32"]);
    let nz = batch_mat_mul_weight_nz(&A2, batch.clone(), batch.clone(), batch.clone(), 0);
    refused(nz, invalid, &["aclnnBatchMatMulWeightNz", "format 2"]);
    let nz = addmm_weight_nz(&A2, out.clone(), x, w, one, one, out, 0);
    refused(nz, invalid, &["aclnnAddmmWeightNz", "format 2"]);
}

proptest! {
    /// Small whole numbers, whose sums f32 holds exactly: any order gives the same.
    #[test]
    fn any_layout(
        m in 1usize..5, k in 1usize..40, n in 1usize..40,
        x_turned: bool, w_turned: bool, in_blocks: bool, seed in 0i64..100,
    ) {
        let device = Device::default();
        let values = |count: usize, salt: i64| -> Vec<i64> {
            (0..count as i64).map(|at| (at * 31 + seed * salt) % 9 - 4).collect()
        };
        let make = |rows: usize, columns: usize, turned: bool, salt: i64, blocks: bool| {
            let (rows, columns) = (rows as i64, columns as i64);
            let shape = if turned { [columns, rows] } else { [rows, columns] };
            let count = (rows * columns) as usize;
            let tensor = device.integers(DataType::Bf16, &shape, &values(count, salt));
            let tensor = if blocks { to_blocks(&device, &tensor) } else { tensor };
            if turned { tensor.transposed() } else { tensor }
        };
        let x = make(m, k, x_turned, 3, false);
        let w = make(k, n, w_turned, 5, in_blocks && k > 1 && n > 1);
        let out = device.empty(DataType::Bf16, &[n as i64, m as i64]).transposed();
        device.run(mm(&A2, x.clone(), w.clone(), out.clone(), 0));
        let (x, w) = (device.read_integers(&x), device.read_integers(&w));
        for (at, got) in device.read_floats(&out).into_iter().enumerate() {
            let exact = (0..k).map(|d| x[at / n * k + d] * w[d * n + at % n]).sum::<i64>();
            let expected = half::bf16::from_f64(exact as f64).to_f32();
            prop_assert_eq!(got, expected);
        }
    }
}
