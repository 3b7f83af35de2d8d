//! What must hold for any numbers.

use super::{
    Choice, Expert, Swiglu, attend, cos_sin, linear, mixture, rms_norm, rotate, route, swiglu,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::cmp::Ordering;

const GPT_OSS: Swiglu = Swiglu { alpha: 1.702, limit: 7.0 };

fn close(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-9 * (1.0 + a.abs()))
}

fn numbers(len: usize) -> impl Strategy<Value = Vec<f64>> {
    vec(-10.0..10.0, len)
}

fn weights(len: usize) -> impl Strategy<Value = Vec<f32>> {
    vec(-2f32..2.0, len)
}

proptest! {
    #[test]
    fn linear_is_linear(a in numbers(5), b in numbers(5), s in -3.0..3.0, w in weights(15)) {
        let y = |x: &[f64]| linear(x, &w, None).unwrap();
        let mixed: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + s * b).collect();
        let apart: Vec<f64> = y(&a).iter().zip(y(&b)).map(|(a, b)| a + s * b).collect();
        prop_assert!(close(&y(&mixed), &apart));
    }

    #[test]
    fn a_norm_has_unit_mean_square_whatever_the_scale(x in numbers(8), scale in 0.01..100.0) {
        prop_assume!(x.iter().any(|x| x.abs() > 1e-3));
        let y = rms_norm(&x, &[1.0; 8], 0.0).unwrap();
        prop_assert!((y.iter().map(|y| y * y).sum::<f64>() - 8.0).abs() < 1e-9);
        let scaled: Vec<f64> = x.iter().map(|x| x * scale).collect();
        prop_assert!(close(&rms_norm(&scaled, &[1.0; 8], 0.0).unwrap(), &y));
    }

    #[test]
    fn a_score_depends_on_the_distance_only(
        q in numbers(6), k in numbers(6), from in 0usize..500, at in 0usize..500, by in 0usize..500,
    ) {
        // Frequencies whose product with a position has no rounding.
        let turned = |x: &[f64], position| {
            let (cos, sin) = cos_sin(&[1.0, 0.25, 0.007_812_5], 1.0, position);
            rotate(x, &cos, &sin).unwrap()
        };
        let score = |q_at, k_at| super::dot(&turned(&q, q_at), &turned(&k, k_at));
        prop_assert!((score(at, from) - score(at + by, from + by)).abs() < 1e-9);
    }

    #[test]
    fn concentration_lengthens_and_turns_nothing(x in numbers(6), position in 0usize..9000) {
        let turned = |m| {
            let (cos, sin) = cos_sin(&[1.0, 0.1, 0.01], m, position);
            rotate(&x, &cos, &sin).unwrap()
        };
        let twice: Vec<f64> = turned(1.0).iter().map(|y| 2.0 * y).collect();
        prop_assert!(close(&turned(2.0), &twice));
        let square = |x: &[f64]| super::dot(x, x);
        prop_assert!((square(&turned(1.0)) - square(&x)).abs() < 1e-9 * (1.0 + square(&x)));
    }

    #[test]
    fn a_window_is_attention_to_the_last_keys(
        q in numbers(8), keys in numbers(20), values in numbers(20), sinks in weights(4),
        window in 1usize..9,
    ) {
        // Four query heads, two key heads of two elements, five tokens.
        let o = |keys, values, window| attend(&q, keys, values, &sinks, 2, 0.5, window).unwrap();
        let first = 20 - 4 * window.min(5);
        let seen = o(&keys[first..], &values[first..], None);
        prop_assert_eq!(o(&keys, &values, Some(window)), seen);
    }

    #[test]
    fn an_attention_is_a_mean_of_values_and_the_sink_takes_its_share(
        q in numbers(2), keys in numbers(8), value in numbers(2), sink in -5f32..5.0,
    ) {
        let values = value.repeat(4);
        let o = |sinks| attend(&q, &keys, &values, &[sinks], 1, 0.3, None).unwrap();
        prop_assert!(close(&o(f32::NEG_INFINITY), &value));
        let total: f64 = keys.chunks(2).map(|key| (0.3 * super::dot(&q, key)).exp()).sum();
        let share = total / (total + f64::from(sink).exp());
        let expected: Vec<f64> = value.iter().map(|value| value * share).collect();
        prop_assert!(close(&o(sink), &expected));
    }

    #[test]
    fn routing_is_the_top_of_the_softmax_over_all(
        // Few values, so that many are equal.
        logits in vec((-4i8..4).prop_map(|x| f64::from(x) / 2.0), 1..12), k in 1usize..12,
    ) {
        let k = k.min(logits.len());
        let chosen = route(&logits, k).unwrap();
        let before = |a: usize, b: usize| match logits[a].total_cmp(&logits[b]) {
            Ordering::Equal => a < b,
            order => order.is_gt(),
        };
        for (rank, choice) in chosen.iter().enumerate() {
            let ahead = (0..logits.len()).filter(|&other| before(other, choice.expert)).count();
            prop_assert_eq!(ahead, rank);
        }
        let total: f64 = chosen.iter().map(|choice| logits[choice.expert].exp()).sum();
        for choice in &chosen {
            prop_assert!((choice.weight - logits[choice.expert].exp() / total).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_beyond_the_limit_does_not_count(gate in 7.0..1e3, up in 7.0..1e3, low in -7.0..7.0) {
        let h = |gate, up| swiglu(&[gate, up], GPT_OSS).unwrap();
        prop_assert_eq!(h(gate, low), h(7.0, low));
        prop_assert_eq!(h(low, up), h(low, 7.0));
        prop_assert_eq!(h(low, -up), h(low, -7.0));
        prop_assert!(h(-gate, low)[0].abs() < 8.0 * gate * (-1.702 * gate).exp() + 1e-12);
    }

    #[test]
    fn a_mixture_is_the_weighted_sum_of_its_experts(
        x in numbers(2), a in weights(18), b in weights(18), share in 0.0..1.0,
    ) {
        // Hidden 2, intermediate 2.
        let experts = [&a, &b].map(|w| Expert {
            gate_up: &w[..8], gate_up_bias: &w[8..12], down: &w[12..16], down_bias: &w[16..],
            swiglu: GPT_OSS,
        });
        let choices = [Choice { expert: 1, weight: share }, Choice { expert: 0, weight: 1.0 - share }];
        let apart: Vec<Vec<f64>> = experts.iter().map(|e| e.forward(&x).unwrap()).collect();
        let sum: Vec<f64> =
            apart[0].iter().zip(&apart[1]).map(|(a, b)| a * (1.0 - share) + b * share).collect();
        prop_assert!(close(&mixture(&x, &choices, &experts).unwrap(), &sum));
    }
}
