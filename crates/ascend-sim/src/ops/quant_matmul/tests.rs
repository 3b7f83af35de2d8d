use super::*;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::cases;

#[test]
fn as_torch_computes() {
    for case in cases("quant", "quant_matmul") {
        let device = Device::default();
        let [x1, x2, scale] = ["x1", "x2", "scale"].map(|name| case.input(&device, name));
        let [tokens, offset, bias] =
            ["token_scale", "offset", "bias"].map(|name| case.optional(&device, name));
        let out = case.output(&device, "out");
        // The same matrix, stored by columns.
        let values = device.read_integers(&x2.transposed());
        let turned = device.integers(x2.dtype, &[x2.shape[1], x2.shape[0]], &values);
        for (x2, transpose) in [(x2, false), (turned.clone(), true), (turned.transposed(), false)] {
            let (a, b, s) = (x1.clone(), x2.clone(), scale.clone());
            let (t, o, c) = (tokens.clone(), offset.clone(), bias.clone());
            device.run(quant_matmul_v4(&A2, a, b, s, o, t, c, false, transpose, out.clone()));
            case.check(&device, "out", &out);
            access::poison(&device, &out).unwrap();
            let (a, s) = (x1.clone(), scale.clone());
            let (t, o, c) = (tokens.clone(), offset.clone(), bias.clone());
            device.run(quant_matmul_v5(
                &A2,
                a,
                x2,
                t,
                s,
                None,
                None,
                o,
                None,
                c,
                false,
                transpose,
                0,
                out.clone(),
            ));
            case.check(&device, "out", &out);
        }
    }
}

#[test]
fn a_batch_takes_one_matrix() {
    let device = Device::default();
    let x1 = device.integers(DataType::I8, &[2, 1, 2], &[1, 2, 3, 4]);
    let x2 = device.integers(DataType::I8, &[2, 2], &[1, -1, 10, 5]);
    let scale = device.floats(DataType::F32, &[1], &[1.0]);
    let out = device.empty(DataType::I32, &[2, 1, 2]);
    device.run(quant_matmul_v4(&A2, x1, x2, scale, None, None, None, false, false, out.clone()));
    assert_eq!(device.read_integers(&out), [21, 9, 43, 17]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let x1 = device.empty(DataType::I8, &[3, 8]);
    let x2 = device.empty(DataType::I8, &[8, 4]);
    let scale = device.empty(DataType::F32, &[4]);
    let packed = device.empty(DataType::U64, &[4]);
    let tokens = || Some(device.empty(DataType::F32, &[3]));
    let half = device.empty(DataType::F16, &[3, 4]);
    let brain = device.empty(DataType::Bf16, &[3, 4]);
    let run = |x1: &Tensor, x2: &Tensor, scale: &Tensor, offset, tokens, bias, out: &Tensor| {
        let (x1, x2, scale) = (x1.clone(), x2.clone(), scale.clone());
        quant_matmul_v4(&A2, x1, x2, scale, offset, tokens, bias, false, false, out.clone())
    };
    let plain =
        |scale: &Tensor, tokens, bias, out: &Tensor| run(&x1, &x2, scale, None, tokens, bias, out);
    refused(plain(&scale, None, None, &half), invalid, &["aclnnQuantMatmulV4", "scale", "U64"]);
    refused(plain(&packed, None, None, &brain), invalid, &["scale", "U64"]);
    refused(plain(&packed, tokens(), None, &half), invalid, &["scale", "[F32]"]);
    let whole = device.empty(DataType::I32, &[3, 4]);
    refused(plain(&scale, tokens(), None, &whole), invalid, &["out", "I32"]);
    let bias = Some(device.empty(DataType::F32, &[4]));
    refused(plain(&packed, None, bias, &half), invalid, &["bias", "[I32]"]);
    let bias = Some(device.empty(DataType::I32, &[3]));
    refused(plain(&packed, None, bias, &half), invalid, &["bias", "[4]"]);
    let two = Some(device.empty(DataType::F32, &[2]));
    refused(plain(&scale, two, None, &brain), invalid, &["pertokenScaleOptional", "[3]"]);
    let wide = Some(device.empty(DataType::Bf16, &[3]));
    refused(plain(&scale, wide, None, &brain), invalid, &["pertokenScaleOptional", "F32"]);
    let offset = Some(device.empty(DataType::F32, &[4]));
    refused(run(&x1, &x2, &packed, offset, None, None, &half), invalid, &["offset", "I8"]);
    refused(run(&x1, &x1, &packed, None, None, None, &half), invalid, &["x2", "8 rows"]);
    refused(run(&half, &x2, &packed, None, None, None, &half), invalid, &["x1", "F16"]);
    let nibbles = device.empty(DataType::I4, &[8, 4]);
    refused(run(&x1, &nibbles, &packed, None, None, None, &half), invalid, &["x2", "I4"]);
    let odd = device.empty(DataType::I4, &[3, 7]);
    refused(run(&odd, &nibbles, &packed, None, None, None, &half), invalid, &["x1", "even"]);
    refused(
        plain(&device.empty(DataType::U64, &[3]), None, None, &half),
        invalid,
        &["scale", "[4]"],
    );
    refused(plain(&packed, None, None, &device.empty(DataType::F16, &[4, 3])), invalid, &["out"]);
    let empty = device.empty(DataType::I8, &[0, 8]);
    refused(run(&empty, &x2, &packed, None, None, None, &half), invalid, &["x1", "empty"]);
    let deep = device.empty(DataType::I8, &[1, 65536]);
    let long = device.empty(DataType::I8, &[65536, 1]);
    let one = device.empty(DataType::F16, &[1, 1]);
    refused(run(&deep, &long, &packed, None, None, None, &one), invalid, &["65536 deep"]);

    let five = |y_scale, groups| {
        let (x1, x2, scale, out) = (x1.clone(), x2.clone(), packed.clone(), half.clone());
        let none = || None;
        quant_matmul_v5(
            &A2,
            x1,
            x2,
            None,
            scale,
            y_scale,
            none(),
            none(),
            none(),
            none(),
            false,
            false,
            groups,
            out,
        )
    };
    refused(five(Some(packed.clone()), 0), invalid, &["aclnnQuantMatmulV5", "yScale"]);
    refused(five(None, 256), invalid, &["groupSize is 256"]);
}
