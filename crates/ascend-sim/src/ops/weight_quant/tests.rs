use super::*;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::nz::{block_width, blocked_storage};
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::cases;
use crate::profile::Cann;

const N950: Site = Site { soc: Soc::Ascend950, cann: Cann::V8_5 };

fn in_nz(device: &Device, rows: &Tensor, width: i64) -> Tensor {
    let memory = device.empty(rows.dtype, &blocked_storage(&rows.shape, width));
    let blocks = Tensor {
        shape: rows.shape.clone(),
        strides: rows.strides.clone(),
        format: FRACTAL_NZ,
        ..memory
    };
    let elements = access::elements(device, rows).unwrap();
    access::write_elements(device, &blocks, &elements).unwrap();
    blocks
}

#[test]
fn as_torch_computes() {
    for case in cases("quant", "weight_quant") {
        let device = Device::default();
        let [x, stored, scale] = ["x", "weight", "scale"].map(|name| case.input(&device, name));
        let [offset, bias] = ["offset", "bias"].map(|name| case.optional(&device, name));
        let group = case.int("group_size") as i32;
        let turn = |tensor: Tensor| {
            if case.flag("transposed") { tensor.transposed() } else { tensor }
        };
        let y = case.output(&device, "y");
        let run = |site: &Site, version: i32, weight: Tensor| {
            let (x, scale) = (x.clone(), scale.clone());
            let (offset, bias, y) = (offset.clone(), bias.clone(), y.clone());
            access::poison(&device, &y).unwrap();
            device.run(match version {
                2 => weight_quant_batch_matmul_v2(
                    site, x, weight, scale, offset, None, None, bias, group, y,
                ),
                3 => weight_quant_batch_matmul_v3(
                    site, x, weight, scale, offset, None, None, bias, group, 1, y,
                ),
                _ => weight_quant_batch_matmul_nz(
                    site, x, weight, scale, offset, None, None, bias, group, y,
                ),
            });
        };
        for version in [2, 3] {
            run(&A2, version, turn(stored.clone()));
            case.check(&device, "y", &y);
        }
        // Eight nibbles are a word where a row has so many.
        if stored.dtype == DataType::I4 && stored.shape[1] % 8 == 0 {
            let words = Tensor {
                dtype: DataType::I32,
                shape: vec![stored.shape[0], stored.shape[1] / 8],
                strides: vec![stored.shape[1] / 8, 1],
                storage: vec![stored.shape[0], stored.shape[1] / 8],
                ..stored.clone()
            };
            run(&A2, 3, turn(words));
            case.check(&device, "y", &y);
        }
        let column = scale.shape.len() == 1 && scale.shape[0] > 1;
        if column && (stored.dtype == DataType::I8 || case.flag("transposed")) {
            run(&A2, 2, turn(in_nz(&device, &stored, block_width(stored.dtype))));
            case.check(&device, "y", &y);
        }
        if stored.dtype == DataType::I8 || !case.flag("transposed") {
            let width = if stored.dtype == DataType::I8 { 32 } else { 16 };
            run(&N950, 0, turn(in_nz(&device, &stored, width)));
            case.check(&device, "y", &y);
        }
    }
}

#[test]
fn powers_of_two_scale_e2m1_on_the_950() {
    let device = Device::default();
    let values = [0.5, -1.0, 1.5, 2.0, 3.0, -4.0, 6.0, 0.0];
    let weight = (0..64 * 4).map(|at| values[at % 7]).collect::<Vec<_>>();
    let weight = device.floats(DataType::F4E2M1, &[64, 4], &weight);
    let scale = device.floats(DataType::E8M0, &[2, 4], &[1.0, 2.0, 0.5, 4.0, 1.0, 1.0, 8.0, 0.25]);
    let x = device.floats(DataType::Bf16, &[1, 64], &[1.0; 64]);
    let y = device.empty(DataType::Bf16, &[1, 4]);
    let blocks = in_nz(&device, &weight, 16);
    let run = |site: &Site, group| {
        weight_quant_batch_matmul_nz(
            site,
            x.clone(),
            blocks.clone(),
            scale.clone(),
            None,
            None,
            None,
            None,
            group,
            y.clone(),
        )
    };
    device.run(run(&N950, 32));
    let (weight, scale) = (device.read_floats(&weight), device.read_floats(&scale));
    for (column, got) in device.read_floats(&y).into_iter().enumerate() {
        let sum = (0..64).map(|row| weight[row * 4 + column] * scale[row / 32 * 4 + column]);
        assert_eq!(got, half::bf16::from_f32(sum.sum::<f32>()).to_f32());
    }
    refused(run(&A2, 32), UNSUPPORTED_PRODUCT, &["aclnnWeightQuantBatchMatmulNz", "Ascend950"]);
    refused(run(&N950, 0), INVALID_PARAMETER, &["antiquantScale"]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let half = |shape: &[i64]| device.empty(DataType::F16, shape);
    let (x, y) = (half(&[2, 128]), half(&[2, 64]));
    let weight = device.empty(DataType::I8, &[128, 64]);
    let nibbles = device.empty(DataType::I4, &[128, 64]);
    let scale = half(&[64]);
    let run = |x: &Tensor, weight: &Tensor, scale: &Tensor, offset, bias, group, y: &Tensor| {
        let (x, weight, scale) = (x.clone(), weight.clone(), scale.clone());
        let y = y.clone();
        weight_quant_batch_matmul_v2(&A2, x, weight, scale, offset, None, None, bias, group, y)
    };
    let plain =
        |weight: &Tensor, scale: &Tensor, group| run(&x, weight, scale, None, None, group, &y);
    let wide = device.empty(DataType::F32, &[2, 128]);
    refused(run(&wide, &weight, &scale, None, None, 0, &y), invalid, &["x", "F32"]);
    refused(plain(&half(&[128, 64]), &scale, 0), invalid, &["weight", "F16"]);
    refused(plain(&device.empty(DataType::I8, &[64, 64]), &scale, 0), invalid, &["weight", "128"]);
    refused(plain(&device.empty(DataType::F4E2M1, &[128, 64]), &scale, 0), invalid, &["weight"]);
    refused(plain(&weight, &half(&[63]), 0), invalid, &["antiquantScale", "[64]"]);
    refused(plain(&weight, &device.empty(DataType::Bf16, &[64]), 0), invalid, &["antiquantScale"]);
    refused(plain(&weight, &device.empty(DataType::U64, &[64]), 0), invalid, &["antiquantScale"]);
    for group in [16, 48, 128, -32] {
        refused(plain(&weight, &half(&[4, 64]), group), invalid, &["antiquantGroupSize", "127"]);
    }
    refused(plain(&weight, &half(&[3, 64]), 32), invalid, &["antiquantScale", "[4, 64]"]);
    let offset = Some(half(&[1]));
    refused(run(&x, &weight, &scale, offset, None, 0, &y), invalid, &["antiquantOffsetOptional"]);
    let bias = Some(half(&[63]));
    refused(run(&x, &weight, &scale, None, bias, 0, &y), invalid, &["biasOptional", "[64]"]);
    let bias = Some(device.empty(DataType::F32, &[64]));
    refused(run(&x, &weight, &scale, None, bias, 0, &y), invalid, &["biasOptional", "F32"]);
    let brain = device.empty(DataType::Bf16, &[2, 128]);
    let (brain_scale, brain_y) =
        (device.empty(DataType::Bf16, &[64]), device.empty(DataType::Bf16, &[2, 64]));
    let bias = Some(device.empty(DataType::Bf16, &[64]));
    let refusal = run(&brain, &weight, &brain_scale, None, bias, 0, &brain_y);
    refused(refusal, invalid, &["biasOptional", "F32"]);
    refused(run(&x, &weight, &scale, None, None, 0, &x), invalid, &["y", "[2, 64]"]);
    let odd = device.empty(DataType::I4, &[128, 63]);
    refused(plain(&odd, &half(&[63]), 0), invalid, &["weight", "even"]);
    let gaps = Tensor { strides: vec![65, 1], storage: vec![128, 65], ..weight.clone() };
    refused(plain(&gaps, &scale, 0), invalid, &["weight", "contiguous, or transposed"]);

    let blocks = in_nz(&device, &nibbles, 64);
    refused(plain(&blocks, &scale, 0), invalid, &["weight", "transposed"]);
    refused(plain(&blocks, &half(&[4, 64]), 32), invalid, &["antiquantGroupSize", "64 or 128"]);
    refused(plain(&blocks, &half(&[1]), 0), invalid, &["weight", "by columns"]);
    plain(&blocks, &half(&[2, 64]), 64).expect("groups of 64 in blocks");
    let eight = in_nz(&device, &weight, 32);
    refused(plain(&eight, &half(&[4, 64]), 32), invalid, &["weight", "I8 by columns"]);

    let quant = Some(device.empty(DataType::U64, &[64]));
    let (a, w, s) = (x.clone(), weight.clone(), scale.clone());
    let refusal = weight_quant_batch_matmul_v2(&A2, a, w, s, None, quant, None, None, 0, y.clone());
    refused(refusal, invalid, &["quantScaleOptional"]);
    let refusal =
        weight_quant_batch_matmul_v3(&A2, x, weight, scale, None, None, None, None, 0, 2, y);
    refused(refusal, invalid, &["aclnnWeightQuantBatchMatmulV3", "innerPrecise"]);
}
