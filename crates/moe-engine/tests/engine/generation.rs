//! Which tokens are generated, and what is said about them.

use std::collections::BTreeMap;

use moe_engine::sampling::SamplingParams;
use moe_engine::{Finish, Generation, Precision, Request, Step};

use crate::models::{every_kind, open, plain, tokens};

/// All steps of each sequence.
fn steps(generation: impl Iterator<Item = moe_engine::Result<Step>>) -> Vec<Vec<Step>> {
    let mut all: BTreeMap<usize, Vec<Step>> = BTreeMap::new();
    for step in generation {
        let step = step.unwrap();
        let of = all.entry(step.sequence).or_default();
        assert_eq!(step.index, of.len());
        assert!(of.last().is_none_or(|last| last.finish.is_none()), "nothing comes after the end");
        of.push(step);
    }
    all.into_values().collect()
}

fn ids(steps: &[Step]) -> Vec<u32> {
    steps.iter().map(|step| step.token).collect()
}

fn greedy(prompt: Vec<u32>, max_new: usize) -> Request {
    Request { max_new, stop_tokens: Some(vec![]), ..Request::new(prompt) }
}

/// Prompts, samplers, seeds and ends of all kinds.
fn requests() -> Vec<Request> {
    let sampled =
        |seed, len, sampling| Request { sampling, seed, ..greedy(tokens(len, seed + 50), 12) };
    let free = SamplingParams::default();
    vec![
        greedy(tokens(3, 1), 20),
        sampled(1, 40, SamplingParams { temperature: 0.8, ..free.clone() }),
        sampled(1, 40, SamplingParams { temperature: 0.8, ..free.clone() }),
        sampled(2, 40, SamplingParams { temperature: 0.8, ..free.clone() }),
        sampled(3, 1, SamplingParams { top_k: Some(5), logprobs: Some(3), ..free.clone() }),
        sampled(
            4,
            9,
            SamplingParams { repetition_penalty: 1.3, frequency_penalty: 0.5, ..free.clone() },
        ),
        Request { max_new: 1, ..sampled(5, 33, free.clone()) },
        Request { max_new: 0, ..sampled(6, 2, free.clone()) },
        Request {
            stop_tokens: Some((0..60).collect()),
            max_new: 60,
            ..sampled(7, 8, SamplingParams { min_p: 0.01, ..free })
        },
    ]
}

#[test]
fn a_batch_is_its_sequences() {
    for tiny in every_kind() {
        for precision in [Precision::F32, Precision::Bf16] {
            let model = open(&tiny, precision, 16, 2);
            let together = Generation::new(&model, requests()).unwrap();
            let mut together: BTreeMap<_, _> =
                steps(together).into_iter().map(|steps| (steps[0].sequence, steps)).collect();
            for (sequence, request) in requests().into_iter().enumerate() {
                let alone = steps(Generation::new(&model, [request]).unwrap());
                let shared = together.remove(&sequence).unwrap_or_default();
                let said = |steps: &[Step]| -> Vec<_> {
                    let said = steps.iter();
                    said.map(|it| (it.token, it.logprobs.clone(), it.finish.clone())).collect()
                };
                let alone = alone.first().map(|steps| said(steps)).unwrap_or_default();
                assert_eq!(said(&shared), alone, "{precision}, sequence {sequence}");
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_tokens_with_any_threads_and_chunks() {
    let tiny = &every_kind()[0];
    let generate = |chunk, threads| {
        let model = open(tiny, Precision::F32, chunk, threads);
        let all = steps(Generation::new(&model, requests()).unwrap());
        all.iter().map(|steps| ids(steps)).collect::<Vec<_>>()
    };
    let expected = generate(512, 1);
    assert_eq!(expected[1], expected[2], "the same seed");
    assert_ne!(expected[1], expected[3], "another seed");
    for (chunk, threads) in [(512, 2), (4, 3), (1, 5)] {
        assert_eq!(generate(chunk, threads), expected, "chunks of {chunk}, {threads} threads");
    }
}

/// By the definition: the model's logits, again and again, without a cache.
#[test]
fn greedy_is_the_largest_logit() {
    let model = plain(&every_kind()[1]);
    let generated = steps(Generation::new(&model, [greedy(tokens(30, 1), 15)]).unwrap());
    let mut all = tokens(30, 1);
    for step in &generated[0] {
        let logits = model.evaluate(&mut model.session().unwrap(), &all).unwrap();
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        assert_eq!(step.token as usize, best, "after {} tokens", all.len());
        all.push(step.token);
    }
    assert_eq!(generated[0].len(), 15);
}

#[test]
fn log_probabilities_are_those_of_the_model() {
    let model = plain(&every_kind()[0]);
    let sampling = SamplingParams { logprobs: Some(4), temperature: 2.0, ..Default::default() };
    let request = Request { sampling, ..greedy(tokens(5, 1), 6) };
    let mut all = tokens(5, 1);
    for step in &steps(Generation::new(&model, [request]).unwrap())[0] {
        let logits = model.evaluate(&mut model.session().unwrap(), &all).unwrap();
        let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        let expected = |id: u32| f64::from(logits[id as usize]) - total.ln();
        let said = step.logprobs.as_ref().unwrap();
        assert_eq!((said.chosen.id, said.top.len()), (step.token, 4));
        for token in said.top.iter().chain([&said.chosen]) {
            assert!((token.logprob - expected(token.id)).abs() < 1e-9, "{token:?}");
        }
        all.push(step.token);
    }
    let without = steps(Generation::new(&model, [greedy(tokens(5, 1), 2)]).unwrap());
    assert!(without[0].iter().all(|step| step.logprobs.is_none()));
}

/// What a session has after a generation, and that it goes on as if it had never ended.
#[test]
fn a_generation_goes_on() {
    for tiny in every_kind() {
        let model = plain(&tiny);
        let penalty = SamplingParams { repetition_penalty: 1.2, ..SamplingParams::greedy() };
        let prompts = [tokens(30, 1), tokens(2, 2)];
        let request = |prompt: &[u32], max_new| Request {
            sampling: penalty.clone(),
            ..greedy(prompt.to_vec(), max_new)
        };
        let whole = prompts.each_ref().map(|prompt| request(prompt, 40));
        let whole = steps(Generation::new(&model, whole).unwrap());
        let first = prompts.each_ref().map(|prompt| request(prompt, 15));
        let mut first = Generation::new(&model, first).unwrap();
        let begun = steps(&mut first);
        assert_eq!(first.finish(1), Some(&Finish::Length));
        let sessions = first.into_sessions();
        for ((session, prompt), begun) in sessions.iter().zip(&prompts).zip(&begun) {
            let (_, fed) = begun.split_last().unwrap();
            assert_eq!(session.tokens(), [prompt.clone(), ids(fed)].concat());
        }
        let last = begun.iter().map(|steps| steps.last().unwrap().token);
        let rest = sessions.into_iter().zip(last.map(|token| request(&[token], 25)));
        let rest = steps(Generation::resume(&model, rest).unwrap());
        for ((begun, rest), whole) in begun.iter().zip(&rest).zip(&whole) {
            assert_eq!([ids(begun), ids(rest)].concat(), ids(whole));
        }
    }
}

#[test]
fn sequences_of_different_ages_go_on_together() {
    let model = plain(&every_kind()[0]);
    let mut session = model.session().unwrap();
    model.evaluate(&mut session, &tokens(50, 1)).unwrap();
    let resumed = [
        (session.fork(), greedy(tokens(3, 2), 9)),
        (model.session().unwrap(), greedy(tokens(4, 3), 9)),
        (session, greedy(tokens(1, 4), 9)),
    ];
    let together = steps(Generation::resume(&model, resumed).unwrap());
    for (steps_of, prompt) in together.iter().zip([
        [tokens(50, 1), tokens(3, 2)].concat(),
        tokens(4, 3),
        [tokens(50, 1), tokens(1, 4)].concat(),
    ]) {
        let alone = steps(Generation::new(&model, [greedy(prompt, 9)]).unwrap());
        assert_eq!(ids(steps_of), ids(&alone[0]));
    }
}

#[test]
fn what_is_counted() {
    let model = plain(&every_kind()[0]);
    let requests = [greedy(tokens(10, 1), 3), greedy(tokens(4, 2), 5), greedy(tokens(9, 3), 0)];
    let mut generation = Generation::new(&model, requests).unwrap();
    assert_eq!(generation.metrics().prefill_rate().to_bits(), 0);
    let all: Vec<Step> = generation.by_ref().map(Result::unwrap).collect();
    // In the order of the sequences, round after round.
    let order: Vec<_> = all.iter().map(|step| (step.index, step.sequence)).collect();
    assert_eq!(order, [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 1), (4, 1)]);
    let metrics = generation.metrics();
    assert_eq!((metrics.prompt_tokens, metrics.generated, metrics.rounds), (14, 8, 5));
    assert_eq!((metrics.prefill_usage.tokens, metrics.decode_usage.tokens), (14, 2 + 2 + 1 + 1));
    // Only the first of a round says what the round read; together it is all.
    let mut usage = metrics.prefill_usage;
    usage += metrics.decode_usage;
    let mut said = moe_engine::Usage::default();
    for step in &all {
        said += step.usage;
    }
    assert_eq!(said, usage);
    assert!(all.iter().filter(|step| step.usage.tokens > 0).count() == metrics.rounds);
    // Of one decoded token: the head, and 4 of 8 experts in 4 layers; at most all there is.
    let one = all.last().unwrap().usage;
    let head = 384 * 64 * 2;
    assert!(one.weight_bytes > head && one.weight_bytes < 490_752, "{one:?}");
    // 8 positions in 2 sliding layers, all in 2 full ones; 256 bytes of keys and values each.
    assert_eq!(one.kv_bytes, (8 * 2 + 8 * 2) * 256);
    assert!(metrics.slowest_round <= metrics.decode);
    assert!(metrics.prefill_rate() > 0.0 && metrics.decode_rate() > 0.0);
    assert!(metrics.decode_bytes_rate() > metrics.decode_rate());
}
