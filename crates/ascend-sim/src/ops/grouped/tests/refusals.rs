//! What is refused, and what faults.

use super::*;
use crate::kernel::{INVALID_PARAMETER, NO_KERNEL, NULL_POINTER};
use crate::ops::testing::refused;

/// Six rows of 64 by four experts of 64 columns, changed.
fn v5(
    x: DataType,
    weight: DataType,
    change: impl FnOnce(&Device, &mut Call),
) -> Result<Kernel, Reject> {
    v5_on(&A2, x, weight, change)
}

fn v5_on(
    site: &Site,
    x: DataType,
    weight: DataType,
    change: impl FnOnce(&Device, &mut Call),
) -> Result<Kernel, Reject> {
    let device = Device::default();
    let (x, weight) = (device.empty(x, &[6, 64]), device.empty(weight, &[4, 64, 64]));
    let groups = device.empty(I64, &[4]);
    let y = device.empty(x.dtype, &[6, 64]);
    let mut call = Call::new(x, weight, groups, y);
    change(&device, &mut call);
    call.v5(site)
}

fn one(device: &Device, dtype: DataType, shape: &[i64]) -> List {
    vec![device.empty(dtype, shape)]
}

/// What a change breaks, and what the refusal names.
type Wrong = (fn(&Device, &mut Call), &'static [&'static str]);

#[test]
fn a_bias_beside_bf16_is_f32() {
    assert!(v5(Bf16, Bf16, |d, c| c.bias = Some(one(d, F32, &[4, 64]))).is_ok());
    refused(
        v5(Bf16, Bf16, |d, c| c.bias = Some(one(d, Bf16, &[4, 64]))),
        INVALID_PARAMETER,
        &["biasOptional is Bf16", "F32"],
    );
    assert!(v5_on(&ON_950, Bf16, Bf16, |d, c| c.bias = Some(one(d, Bf16, &[4, 64]))).is_ok());
    assert!(v5(F16, F16, |d, c| c.bias = Some(one(d, F16, &[4, 64]))).is_ok());
    refused(
        v5(F16, F16, |d, c| c.bias = Some(one(d, F32, &[4, 64]))),
        INVALID_PARAMETER,
        &["biasOptional is F32"],
    );
    refused(
        v5(F16, F16, |d, c| c.bias = Some(one(d, F16, &[64]))),
        INVALID_PARAMETER,
        &["biasOptional", "[4, 64]"],
    );
}

#[test]
fn counts_are_int64_on_the_device() {
    refused(
        v5(F16, F16, |d, c| c.groups = Some(d.empty(I32, &[4]))),
        INVALID_PARAMETER,
        &["groupListOptional is I32", "I64"],
    );
    refused(v5(F16, F16, |d, c| c.groups = Some(d.empty(I64, &[3]))), INVALID_PARAMETER, &["[4]"]);
    refused(v5(F16, F16, |_, c| c.list_type = 2), INVALID_PARAMETER, &["[4, 2]"]);
    refused(v5(F16, F16, |_, c| c.list_type = 3), INVALID_PARAMETER, &["groupListType is 3"]);
    refused(
        v5(F16, F16, |_, c| c.groups = None),
        INVALID_PARAMETER,
        &["groupListOptional is null"],
    );
    let pairs = v5_on(&ON_950, F16, F16, |_, c| c.list_type = 2);
    refused(pairs, INVALID_PARAMETER, &["groupListType is 2", "950"]);
}

#[test]
fn integer_weights_need_scales_and_int8_an_offset() {
    refused(v5(Bf16, I8, |_, _| {}), NULL_POINTER, &["antiquantScaleOptional is null"]);
    refused(
        v5(Bf16, I8, |d, c| c.antiquant_scale = Some(one(d, Bf16, &[4, 64]))),
        NULL_POINTER,
        &["antiquantOffsetOptional is null", "zeros"],
    );
    let both = |d: &Device, c: &mut Call, scale: DataType| {
        c.antiquant_scale = Some(one(d, scale, &[4, 64]));
        c.antiquant_offset = Some(one(d, Bf16, &[4, 64]));
    };
    assert!(v5(Bf16, I8, |d, c| both(d, c, Bf16)).is_ok());
    refused(
        v5(Bf16, I8, |d, c| both(d, c, F32)),
        INVALID_PARAMETER,
        &["antiquantScaleOptional is F32"],
    );
    let int4 = |scale: &'static [i64], offset: bool| {
        v5(Bf16, I4, |d, c| {
            c.antiquant_scale = Some(one(d, Bf16, scale));
            c.antiquant_offset = if offset { Some(one(d, Bf16, &[4, 64])) } else { None };
        })
    };
    assert!(int4(&[4, 64], false).is_ok());
    assert!(int4(&[4, 64], true).is_ok());
    assert!(int4(&[4, 2, 64], false).is_ok());
    refused(int4(&[4, 2, 64], true), INVALID_PARAMETER, &["antiquantOffsetOptional is given"]);
    refused(int4(&[4, 3, 64], false), INVALID_PARAMETER, &["divides 64"]);
    refused(
        v5(F16, F16, |d, c| c.antiquant_scale = Some(one(d, F16, &[4, 64]))),
        INVALID_PARAMETER,
        &["antiquantScaleOptional is given"],
    );
}

#[test]
fn small_floats_are_for_the_950_in_blocks() {
    for dtype in [F4E2M1, DataType::F8E4M3] {
        refused(v5(Bf16, dtype, |_, _| {}), INVALID_PARAMETER, &["FP8 or FP4"]);
    }
    refused(v5_on(&ON_950, Bf16, F4E2M1, |_, _| {}), INVALID_PARAMETER, &["F4E2M1", "in blocks"]);
    let device = Device::default();
    let mx = |site: &Site, width: i64, group: i64, scale: DataType| {
        let (x, weight) = (device.empty(Bf16, &[6, 64]), device.empty(F4E2M1, &[4, 64, width]));
        let mut call =
            Call::new(x, weight, device.empty(I64, &[4]), device.empty(Bf16, &[6, width]));
        call.antiquant_scale = Some(vec![device.empty(scale, &[4, 2, width])]);
        call.quant_group = group;
        call.nz(site)
    };
    assert!(mx(&ON_950, 128, 32, E8M0).is_ok());
    refused(mx(&A2, 128, 32, E8M0), INVALID_PARAMETER, &["before the 950"]);
    refused(mx(&ON_950, 96, 32, E8M0), INVALID_PARAMETER, &["multiples of 64"]);
    refused(mx(&ON_950, 128, 0, E8M0), INVALID_PARAMETER, &["quantGroupSize is 0"]);
    refused(mx(&ON_950, 128, 32, Bf16), INVALID_PARAMETER, &["antiquantScaleOptional is Bf16"]);
}

#[test]
fn what_is_not_simulated_says_so() {
    for (x, weight) in [(I8, I4), (I4, I4)] {
        refused(v5(x, weight, |_, _| {}), NO_KERNEL, &["not simulated"]);
    }
    refused(v5(F16, F16, |_, c| c.group_type = 2), NO_KERNEL, &["groupType is 2", "not simulated"]);
    refused(v5(I8, I8, |_, _| {}), NO_KERNEL, &["out is I8"]);
    let device = Device::default();
    let (x, weight) = (device.empty(Bf16, &[6, 64]), device.empty(I8, &[4, 64, 64]));
    let call = Call::new(x, weight, device.empty(I64, &[4]), device.empty(Bf16, &[6, 64]));
    refused(call.nz(&A2), NO_KERNEL, &["not simulated"]);
}

#[test]
fn shapes_and_attributes_have_limits() {
    let wrong: [Wrong; 9] = [
        (|_, c| c.group_type = 1, &["groupType is 1"]),
        (|_, c| c.split_item = 4, &["splitItem is 4"]),
        (|_, c| c.split_item = 0, &["out is a list of 1"]),
        (|_, c| c.group_type = -1, &["splitItem is 2"]),
        (|_, c| c.act_type = 1, &["actType is 1"]),
        (|d, c| c.y[0] = d.empty(F16, &[6, 63]), &["out is of shape [6, 63]", "[6, 64]"]),
        (|d, c| c.x[0] = d.empty(F16, &[6, 32]), &["weight", "[experts, 32, columns]"]),
        (|d, c| c.x.push(d.empty(F16, &[6, 64])), &["x is a list of 2"]),
        (|d, c| c.y[0] = d.empty(F32, &[6, 64]), &["out is F32"]),
    ];
    for (change, names) in wrong {
        refused(v5(F16, F16, change), INVALID_PARAMETER, names);
    }
    let device = Device::default();
    let mut wide = device.empty(F16, &[1, 1, 2]);
    (wide.shape[2], wide.storage[2], wide.strides) = (65_536, 65_536, vec![65_536, 65_536, 1]);
    let mut y = device.empty(F16, &[6, 1]);
    (y.shape[1], y.storage[1], y.strides[0]) = (65_536, 65_536, 65_536);
    let call = Call::new(device.empty(F16, &[6, 1]), wide, device.empty(I64, &[1]), y);
    refused(call.v5(&A2), INVALID_PARAMETER, &["an inner dimension of 1 to 65535"]);
}

#[test]
fn the_first_version_takes_lists_and_host_counts() {
    let device = Device::default();
    let run = |counts: &[i64], weights: i64| {
        let x = vec![device.empty(F16, &[6, 8])];
        let weights = (0..weights).map(|_| device.empty(F16, &[8, 4])).collect();
        let y = vec![device.empty(F16, &[6, 4])];
        grouped_matmul(&A2, x, weights, None, None, None, None, None, Some(counts.to_vec()), 2, y)
    };
    assert!(run(&[2, 6], 2).is_ok());
    refused(run(&[2, 7], 2), INVALID_PARAMETER, &["groupListOptional is [2, 7]", "at most 6"]);
    refused(run(&[3, 2], 2), INVALID_PARAMETER, &["groupListOptional is [3, 2]"]);
    refused(run(&[6], 1), INVALID_PARAMETER, &["of one number"]);
    let (x, w) = (vec![device.empty(F32, &[6, 8])], vec![device.empty(F32, &[8, 4]); 2]);
    let y = vec![device.empty(F32, &[6, 4])];
    let old = grouped_matmul(&A2, x, w, None, None, None, None, None, Some(vec![2, 6]), 2, y);
    refused(old, INVALID_PARAMETER, &["weight is F32"]);
}

#[test]
fn counts_beyond_the_rows_are_faults() {
    let device = Device::default();
    let (x, w) = (device.empty(F16, &[4, 2]), device.empty(F16, &[2, 2, 2]));
    for (list_type, counts) in [(1, [3, 2]), (1, [-1, 2]), (0, [3, 2]), (0, [1, 5])] {
        let groups = device.integers(I64, &[2], &counts);
        let mut call = Call::new(x.clone(), w.clone(), groups, device.empty(F16, &[4, 2]));
        call.list_type = list_type;
        let fault = device.try_run(call.v5(&A2)).unwrap_err();
        assert_eq!(fault.status, 507_015);
        assert!(fault.message.contains("groupList holds"), "{fault:?}");
    }
}
