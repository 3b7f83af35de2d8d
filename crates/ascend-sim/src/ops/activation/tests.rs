use super::*;
use crate::kernel::INVALID_PARAMETER;
use crate::ops::testing::{A2, Device, refused};
use crate::ops::vectors::cases;

#[test]
fn swi_glu_as_torch_computes() {
    for case in cases("activation", "swi_glu") {
        let device = Device::default();
        let (x, out) = (case.input(&device, "x"), case.output(&device, "out"));
        device.run(swi_glu(&A2, x, case.int("dim"), out.clone()));
        case.check(&device, "out", &out);
    }
}

#[test]
fn clipped_as_torch_computes() {
    for case in cases("activation", "clipped_swiglu") {
        let device = Device::default();
        let (x, out) = (case.input(&device, "x"), case.output(&device, "out"));
        let groups = case.optional(&device, "group_index");
        let [alpha, limit, bias] = ["alpha", "limit", "bias"].map(|name| case.float(name));
        let (dim, interleaved) = (case.int("dim"), case.flag("interleaved"));
        let (a, g, y) = (x.clone(), groups.clone(), out.clone());
        device.run(clipped_swiglu(&A2, a, g, dim, alpha, limit, bias, interleaved, y));
        case.check(&device, "out", &out);
        access::poison(&device, &out).unwrap();
        let y = out.clone();
        device.run(clipped_swiglu_v2(&A2, x, groups, dim, alpha, limit, bias, interleaved, 0, y));
        case.check(&device, "out", &out);
    }
}

#[test]
fn rows_beyond_the_groups_are_poison() {
    let device = Device::default();
    let x = device.floats(DataType::Bf16, &[3, 4], &[1.0; 12]);
    let out = device.floats(DataType::Bf16, &[3, 2], &[5.0; 6]);
    for (counts, rows) in [([1, 1], 2), ([0, 0], 0), ([2, 9], 3), ([i64::MAX, 1], 0), ([-4, 1], 0)]
    {
        let groups = device.integers(DataType::I64, &[2], &counts);
        let (a, y) = (x.clone(), out.clone());
        device.run(clipped_swiglu(&A2, a, Some(groups), -1, 1.702, 7.0, 1.0, true, y));
        let written = device.read_floats(&out).iter().filter(|value| !value.is_nan()).count();
        assert_eq!(written, rows * 2, "{counts:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::default();
    let invalid = INVALID_PARAMETER;
    let x = device.empty(DataType::F16, &[3, 4]);
    let out = device.empty(DataType::F16, &[3, 2]);
    let glu = |x: &Tensor, dim, out: &Tensor| swi_glu(&A2, x.clone(), dim, out.clone());
    refused(glu(&x, 0, &out), invalid, &["aclnnSwiGlu", "x", "even extent in dim 0"]);
    refused(glu(&x, 2, &out), invalid, &["dim", "[-2, 1]"]);
    refused(glu(&x, 1, &x), invalid, &["out", "[3, 2]"]);
    refused(glu(&x, 1, &device.empty(DataType::F32, &[3, 2])), invalid, &["out", "F32"]);
    let whole = device.empty(DataType::I32, &[3, 4]);
    refused(glu(&whole, 1, &out), invalid, &["x", "I32"]);

    let clip = |groups: Option<Tensor>, limit, mode| {
        let (x, out) = (x.clone(), out.clone());
        clipped_swiglu_v2(&A2, x, groups, 1, 1.702, limit, 1.0, true, mode, out)
    };
    refused(clip(None, -1.0, 0), invalid, &["aclnnClippedSwigluV2", "limit"]);
    refused(clip(None, 7.0, 1), invalid, &["clampMode is 1"]);
    let groups = device.empty(DataType::I32, &[2]);
    refused(clip(Some(groups), 7.0, 0), invalid, &["groupIndex", "I32"]);
    let groups = device.empty(DataType::I64, &[8193]);
    refused(clip(Some(groups), 7.0, 0), invalid, &["groupIndex", "8193", "8192"]);
    let groups = device.empty(DataType::I64, &[2, 2]);
    refused(clip(Some(groups), 7.0, 0), invalid, &["groupIndex", "2 dimensions"]);
}
