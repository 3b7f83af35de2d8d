use half::bf16;
use moe_kernels::{Error, Rounding, Swiglu, reference};

use crate::made::numbers;

const GPT_OSS: Swiglu = Swiglu { alpha: 1.702, limit: 7.0 };

/// Pairs on both sides of every clamp, and where sigmoids are nearly 0 and 1.
fn pairs() -> Vec<f32> {
    let mut pairs: Vec<f32> = numbers(4000, 1).iter().map(|number| number * 15.0).collect();
    pairs.extend([7.0, 7.0, -7.0, -7.0, 0.0, 0.0, -0.0, 1.0, -60.0, 1.0, -1e30, 1.0, 1e30, 1e30]);
    pairs
}

fn run(pairs: &[f32], rounding: Rounding) -> Vec<f32> {
    let mut out = vec![f32::NAN; pairs.len() / 2];
    GPT_OSS.apply(pairs, rounding, &mut out).unwrap();
    out
}

#[test]
fn it_is_the_reference() {
    let pairs = pairs();
    let wide: Vec<f64> = pairs.iter().copied().map(f64::from).collect();
    let (alpha, limit) = (f64::from(GPT_OSS.alpha), f64::from(GPT_OSS.limit));
    let expected = reference::swiglu(&wide, reference::Swiglu { alpha, limit }).unwrap();
    for (i, (found, expected)) in run(&pairs, Rounding::None).iter().zip(expected).enumerate() {
        // The exponent has a rounding error of its own, which grows with it.
        let allowed = 5e-7 * expected.abs() * f64::from(pairs[2 * i]).abs().max(1.0) + 1e-37;
        let distance = (f64::from(*found) - expected).abs();
        assert!(distance <= allowed, "{:?}: {found}, not {expected}", &pairs[2 * i..2 * i + 2]);
    }
}

#[test]
fn nan_stays_nan() {
    let out = run(&[f32::NAN, 1.0, 1.0, f32::NAN, 1.0, 1.0], Rounding::None);
    assert!(out[0].is_nan() && out[1].is_nan() && !out[2].is_nan());
}

#[test]
fn bf16_rounds_every_step_and_f16_the_result() {
    let round = |value: f32| bf16::from_f32(value).to_f32();
    let pairs: Vec<f32> = pairs().into_iter().map(round).collect();
    let mut others = 0;
    for (pair, found) in pairs.chunks_exact(2).zip(run(&pairs, Rounding::Bf16)) {
        let (gate, up) = (pair[0].min(7.0), pair[1].clamp(-7.0, 7.0));
        let sigmoid = round((1.0 / (1.0 + (-f64::from(round(gate * 1.702))).exp())) as f32);
        let expected = round(round(up + 1.0) * round(gate * sigmoid));
        // The exponential may differ in its last place, and then a tie may be broken otherwise.
        let place = expected.abs() / 128.0 + 1e-40;
        assert!((found - expected).abs() <= place, "{pair:?}: {found}, not {expected}");
        others += usize::from(found != expected);
    }
    assert!(others <= 2, "{others} of {} differ", pairs.len() / 2);

    let exact = run(&pairs, Rounding::None);
    let expected: Vec<f32> = exact.iter().map(|value| Rounding::F16.round(*value)).collect();
    assert_eq!(run(&pairs, Rounding::F16), expected);
}

#[test]
fn halves_of_pairs_are_refused() {
    let error = GPT_OSS.apply(&[0.0; 3], Rounding::None, &mut [0.0; 2]).unwrap_err();
    assert_eq!(error, Error::Length { argument: "pairs of swiglu", expected: 4, found: 3 });
}
