use super::*;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused};
use crate::profile::Cann;

fn values(count: i64) -> Vec<i64> {
    (0..count).map(|at| at * 7 % 16 - 8).collect()
}

#[test]
fn sizes_are_those_of_the_documentation() {
    assert_eq!(matmul_weight_size(&[510, 510], DataType::F16), Some(262_144));
    assert_eq!(matmul_weight_size(&[510, 510], DataType::Bf16), Some(262_144));
    assert_eq!(matmul_weight_size(&[510, 270], DataType::I8), Some(147_456));
    assert_eq!(matmul_weight_size(&[3, 16, 16], DataType::F16), Some(768));
    assert_eq!(matmul_weight_size(&[510], DataType::F16), None);
    assert_eq!(matmul_weight_size(&[510, 510], DataType::F32), None);
    assert_eq!(matmul_weight_size(&[0, 510], DataType::F16), None);
    assert_eq!(matmul_weight_size(&[i64::MAX / 2, i64::MAX / 2], DataType::F16), None);
}

#[test]
fn blocks_take_the_place_of_rows() {
    let device = Device::default();
    for (dtype, shape) in [(DataType::Bf16, [18, 20]), (DataType::I8, [17, 40])] {
        let size = matmul_weight_size(&shape, dtype).unwrap();
        let memory = device.empty(dtype, &[size as i64]);
        let rows = Tensor {
            shape: shape.to_vec(),
            strides: vec![shape[1], 1],
            storage: shape.to_vec(),
            ..memory.clone()
        };
        let expected = values(shape[0] * shape[1]);
        access::write_integers(&device, &rows, &expected).unwrap();
        device.run(trans_matmul_weight(&A2, rows.clone()));
        assert_eq!(device.read_integers(&in_blocks(&rows)), expected);
        let all = device.read_integers(&memory);
        let written = expected.iter().filter(|&&value| value != 0).count();
        assert_eq!(all.iter().filter(|&&value| value != 0).count(), written, "padding is zero");
    }
}

#[test]
fn a_format_cast_goes_both_ways() {
    let device = Device::default();
    let shape = [2, 17, 18];
    let rows = device.integers(DataType::F16, &shape, &values(2 * 17 * 18));
    let storage = device.empty(DataType::F16, &blocked_storage(&shape, 16));
    let blocks = Tensor {
        shape: shape.to_vec(),
        strides: rows.strides.clone(),
        format: FRACTAL_NZ,
        ..storage
    };
    device.run(npu_format_cast(&A2, rows.clone(), blocks.clone()));
    assert_eq!(device.read_integers(&blocks), device.read_integers(&rows));
    let back = device.empty(DataType::F16, &shape);
    device.run(npu_format_cast(&A2, blocks, back.clone()));
    assert_eq!(device.read_integers(&back), device.read_integers(&rows));
}

#[test]
fn nibbles_are_packed() {
    let device = Device::default();
    let weight = device.integers(DataType::I32, &[20, 72], &values(20 * 72));
    let packed = device.empty(DataType::I4, &[20, 72]);
    device.run(convert_weight_to_int4_pack(&A2, weight.clone(), packed.clone()));
    assert_eq!(device.read_integers(&packed), values(20 * 72));
    // The even element is in the low half of a byte.
    let bytes = Tensor { dtype: DataType::U8, shape: vec![1], strides: vec![1], ..packed };
    assert_eq!(device.read_integers(&bytes), [(values(2)[1] & 15) << 4 | values(2)[0] & 15]);
    let eight = device.empty(DataType::I32, &[20, 9]);
    device.run(convert_weight_to_int4_pack(&A2, weight.clone(), eight.clone()));
    assert_eq!(device.read_integers(&eight.unpacked()), values(20 * 72));
    let n950 = Site { soc: Soc::Ascend950, cann: Cann::V8_5 };
    for (site, width) in [(A2, 64), (n950, 16)] {
        let storage = device.empty(DataType::I4, &blocked_storage(&[20, 72], width));
        let blocks =
            Tensor { shape: vec![20, 72], strides: vec![72, 1], format: FRACTAL_NZ, ..storage };
        device.run(convert_weight_to_int4_pack(&site, weight.clone(), blocks.clone()));
        assert_eq!(device.read_integers(&blocks), values(20 * 72));
        let mut storage = blocks.storage.clone();
        storage[3] /= 8;
        let words = Tensor {
            dtype: DataType::I32,
            shape: vec![20, 9],
            strides: vec![9, 1],
            storage,
            ..blocks.clone()
        };
        device.run(convert_weight_to_int4_pack(&site, weight.clone(), words));
        assert_eq!(device.read_integers(&blocks), values(20 * 72));
        let other = if width == 64 { n950 } else { A2 };
        let refusal = convert_weight_to_int4_pack(&other, weight.clone(), blocks);
        refused(refusal, INVALID_PARAMETER, &["weightInt4Pack", "nibbles wide"]);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let half = device.empty(DataType::F16, &[4, 6]);
    refused(trans_matmul_weight(&A2, half.transposed()), invalid, &["mmWeightRef", "contiguous"]);
    let wide = device.empty(DataType::F32, &[4, 6]);
    refused(trans_matmul_weight(&A2, wide.clone()), invalid, &["mmWeightRef", "F32"]);
    let empty = device.empty(DataType::F16, &[0, 6]);
    refused(trans_matmul_weight(&A2, empty), invalid, &["mmWeightRef", "empty"]);
    let vector = device.empty(DataType::F16, &[6]);
    refused(trans_matmul_weight(&A2, vector), invalid, &["mmWeightRef", "1 dimensions"]);
    refused(npu_format_cast(&A2, wide.clone(), wide), invalid, &["srcTensor", "F32"]);
    let other = device.empty(DataType::F16, &[6, 4]);
    refused(npu_format_cast(&A2, half.clone(), other), invalid, &["dstTensor", "[4, 6]"]);
    let brain = device.empty(DataType::Bf16, &[4, 6]);
    refused(npu_format_cast(&A2, half.clone(), brain), invalid, &["dstTensor", "Bf16"]);
    let tagged = Tensor { format: FRACTAL_NZ, ..half.clone() };
    refused(npu_format_cast(&A2, half.clone(), tagged), invalid, &["dstTensor", "storage"]);

    let pack = |weight: &Tensor, packed: &Tensor| {
        convert_weight_to_int4_pack(&A2, weight.clone(), packed.clone())
    };
    let weight = device.empty(DataType::I32, &[4, 6]);
    refused(pack(&half, &half), invalid, &["weight", "F16"]);
    refused(pack(&weight, &half), invalid, &["weightInt4Pack", "F16"]);
    let eight = device.empty(DataType::I32, &[4, 1]);
    refused(pack(&weight, &eight), invalid, &["weight", "multiple of 8"]);
    let odd = device.empty(DataType::I32, &[4, 5]);
    refused(pack(&odd, &device.empty(DataType::I4, &[4, 6])), invalid, &["multiple of 2"]);
    refused(pack(&weight, &device.empty(DataType::I4, &[6, 4])), invalid, &["[4, 6]"]);
    let turned = device.empty(DataType::I4, &[6, 4]).transposed();
    refused(pack(&weight, &turned), invalid, &["weightInt4Pack", "contiguous"]);
}
