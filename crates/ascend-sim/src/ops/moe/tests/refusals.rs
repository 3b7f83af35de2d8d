//! What is refused, and what faults.

use super::*;
use crate::kernel::{
    INNER_NULL, INVALID_PARAMETER, Kernel, NO_KERNEL, NO_TILING, NULL_POINTER, Reject,
};
use crate::ops::testing::refused;
use crate::profile::{Site, Soc};
use crate::tensor::Tensor;

const ON_950: Site = Site { soc: Soc::Ascend950, ..A2 };

fn gate(x: &[i64], k: i64, renorm: i64) -> Result<Kernel, Reject> {
    let device = Device::default();
    let mut shape = x.to_vec();
    *shape.last_mut().unwrap() = k.max(0);
    let (y, experts) = (device.empty(F16, &shape), device.empty(I32, &shape));
    gating_top_k_softmax_v2(&A2, device.empty(F16, x), None, k, renorm, false, y, experts, None)
}

#[test]
fn gating_has_limits() {
    assert!(gate(&[2, 8], 4, 1).is_ok());
    refused(gate(&[2, 8], 0, 1), NO_TILING, &["k is 0", "1 to 8"]);
    refused(gate(&[2, 8], 9, 1), NO_TILING, &["k is 9"]);
    refused(gate(&[2, 2000], 1025, 1), NO_TILING, &["1 to 1024"]);
    refused(gate(&[2, 8], 4, 2), NO_TILING, &["renorm is 2"]);
    refused(gate(&[8], 4, 1), NO_TILING, &["x is of 1 dimensions"]);
    let device = Device::default();
    let x = device.empty(F16, &[2, 8]);
    let (y, experts) = (device.empty(F16, &[2, 4]), device.empty(I64, &[2, 4]));
    let wrong =
        gating_top_k_softmax_v2(&A2, x.clone(), None, 4, 1, false, y.clone(), experts, None);
    refused(wrong, INVALID_PARAMETER, &["expertIdxOut is I64"]);
    let experts = device.empty(I32, &[2, 4]);
    let wrong =
        gating_top_k_softmax_v2(&A2, x.clone(), None, 4, 0, true, y.clone(), experts.clone(), None);
    refused(wrong, NULL_POINTER, &["softmaxResultOutOptional is null"]);
    // With renorm 1 there is no softmax over all, and the flag means nothing.
    let fine =
        gating_top_k_softmax_v2(&A2, x.clone(), None, 4, 1, true, y.clone(), experts.clone(), None);
    assert!(fine.is_ok());
    let finished = Some(device.empty(Bool, &[3]));
    let wrong = gating_top_k_softmax_v2(&A2, x, finished, 4, 1, false, y, experts, None);
    refused(wrong, NO_TILING, &["finishedOptional is of shape [3]", "[2]"]);
}

#[test]
fn groups_have_limits() {
    let run = |k, kept, count, mode, norm, site: &Site| {
        let device = Device::default();
        let x = device.empty(F32, &[2, 12]);
        let (y, experts) = (device.empty(F32, &[2, k]), device.empty(I32, &[2, k]));
        gating_top_k(
            site,
            x.clone(),
            None,
            k,
            kept,
            count,
            mode,
            0,
            norm,
            false,
            1.0,
            0.0,
            y,
            experts,
            x,
        )
    };
    assert!(run(4, 2, 4, 1, 1, &A2).is_ok());
    refused(run(7, 2, 4, 1, 1, &A2), NO_TILING, &["k is 7", "1 to 6"]);
    refused(run(4, 5, 4, 1, 1, &A2), NO_TILING, &["kGroup is 5"]);
    refused(run(4, 2, 5, 1, 1, &A2), NO_TILING, &["groupCount is 5"]);
    refused(run(4, 2, 12, 1, 1, &A2), NO_TILING, &["groups of 1"]);
    refused(run(4, 2, 4, 2, 1, &A2), NO_TILING, &["groupSelectMode is 2"]);
    refused(run(4, 2, 4, 1, 2, &A2), NO_TILING, &["normType is 2"]);
    assert!(run(4, 2, 4, 1, 2, &ON_950).is_ok());
}

/// `(rows, k) = (3, 2)`, four experts, width 4.
fn second(change: impl FnOnce(&mut [i64; 5], &mut Tensor, &Device)) -> Result<Kernel, Reject> {
    let device = Device::default();
    let mut numbers = [0, 0, 4, 0, 2];
    let mut expert_idx = device.integers(I32, &[3, 2], &[0, 1, 2, 3, 0, 1]);
    change(&mut numbers, &mut expert_idx, &device);
    let [active, capacity, experts, mode, flag] = numbers;
    init_routing_v2(
        &A2,
        device.empty(Bf16, &[3, 4]),
        expert_idx,
        active,
        capacity,
        experts,
        mode,
        flag,
        false,
        device.empty(Bf16, if mode == 1 { &[4, 2, 4] } else { &[6, 4] }),
        device.empty(I32, &[6]),
        Some(device.empty(I32, &[4])),
        None,
    )
}

#[test]
fn the_second_routing_answers_561103() {
    assert!(second(|_, _, _| {}).is_ok());
    refused(second(|n, _, _| n[0] = -1), INNER_NULL, &["activeNum is -1"]);
    refused(second(|n, _, _| n[2] = 0), INNER_NULL, &["expertNum is 0"]);
    refused(second(|n, _, _| n[3] = 1), INNER_NULL, &["expertCapacity is 0"]);
    refused(second(|n, _, _| n[4] = 3), INNER_NULL, &["expertTokensCountOrCumsumFlag is 3"]);
    refused(second(|n, _, _| n[0] = 5), INNER_NULL, &["expandedXOut", "[5, 4]"]);
    refused(second(|_, e, d| *e = d.empty(I64, &[3, 2])), INVALID_PARAMETER, &["expertIdx is I64"]);
    refused(second(|_, e, d| *e = d.empty(I32, &[6])), INNER_NULL, &["expertIdx is of shape [6]"]);
}

fn third(
    site: &Site,
    change: impl FnOnce(&mut [i64; 7], &mut Option<Vec<i64>>),
) -> Result<Kernel, Reject> {
    let device = Device::default();
    let mut numbers = [6, 0, 4, 0, 1, -1, 0];
    let mut range = None;
    change(&mut numbers, &mut range);
    let [active, capacity, experts, mode, kind, quant, row_type] = numbers;
    init_routing_v3(
        site,
        device.empty(F16, &[3, 4]),
        device.integers(I32, &[3, 2], &[0, 1, 2, 3, 0, 9]),
        None,
        None,
        active,
        capacity,
        experts,
        mode,
        kind,
        true,
        quant,
        range,
        row_type,
        device.empty(F16, if mode == 1 { &[4, 2, 4] } else { &[6, 4] }),
        device.empty(I32, &[6]),
        device.empty(I64, &[4]),
        device.empty(F32, &[6]),
    )
}

#[test]
fn the_third_routing_has_limits() {
    assert!(third(&A2, |_, _| {}).is_ok());
    refused(third(&A2, |n, _| n[5] = 1), NO_KERNEL, &["quantMode is 1", "not simulated"]);
    refused(third(&A2, |n, _| n[2] = 0), NO_TILING, &["expertNum is 0"]);
    refused(third(&A2, |n, _| n[4] = 3), NO_TILING, &["expertTokensNumType is 3"]);
    refused(third(&A2, |n, _| n[6] = 2), NO_TILING, &["rowIdxType is 2"]);
    refused(
        third(&A2, |_, r| *r = Some(vec![1, 5])),
        NO_TILING,
        &["activeExpertRangeOptional", "[0, 4)"],
    );
    refused(third(&A2, |n, _| (n[3], n[1], n[6]) = (1, 2, 1)), NO_TILING, &["rowIdxType is 1"]);
    refused(third(&A2, |n, _| (n[3], n[1]) = (1, 4)), NO_TILING, &["expertCapacity is 4"]);
    assert!(third(&A2, |n, _| n[0] = 0).is_ok(), "dropless");
    refused(third(&ON_950, |n, _| n[0] = 0), NO_TILING, &["activeNum is 0", "950"]);
    let fault = Device::default().try_run(third(&A2, |_, _| {}));
    assert!(fault.is_err(), "another device's memory");
}

#[test]
fn counts_have_the_type_of_their_version() {
    let device = Device::default();
    let out = |tokens| {
        let (x, experts) = (device.empty(F16, &[3, 4]), device.empty(I32, &[3, 2]));
        let (expanded, rows) = (device.empty(F16, &[6, 4]), device.empty(I32, &[6]));
        let scale = device.empty(F32, &[6]);
        init_routing_v3(
            &A2, x, experts, None, None, 0, 0, 4, 0, 1, true, -1, None, 0, expanded, rows, tokens,
            scale,
        )
    };
    refused(
        out(device.empty(I32, &[4])),
        INVALID_PARAMETER,
        &["expertTokensCountOrCumsumOut is I32"],
    );
    assert!(out(device.empty(I64, &[4])).is_ok());
}

#[test]
fn experts_that_do_not_exist_are_faults() {
    let device = Device::default();
    let x = device.floats(F32, &[1, 2], &[1.0, 2.0]);
    let expert_idx = device.integers(I32, &[1, 1], &[4]);
    let (expanded, rows) = (device.empty(F32, &[1, 2]), device.empty(I32, &[1]));
    let tokens = device.empty(I32, &[4]);
    let fault = device.try_run(init_routing_v2(
        &A2,
        x,
        expert_idx,
        0,
        0,
        4,
        0,
        2,
        false,
        expanded.clone(),
        rows,
        Some(tokens),
        None,
    ));
    let fault = fault.unwrap_err();
    assert_eq!(fault.status, 507_035);
    assert!(fault.message.contains("expertIdx has 4, expected 0 to 3"), "{fault:?}");
    let places = device.integers(I32, &[1], &[-1]);
    let out = device.empty(F32, &[1, 2]);
    let fault = device
        .try_run(finalize_routing_v2(&A2, expanded, places, None, None, None, None, None, 2, out));
    assert!(fault.unwrap_err().message.contains("expandedRowIdx has -1"));
}

fn finish(
    mode: i64,
    change: impl FnOnce(&Device, &mut [Option<Tensor>; 5]),
) -> Result<Kernel, Reject> {
    let device = Device::default();
    let mut optional = [
        Some(device.empty(Bf16, &[3, 4])),
        None,
        Some(device.empty(Bf16, &[8, 4])),
        Some(device.empty(Bf16, &[3, 2])),
        Some(device.empty(I32, &[3, 2])),
    ];
    change(&device, &mut optional);
    let [x1, x2, bias, scales, experts] = optional;
    let (expanded, places) = (device.empty(Bf16, &[6, 4]), device.empty(I32, &[6]));
    let out = device.empty(Bf16, &[3, 4]);
    finalize_routing_v2(&A2, expanded, places, x1, x2, bias, scales, experts, mode, out)
}

#[test]
fn sums_have_limits() {
    assert!(finish(2, |_, _| {}).is_ok());
    assert!(finish(2, |d, o| o[3] = Some(d.empty(F32, &[3, 2]))).is_ok(), "f32 scales beside bf16");
    refused(
        finish(2, |d, o| o[3] = Some(d.empty(F16, &[3, 2]))),
        INVALID_PARAMETER,
        &["scales is F16"],
    );
    refused(finish(4, |_, _| {}), INNER_NULL, &["dropPadMode is 4"]);
    refused(finish(1, |_, _| {}), INNER_NULL, &["expandedX", "[experts, capacity, 4]"]);
    refused(finish(2, |_, o| o[4] = None), NULL_POINTER, &["expertIdx is null"]);
    refused(finish(2, |_, o| (o[1], o[0]) = (o[0].take(), None)), INNER_NULL, &["x2 is given"]);
    refused(
        finish(2, |d, o| o[2] = Some(d.empty(Bf16, &[1, 4]))),
        INNER_NULL,
        &["at least 2 experts"],
    );
    refused(finish(2, |_, o| o[3] = None), INNER_NULL, &["expandedX is of shape [6, 4]", "[3, 4]"]);
    let device = Device::default();
    let [a, b, c] = [(); 3].map(|()| device.empty(F32, &[1, 1]));
    let places = device.empty(I32, &[1]);
    let experts = device.empty(I32, &[1, 1]);
    let old = finalize_routing(&ON_950, a.clone(), b, None, c, a.clone(), places, experts, a);
    refused(old, NO_KERNEL, &["Ascend950"]);
}

#[test]
fn kernels_between_devices_are_not_simulated() {
    let device = Device::default();
    let x = || device.empty(Bf16, &[1, 1]);
    let name = || Some("group".to_owned());
    let sent = dispatch_v2(
        &A2,
        x(),
        x(),
        None,
        None,
        None,
        name(),
        2,
        0,
        8,
        None,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        None,
        x(),
        None,
        x(),
        x(),
        x(),
        None,
        None,
    );
    refused(sent, NO_KERNEL, &["aclnnMoeDistributeDispatchV2", "not simulated"]);
    let back = combine_v2(
        &A2,
        x(),
        x(),
        x(),
        x(),
        x(),
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        name(),
        2,
        0,
        8,
        None,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        None,
        x(),
    );
    refused(back, NO_KERNEL, &["aclnnMoeDistributeCombineV2"]);
}
