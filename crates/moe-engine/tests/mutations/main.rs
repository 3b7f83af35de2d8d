//! What the golden sets would notice.
//!
//! A plain model, made of the reference operations alone, agrees with transformers on every golden
//! set. With any one of the mistakes that implementations of gpt-oss are known for it does not: so an
//! engine that agrees makes none of them. `-- --nocapture` prints how far off each one is.

mod alter;
mod attention;
mod checkpoint;
mod feed_forward;
mod mistake;
mod model;

use mistake::Mistake;
use model::{Model, Trace};
use moe_kernels::reference::{Choice, concentration, cos_sin, inverse_frequencies};
use testkit::golden::{self, Distance, Golden, Prompt};

/// The gate of an exact engine: largest difference of a logit, and relative root mean square.
const MAX_ABS: f64 = 2e-4;
const RELATIVE_RMS: f64 = 1e-5;

/// By how much a mistake must miss the gate, both ways, to be told from another rounding.
const CLEARLY: f64 = 100.0;

/// What changes next to nothing, and how little.
const HARMLESS: [Mistake; 1] = [Mistake::GateClampedBelow];
const LITTLE: f64 = 1e-3;

/// Prompts that are short enough for a model without a cache.
const SHORT: usize = 256;

#[test]
fn without_a_mistake_the_model_agrees() {
    for (set, model) in sets() {
        for prompt in short_prompts(&set) {
            let trace = model.run(&prompt.tokens, None);
            let place = format!("{} of {}", prompt.name, set.name());
            let gate = |what: &str, distance: Distance| {
                distance.assert_within(&format!("{what} of {place}"), MAX_ABS, RELATIVE_RMS);
            };
            gate("logits", distance(prompt, &trace));
            let hidden: Vec<f32> = trace.hidden.iter().flat_map(|x| at(prompt, x)).collect();
            gate("hidden states", Distance::between(&prompt.hidden, &hidden, model.config.hidden));
            assert_choices(prompt, &trace, &place);
        }
    }
}

/// One unit in the last place apart at most: torch's vector code does not round all powers correctly.
#[test]
fn frequencies_are_those_of_transformers() {
    for (set, model) in sets() {
        let ours = inverse_frequencies(&model.config.yarn).unwrap();
        assert_eq!(ours.len(), set.inv_freq().len(), "{}", set.name());
        for (i, (ours, theirs)) in ours.iter().zip(set.inv_freq()).enumerate() {
            let units = ours.to_bits().abs_diff(theirs.to_bits());
            assert!(units <= 1, "frequency {i} of {}: {ours:e}, not {theirs:e}", set.name());
        }
    }
}

#[test]
fn cosines_and_sines_are_those_of_transformers() {
    for (set, model) in sets() {
        let (rope, m) = (set.rope(), concentration(model.config.yarn.factor));
        let half = set.inv_freq().len();
        let rows = rope.cos.chunks_exact(half).zip(rope.sin.chunks_exact(half));
        for (position, (cos, sin)) in rope.positions.iter().zip(rows) {
            let ours = cos_sin(set.inv_freq(), m, *position as usize);
            let pairs = ours.0.iter().chain(&ours.1).zip(cos.iter().chain(sin));
            for (ours, theirs) in pairs {
                let difference = (ours - f64::from(*theirs)).abs();
                assert!(difference < 5e-7, "{} at {position}: {difference}", set.name());
            }
        }
    }
}

#[test]
fn every_mistake_is_seen() {
    let sets = sets();
    let mut cases: Vec<_> = sets
        .iter()
        .flat_map(|(set, model)| short_prompts(set).map(move |prompt| (set, model, prompt)))
        .collect();
    // The shortest is the fastest, and tells of most.
    cases.sort_by_key(|(.., prompt)| prompt.tokens.len());

    let is_seen = |mistake: &Mistake| {
        cases.iter().any(|(set, model, prompt)| {
            let distance = with_mistake(model, prompt, *mistake);
            println!("{mistake:?} on {} of {}: {distance}", prompt.name, set.name());
            distance.max_abs > CLEARLY * MAX_ABS && distance.relative_rms > CLEARLY * RELATIVE_RMS
        })
    };
    let harmful = Mistake::ALL.iter().filter(|mistake| !HARMLESS.contains(mistake));
    let unseen: Vec<_> = harmful.filter(|mistake| !is_seen(mistake)).collect();
    assert!(unseen.is_empty(), "no golden set sees {unseen:?}");
}

#[test]
fn the_harmless_mistakes_are_harmless() {
    for (set, model) in sets() {
        for (prompt, mistake) in short_prompts(&set).flat_map(|p| HARMLESS.map(|m| (p, m))) {
            let distance = with_mistake(&model, prompt, mistake);
            assert!(
                distance.max_abs < LITTLE,
                "{mistake:?} on {} of {}: {distance}",
                prompt.name,
                set.name()
            );
        }
    }
}

fn sets() -> Vec<(Golden, Model)> {
    let read = |set: Golden| {
        let model = checkpoint::read(&set.checkpoint("mxfp4").unwrap());
        (set, model)
    };
    golden::committed().into_iter().map(read).collect()
}

fn short_prompts(set: &Golden) -> impl Iterator<Item = &Prompt> {
    set.prompts().iter().filter(|prompt| prompt.tokens.len() <= SHORT)
}

fn with_mistake(model: &Model, prompt: &Prompt, mistake: Mistake) -> Distance {
    let trace = alter::alter(model, mistake).run(&prompt.tokens, Some(mistake));
    distance(prompt, &trace)
}

fn distance(prompt: &Prompt, trace: &Trace) -> Distance {
    let vocab = trace.logits[0].len();
    Distance::between(&prompt.logits, &at(prompt, &trace.logits), vocab)
}

/// The rows of the positions that the golden set has.
fn at(prompt: &Prompt, rows: &[Vec<f64>]) -> Vec<f32> {
    prompt.positions.iter().flat_map(|position| &rows[*position]).map(|x| *x as f32).collect()
}

fn assert_choices(prompt: &Prompt, trace: &Trace, place: &str) {
    let of_layer = |layer: &'_ Vec<Vec<_>>| -> Vec<_> {
        prompt.positions.iter().flat_map(|position| layer[*position].clone()).collect()
    };
    let choices: Vec<Choice> = trace.choices.iter().flat_map(of_layer).collect();
    let experts: Vec<u32> = choices.iter().map(|choice| choice.expert as u32).collect();
    assert_eq!(experts, prompt.topk_idx, "experts of {place}");
    for (choice, weight) in choices.iter().zip(&prompt.topk_weight) {
        assert!(
            (choice.weight - f64::from(*weight)).abs() < 1e-5,
            "{choice:?} of {place}: {weight}"
        );
    }
}
