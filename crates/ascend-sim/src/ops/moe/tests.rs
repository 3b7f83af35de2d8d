use super::*;
use crate::dtype::DataType::{Bf16, Bool, F16, F32, I32, I64};
use crate::ops::testing::{A2, Device};
use crate::ops::vectors::cases;

mod properties;
mod refusals;

const FAMILY: &str = "experts";

#[test]
fn gating_as_torch() {
    for case in cases(FAMILY, "gating_top_k_softmax_v2") {
        let device = Device::default();
        let (y, experts) = (case.output(&device, "y"), case.output(&device, "expert_idx"));
        let softmax = case.has_output("softmax").then(|| case.output(&device, "softmax"));
        device.run(gating_top_k_softmax_v2(
            &A2,
            case.input(&device, "x"),
            case.optional(&device, "finished"),
            case.int("k"),
            case.int("renorm"),
            true,
            y.clone(),
            experts.clone(),
            softmax.clone(),
        ));
        case.check(&device, "y", &y);
        case.check(&device, "expert_idx", &experts);
        if let Some(softmax) = softmax {
            case.check(&device, "softmax", &softmax);
        }
    }
    for case in cases(FAMILY, "gating_top_k_softmax") {
        let device = Device::default();
        let outs = ["y", "expert_idx", "row_idx"].map(|name| case.output(&device, name));
        let [y, experts, rows] = outs.clone();
        let x = case.input(&device, "x");
        device.run(gating_top_k_softmax(&A2, x, None, case.int("k"), y, experts, rows));
        for (name, out) in ["y", "expert_idx", "row_idx"].iter().zip(&outs) {
            case.check(&device, name, out);
        }
    }
}

#[test]
fn gating_by_groups_as_torch() {
    for case in cases(FAMILY, "gating_top_k") {
        let device = Device::default();
        let outs = ["y", "expert_idx", "out"].map(|name| case.output(&device, name));
        let [y, experts, out] = outs.clone();
        device.run(gating_top_k(
            &A2,
            case.input(&device, "x"),
            case.optional(&device, "bias"),
            case.int("k"),
            case.int("k_group"),
            case.int("group_count"),
            case.int("mode"),
            case.int("renorm"),
            case.int("norm_type"),
            true,
            case.float("factor"),
            case.float("eps"),
            y,
            experts,
            out,
        ));
        for (name, out) in ["y", "expert_idx", "out"].iter().zip(&outs) {
            case.check(&device, name, out);
        }
    }
}

#[test]
fn rows_by_expert_as_torch() {
    for case in cases(FAMILY, "init_routing") {
        let device = Device::default();
        let names = ["expanded_x", "expanded_row_idx", "expanded_expert_idx"];
        let outs = names.map(|name| case.output(&device, name));
        let [x, rows, experts] = outs.clone();
        device.run(init_routing(
            &A2,
            case.input(&device, "x"),
            case.input(&device, "row_idx"),
            case.input(&device, "expert_idx"),
            case.int("active_num"),
            x,
            rows,
            experts,
        ));
        for (name, out) in names.iter().zip(&outs) {
            case.check(&device, name, out);
        }
    }
    for case in cases(FAMILY, "init_routing_v2") {
        let device = Device::default();
        let (x, rows) =
            (case.output(&device, "expanded_x"), case.output(&device, "expanded_row_idx"));
        let dropping = case.int("mode") == 1;
        let counts = if dropping { "before_capacity" } else { "tokens" };
        let out = case.output(&device, counts);
        let (tokens, before) =
            if dropping { (None, Some(out.clone())) } else { (Some(out.clone()), None) };
        device.run(init_routing_v2(
            &A2,
            case.input(&device, "x"),
            case.input(&device, "expert_idx"),
            0,
            case.int("capacity"),
            case.int("experts"),
            case.int("mode"),
            case.int("flag"),
            true,
            x.clone(),
            rows.clone(),
            tokens,
            before,
        ));
        case.check(&device, "expanded_x", &x);
        case.check(&device, "expanded_row_idx", &rows);
        case.check(&device, counts, &out);
    }
}

#[test]
fn rows_of_some_experts_as_torch() {
    for case in cases(FAMILY, "init_routing_v3") {
        let device = Device::default();
        let names = ["expanded_x", "expanded_row_idx", "tokens"];
        let outs = names.map(|name| case.output(&device, name));
        let [x, rows, tokens] = outs.clone();
        device.run(init_routing_v3(
            &A2,
            case.input(&device, "x"),
            case.input(&device, "expert_idx"),
            None,
            None,
            0,
            0,
            case.int("experts"),
            0,
            case.int("kind"),
            true,
            -1,
            Some(case.ints("range")),
            case.int("scatter"),
            x,
            rows,
            tokens,
            device.empty(F32, &[1]),
        ));
        for (name, out) in names.iter().zip(&outs) {
            case.check(&device, name, out);
        }
    }
}

#[test]
fn sums_as_torch() {
    for case in cases(FAMILY, "finalize_routing") {
        let device = Device::default();
        let out = case.output(&device, "out");
        let input = |name| case.input(&device, name);
        device.run(finalize_routing(
            &A2,
            input("expanded_x"),
            input("x1"),
            Some(input("x2")),
            input("bias"),
            input("scales"),
            input("expanded_row_idx"),
            input("expert_idx"),
            out.clone(),
        ));
        case.check(&device, "out", &out);
    }
    for case in cases(FAMILY, "finalize_routing_v2") {
        let device = Device::default();
        let out = case.output(&device, "out");
        let input = |name| case.input(&device, name);
        device.run(finalize_routing_v2(
            &A2,
            input("expanded_x"),
            input("expanded_row_idx"),
            Some(input("x1")),
            None,
            Some(input("bias")),
            Some(input("scales")),
            Some(input("expert_idx")),
            case.int("mode"),
            out.clone(),
        ));
        case.check(&device, "out", &out);
    }
    for case in cases(FAMILY, "finalize_routing_v3") {
        let device = Device::default();
        let out = case.output(&device, "out");
        let input = |name| Some(case.input(&device, name));
        device.run(finalize_routing_v3(
            &A2,
            case.input(&device, "expanded_x"),
            case.input(&device, "expanded_row_idx"),
            None,
            None,
            None,
            input("scales"),
            input("expert_idx"),
            input("x"),
            input("a1"),
            input("a2"),
            input("v"),
            2,
            Some(case.ints("zero")),
            Some(case.ints("copy")),
            Some(case.ints("constant")),
            out.clone(),
        ));
        case.check(&device, "out", &out);
    }
}

#[test]
fn permutations_as_torch() {
    for case in cases(FAMILY, "token_permute") {
        let device = Device::default();
        let (out, back) =
            (case.output(&device, "permuted"), case.output(&device, "sorted_indices"));
        let (tokens, indices) = (case.input(&device, "tokens"), case.input(&device, "indices"));
        let kept = case.int("kept");
        device.run(token_permute(&A2, tokens, indices, kept, false, out.clone(), back.clone()));
        case.check(&device, "permuted", &out);
        case.check(&device, "sorted_indices", &back);
    }
    for case in cases(FAMILY, "token_unpermute") {
        let device = Device::default();
        let out = case.output(&device, "out");
        let [rows, indices, probs] =
            ["permuted", "sorted_indices", "probs"].map(|name| case.input(&device, name));
        let probs = Some(probs);
        device.run(token_unpermute(&A2, rows, indices, probs, false, None, out.clone()));
        case.check(&device, "out", &out);
    }
}

#[test]
fn equals_go_to_the_lowest_expert_and_nan_before_all() {
    let device = Device::default();
    let x = device.floats(F16, &[2, 4], &[1.0, 3.0, 3.0, 3.0, 0.0, f32::NAN, 9.0, 0.0]);
    let (y, experts) = (device.empty(F16, &[2, 2]), device.empty(I32, &[2, 2]));
    device.run(gating_top_k_softmax_v2(&A2, x, None, 2, 1, false, y, experts.clone(), None));
    assert_eq!(device.read_integers(&experts), [1, 2, 1, 2]);
}

/// Indices of one order read in the other add up wrong rows, without an error.
#[test]
fn drop_pad_mode_is_the_order_of_indices() {
    let device = Device::default();
    let expanded = device.floats(F32, &[4, 1], &[1.0, 2.0, 3.0, 4.0]);
    let places = device.integers(I32, &[4], &[0, 1, 2, 3]);
    let scales = device.floats(F32, &[2, 2], &[1.0, 10.0, 100.0, 1000.0]);
    let mut sums = Vec::new();
    for mode in [0, 2] {
        let out = device.empty(F32, &[2, 1]);
        device.run(finalize_routing_v2(
            &A2,
            expanded.clone(),
            places.clone(),
            None,
            None,
            None,
            Some(scales.clone()),
            None,
            mode,
            out.clone(),
        ));
        sums.push(device.read_floats(&out));
    }
    assert_eq!(sums[0], [1.0 + 30.0, 200.0 + 4000.0], "column by column");
    assert_eq!(sums[1], [1.0 + 20.0, 300.0 + 4000.0], "row by row");
}

#[test]
fn cumulative_counts_of_sorted_experts() {
    let device = Device::default();
    let sorted = device.integers(I32, &[5], &[0, 2, 2, 3, 3]);
    let out = device.empty(I32, &[5]);
    device.run(compute_expert_tokens(&A2, sorted, 5, out.clone()));
    assert_eq!(device.read_integers(&out), [1, 1, 3, 5, 5]);
}

#[test]
fn finished_rows_and_masks_have_types() {
    let device = Device::default();
    let x = device.floats(Bf16, &[1, 3], &[1.0, 2.0, 3.0]);
    let finished = device.integers(Bool, &[1], &[1]);
    let (y, experts) = (device.empty(Bf16, &[1, 1]), device.empty(I32, &[1, 1]));
    let counts = device.empty(I64, &[3]);
    device.run(gating_top_k_softmax_v2(
        &A2,
        x,
        Some(finished),
        1,
        0,
        false,
        y,
        experts.clone(),
        None,
    ));
    assert_eq!(device.read_integers(&experts), [3], "the expert that does not exist");
    assert_eq!(device.read_integers(&counts), [-1; 3], "untouched memory is poisoned");
}
