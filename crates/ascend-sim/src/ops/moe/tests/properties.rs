//! Whole rounds against plain sums in f64.

use proptest::prelude::*;

use super::*;

/// Routes, answers `x` times the expert's number, and adds up again.
fn round(rows: usize, k: usize, experts: usize, chosen: &[i64], x: &[f32]) -> Vec<f32> {
    let device = Device::default();
    let width = x.len() / rows;
    let shape = |a: usize, b: usize| [a as i64, b as i64];
    let total = rows * k;
    let x = device.floats(F32, &shape(rows, width), x);
    let expert_idx = device.integers(I32, &shape(rows, k), chosen);
    let expanded = device.empty(F32, &shape(total, width));
    let (places, tokens) =
        (device.empty(I32, &[total as i64]), device.empty(I64, &[experts as i64]));
    device.run(init_routing_v3(
        &A2,
        x,
        expert_idx.clone(),
        None,
        None,
        0,
        0,
        experts as i64,
        0,
        1,
        true,
        -1,
        None,
        0,
        expanded.clone(),
        places.clone(),
        tokens.clone(),
        device.empty(F32, &[1]),
    ));
    let mut answers = device.read_floats(&expanded);
    let mut row = 0;
    for (expert, count) in device.read_integers(&tokens).into_iter().enumerate() {
        for _ in 0..count {
            let answer = &mut answers[row * width..][..width];
            for value in answer {
                *value *= expert as f32;
            }
            row += 1;
        }
    }
    assert_eq!(row, total, "counts of all experts");
    let answers = device.floats(F32, &shape(total, width), &answers);
    let scales = device.floats(F32, &shape(rows, k), &vec![0.5; total]);
    let out = device.empty(F32, &shape(rows, width));
    device.run(finalize_routing_v2(
        &A2,
        answers,
        places,
        None,
        None,
        None,
        Some(scales),
        Some(expert_idx),
        2,
        out.clone(),
    ));
    device.read_floats(&out)
}

proptest! {
    #[test]
    fn a_round_is_a_weighted_sum(
        (rows, k, experts, width) in (1usize..6, 1usize..4, 1usize..7, 1usize..9),
        seed in any::<u64>(),
    ) {
        let number = |at: usize| seed.wrapping_mul(at as u64 * 2 + 1).rotate_left(at as u32) >> 40;
        let chosen = (0..rows * k).map(|at| (number(at) % experts as u64) as i64).collect::<Vec<_>>();
        let x = (0..rows * width).map(|at| number(at + 99) as f32 / 4096.0 - 2048.0).collect::<Vec<_>>();
        let got = round(rows, k, experts, &chosen, &x);
        for row in 0..rows {
            let weight = chosen[row * k..][..k].iter().map(|&expert| 0.5 * expert as f64).sum::<f64>();
            for column in 0..width {
                let expected = weight * f64::from(x[row * width + column]);
                let error = (f64::from(got[row * width + column]) - expected).abs();
                prop_assert!(error <= expected.abs() * 1e-6, "{error} at [{row}, {column}]");
            }
        }
    }

    #[test]
    fn gating_is_softmax_in_either_order(
        (rows, experts) in (1usize..5, 1usize..40),
        seed in any::<u64>(),
    ) {
        let device = Device::default();
        let number = |at: usize| seed.wrapping_mul(at as u64 * 2 + 1).rotate_left(at as u32) >> 40;
        let logits = (0..rows * experts).map(|at| number(at) as f32 / 1e6 - 8.0).collect::<Vec<_>>();
        let k = experts.div_ceil(2);
        let x = device.floats(F32, &[rows as i64, experts as i64], &logits);
        for renorm in [0, 1] {
            let shape = [rows as i64, k as i64];
            let (y, chosen) = (device.empty(F32, &shape), device.empty(I32, &shape));
            device.run(gating_top_k_softmax_v2(
                &A2, x.clone(), None, k as i64, renorm, false, y.clone(), chosen.clone(), None,
            ));
            let (y, chosen) = (device.read_floats(&y), device.read_integers(&chosen));
            for (row, logits) in logits.chunks_exact(experts).enumerate() {
                let exp = |expert: usize| f64::from(logits[expert]).exp();
                let (y, chosen) = (&y[row * k..][..k], &chosen[row * k..][..k]);
                let all = (0..experts).map(exp).sum::<f64>();
                let kept = chosen.iter().map(|&expert| exp(expert as usize)).sum::<f64>();
                for (y, &expert) in y.iter().zip(chosen) {
                    let expected = exp(expert as usize) / if renorm == 0 { all } else { kept };
                    prop_assert!((f64::from(*y) - expected).abs() < 1e-5);
                }
                let least = chosen.iter().map(|&expert| logits[expert as usize]).fold(f32::MAX, f32::min);
                let better = logits.iter().filter(|&&logit| logit > least).count();
                prop_assert!(better < k, "the largest are chosen");
            }
        }
    }
}
