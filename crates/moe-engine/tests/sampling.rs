//! The sampler against a plain version of its own definition, and against exact probabilities.

use std::collections::BTreeMap;

use moe_engine::sampling::{Rng, Sampler, SamplingError, SamplingParams};
use proptest::prelude::*;

/// The chain as its table says, with full sorts: what is left, and its probabilities, by id.
fn distribution(logits: &[f32], params: &SamplingParams) -> Vec<(u32, f64)> {
    let size = params.vocabulary.unwrap_or(logits.len()).min(logits.len());
    let mut logits = logits[..size].to_vec();
    for (id, bias) in &params.logit_bias {
        logits[*id as usize] += bias;
    }
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |logit: f32| {
        ((f64::from(logit) - f64::from(greatest)) / f64::from(params.temperature)).exp()
    };
    let mut left: Vec<(u32, f32)> =
        (0..).zip(logits).filter(|(_, l)| *l > f32::NEG_INFINITY).collect();
    left.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap().then(a.0.cmp(&b.0)));
    left.truncate(params.top_k.unwrap_or(usize::MAX));
    if params.top_p < 1.0 {
        let mut by_id = left.clone();
        by_id.sort_by_key(|(id, _)| *id);
        let total: f64 = by_id.iter().map(|(_, logit)| weight(*logit)).sum();
        let mut sum = 0.0;
        let mut kept = 0;
        for (_, logit) in &left {
            kept += 1;
            sum += weight(*logit);
            if sum >= total * f64::from(params.top_p) {
                break;
            }
        }
        left.truncate(kept);
    }
    left.retain(|(_, logit)| weight(*logit) >= f64::from(params.min_p));
    left.sort_by_key(|(id, _)| *id);
    let total: f64 = left.iter().map(|(_, logit)| weight(*logit)).sum();
    left.into_iter().map(|(id, logit)| (id, weight(logit) / total)).collect()
}

/// Draws often and compares the counts with the expectation by Pearson's statistic.
fn assert_distributed(logits: &[f32], params: &SamplingParams, seed: u64) {
    const DRAWS: u32 = 40_000;
    let exact = distribution(logits, params);
    let mut sampler = Sampler::new(params.clone(), seed).unwrap();
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    for _ in 0..DRAWS {
        *counts.entry(sampler.sample(logits).unwrap().id).or_default() += 1;
    }
    let mut statistic = 0.0;
    let mut cells = 0;
    for (id, probability) in &exact {
        let expected = probability * f64::from(DRAWS);
        let count = f64::from(counts.remove(id).unwrap_or(0));
        if expected >= 5.0 {
            statistic += (count - expected).powi(2) / expected;
            cells += 1;
        }
    }
    assert!(counts.is_empty(), "drawn but excluded: {counts:?}");
    // Five standard deviations above the mean of a chi-squared variable (mean n, variance 2n).
    let freedom = f64::from((cells - 1).max(1));
    let bound = freedom + 5.0 * (2.0 * freedom).sqrt();
    assert!(statistic < bound, "{statistic} of {bound} for {params:?}");
}

const LOGITS: [f32; 10] = [1.5, -2.0, 3.0, 3.0, 0.0, f32::NEG_INFINITY, 2.5, -1.0, 1.5, 2.0];

#[test]
fn draws_have_the_exact_distribution() {
    let plain = SamplingParams::default();
    for (seed, params) in (1..).zip([
        plain.clone(),
        SamplingParams { temperature: 0.5, ..plain.clone() },
        SamplingParams { temperature: 3.0, ..plain.clone() },
        SamplingParams { top_k: Some(3), ..plain.clone() },
        SamplingParams { top_p: 0.7, ..plain.clone() },
        SamplingParams { min_p: 0.3, ..plain.clone() },
        SamplingParams { vocabulary: Some(3), ..plain.clone() },
        SamplingParams { logit_bias: BTreeMap::from([(2, -9.0), (1, 5.0)]), ..plain.clone() },
        SamplingParams {
            top_k: Some(6),
            top_p: 0.9,
            min_p: 0.1,
            temperature: 1.4,
            ..plain.clone()
        },
    ]) {
        assert_distributed(&LOGITS, &params, seed);
    }
}

#[test]
fn penalties_change_the_distribution_as_their_formula_says() {
    let params = SamplingParams {
        repetition_penalty: 1.5,
        frequency_penalty: 0.5,
        presence_penalty: 0.25,
        ..SamplingParams::default()
    };
    let mut sampler = Sampler::new(params, 3).unwrap();
    sampler.accept_prompt(&[2, 1]);
    sampler.accept(6);
    sampler.accept(6);
    let mut logits = LOGITS;
    logits[2] = 2.0;
    logits[1] = -3.0;
    logits[6] = 2.5 / 1.5 - 1.25;
    let exact = distribution(&logits, &SamplingParams::default());
    let mut counts = [0_u32; 10];
    for _ in 0..20_000 {
        counts[sampler.sample(&LOGITS).unwrap().id as usize] += 1;
    }
    for (id, probability) in exact {
        let deviation = (probability * (1.0 - probability) * 20_000.0).sqrt();
        let difference = f64::from(counts[id as usize]) - probability * 20_000.0;
        assert!(difference.abs() < 5.0 * deviation, "{id}: {difference} of {deviation}");
    }
}

#[test]
fn hostile_logits_are_errors() {
    let sample = |logits: &[f32], params: SamplingParams| {
        Sampler::new(params, 0).unwrap().sample(logits).map(|sample| sample.id)
    };
    let greedy = SamplingParams::greedy;
    for params in [greedy(), SamplingParams::default()] {
        for value in [f32::NAN, f32::INFINITY] {
            let error = sample(&[0.0, value], params.clone()).unwrap_err();
            assert!(matches!(error, SamplingError::Logit { id: 1, .. }), "{error}");
        }
        for logits in [&[][..], &[f32::NEG_INFINITY; 3]] {
            let error = sample(logits, params.clone()).unwrap_err();
            assert_eq!(error, SamplingError::NothingToChoose { vocabulary: logits.len() });
        }
    }
    let masked = SamplingParams { vocabulary: Some(1), ..greedy() };
    assert_eq!(sample(&[0.0, f32::NAN], masked.clone()), Ok(0));
    let beyond = SamplingParams { logit_bias: BTreeMap::from([(1, 1.0)]), ..masked };
    assert_eq!(
        sample(&[0.0, 0.0], beyond),
        Err(SamplingError::BiasOutOfRange { id: 1, vocabulary: 1 })
    );
    let banned =
        SamplingParams { logit_bias: BTreeMap::from([(0, f32::NEG_INFINITY)]), ..greedy() };
    assert_eq!(sample(&[9.0, 1.0], banned.clone()), Ok(1));
    assert!(matches!(sample(&[9.0], banned), Err(SamplingError::NothingToChoose { .. })));
    let overflow = SamplingParams { logit_bias: BTreeMap::from([(0, f32::MAX)]), ..greedy() };
    assert!(
        matches!(sample(&[f32::MAX], overflow), Err(SamplingError::Logit { stage, .. }) if stage.starts_with("after"))
    );
}

#[test]
fn min_p_keeps_what_equals_the_most_likely() {
    let params = SamplingParams { min_p: 1.0, ..SamplingParams::default() };
    let mut sampler = Sampler::new(params, 1).unwrap();
    let mut seen: Vec<u32> = (0..64).map(|_| sampler.sample(&LOGITS).unwrap().id).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [2, 3]);
}

#[test]
fn logprobs_are_the_models_own() {
    let params = SamplingParams { logprobs: Some(3), ..SamplingParams::greedy() };
    let plain = Sampler::new(params.clone(), 0).unwrap().sample(&LOGITS).unwrap();
    let bias = BTreeMap::from([(0, 9.0), (6, -9.0)]);
    let mut biased = Sampler::new(SamplingParams { logit_bias: bias, ..params }, 0).unwrap();
    biased.accept(2);
    let biased = biased.sample(&LOGITS).unwrap();
    assert_eq!((plain.id, biased.id), (2, 0));
    let (plain, biased) = (plain.logprobs.unwrap(), biased.logprobs.unwrap());
    assert_eq!(plain.top, biased.top);
    assert_eq!((biased.chosen.id, biased.chosen.rank), (0, 5));
}

#[test]
fn an_error_and_a_greedy_choice_draw_no_number() {
    let mut sampler = Sampler::new(SamplingParams::default(), 5).unwrap();
    sampler.sample(&[f32::NAN]).unwrap_err();
    assert_eq!(*sampler.rng(), Rng::new(5));
    let mut greedy = Sampler::new(SamplingParams::greedy(), 5).unwrap();
    greedy.sample(&LOGITS).unwrap();
    assert_eq!(*greedy.rng(), Rng::new(5));
    sampler.sample(&LOGITS).unwrap();
    let mut rng = Rng::new(5);
    rng.next_u64();
    assert_eq!(*sampler.rng(), rng);
}

/// Kept for ever, like the generator: the same seed, the same tokens.
#[test]
fn seeds_keep_their_tokens() {
    let mut sampler = Sampler::new(SamplingParams::default(), 42).unwrap();
    let ids: Vec<u32> = (0..16).map(|_| sampler.sample(&LOGITS).unwrap().id).collect();
    assert_eq!(ids, SEED_42);
}

const SEED_42: [u32; 16] = [6, 2, 9, 6, 6, 3, 2, 3, 2, 9, 3, 8, 6, 2, 3, 3];

fn logits() -> impl Strategy<Value = Vec<f32>> {
    let logit = prop_oneof![
        8 => -8.0_f32..8.0,
        4 => (-3_i8..3).prop_map(f32::from),
        1 => Just(f32::NEG_INFINITY),
        1 => any::<f32>().prop_filter("a logit", |value| value.is_finite()),
    ];
    proptest::collection::vec(logit, 1..200)
        .prop_filter("something to choose", |row| row.iter().any(|l| *l > f32::NEG_INFINITY))
}

fn params() -> impl Strategy<Value = SamplingParams> {
    let top_k = proptest::option::of(1_usize..220);
    let top_p = prop_oneof![Just(1.0_f32), 0.01_f32..=1.0];
    (0.01_f32..4.0, top_k, top_p, prop_oneof![Just(0.0_f32), 0.0_f32..=1.0]).prop_map(
        |(temperature, top_k, top_p, min_p)| SamplingParams {
            temperature,
            top_k,
            top_p,
            min_p,
            ..SamplingParams::default()
        },
    )
}

proptest! {
    /// The same number falls into the same share as in the plain version.
    #[test]
    fn the_chain_is_the_plain_one(logits in logits(), params in params(), seed in any::<u64>()) {
        let mut sampler = Sampler::new(params.clone(), seed).unwrap();
        let mut rng = Rng::new(seed);
        let exact = distribution(&logits, &params);
        for _ in 0..8 {
            let id = sampler.sample(&logits).unwrap().id;
            let place = exact.iter().position(|(known, _)| *known == id);
            prop_assert!(place.is_some(), "{} was excluded", id);
            let before: f64 = exact[..place.unwrap()].iter().map(|(_, share)| share).sum();
            let fraction = rng.next_f64();
            let share = exact[place.unwrap()].1;
            prop_assert!(before - 1e-9 <= fraction && fraction <= before + share + 1e-9);
        }
    }

    #[test]
    fn cutting_nothing_changes_nothing(logits in logits(), seed in any::<u64>()) {
        let loose = SamplingParams { top_k: Some(logits.len()), ..SamplingParams::default() };
        let mut plain = Sampler::new(SamplingParams::default(), seed).unwrap();
        let mut loose = Sampler::new(loose, seed).unwrap();
        for _ in 0..4 {
            prop_assert_eq!(plain.sample(&logits).unwrap(), loose.sample(&logits).unwrap());
        }
    }

    #[test]
    fn the_sharpest_settings_are_greedy(logits in logits(), seed in any::<u64>()) {
        let greedy = Sampler::new(SamplingParams::greedy(), 0).unwrap().sample(&logits).unwrap().id;
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        prop_assert_eq!(greedy as usize, logits.iter().position(|l| *l >= best).unwrap());
        let one = SamplingParams { top_k: Some(1), ..SamplingParams::default() };
        let narrow = SamplingParams { top_p: f32::MIN_POSITIVE, ..SamplingParams::default() };
        for params in [one, narrow] {
            prop_assert_eq!(Sampler::new(params, seed).unwrap().sample(&logits).unwrap().id, greedy);
        }
    }

    #[test]
    fn no_row_of_numbers_panics(
        logits in proptest::collection::vec(any::<f32>(), 0..50),
        params in params(),
        vocabulary in proptest::option::of(0_usize..60),
        seen in proptest::collection::vec(any::<u32>(), 0..9),
        penalty in 0.01_f32..1e30,
        logprobs in proptest::option::of(0_usize..60),
    ) {
        let params = SamplingParams {
            vocabulary,
            logprobs,
            repetition_penalty: penalty,
            frequency_penalty: -penalty,
            ..params
        };
        let mut sampler = Sampler::new(params, 0).unwrap();
        sampler.accept_prompt(&seen);
        for id in &seen {
            sampler.accept(id % 64);
        }
        if let Ok(sample) = sampler.sample(&logits) {
            prop_assert!((sample.id as usize) < vocabulary.unwrap_or(usize::MAX).min(logits.len()));
        }
    }
}
