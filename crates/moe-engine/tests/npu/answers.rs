//! Tokens that are chosen, beside those of the processor at bf16.

use moe_engine::backend::Npu;
use moe_engine::{Generation, Model, Request};
use testkit::golden::Prompt;

use super::golden::{roomy, short_sets};
use super::machine::{open, options, turn};
use super::models::logits;

fn greedy(model: &Model<Npu>, prompts: &[Prompt]) -> Vec<Vec<u32>> {
    let request = |prompt: &Prompt| Request {
        max_new: prompt.generated.len(),
        stop_tokens: Some(Vec::new()),
        ..Request::new(prompt.tokens.clone())
    };
    let mut answers = vec![Vec::new(); prompts.len()];
    for step in Generation::new(model, prompts.iter().map(request)).unwrap() {
        let step = step.unwrap();
        answers[step.sequence].push(step.token);
    }
    answers
}

/// The greatest logit's token, and how far the second is behind.
fn best(row: &[f32]) -> (u32, f32) {
    let mut sorted: Vec<_> = (0..).zip(row.iter().copied()).collect();
    sorted.sort_by(|left: &(u32, f32), right| right.1.total_cmp(&left.1));
    (sorted[0].0, sorted[0].1 - sorted[1].1)
}

/// Along the reference's greedy answers. Either device rounds in its own way, so an expert near a tie may be another one: tokens are
/// the same where the processor's choice is the reference's and ahead by one, and the reference's nearly everywhere.
#[test]
fn tokens_are_those_of_the_processor() {
    let _turn = turn();
    for set in short_sets() {
        let path = set.checkpoint("mxfp4").unwrap();
        let cpu = Model::open(&path, &options(512)).unwrap();
        let npu = open(&path, 512, &roomy());
        let answers = greedy(&npu, set.prompts());
        for (prompt, answer) in set.prompts().iter().zip(&answers) {
            let given = &prompt.generated[..prompt.generated.len() - 1];
            let all = [&prompt.tokens[..], given].concat();
            let rows = |said: Vec<f32>| {
                let rows = said.chunks(set.vocab()).skip(prompt.tokens.len() - 1);
                rows.map(best).collect::<Vec<_>>()
            };
            let (ours, cpus) = (rows(logits(&npu, &all)), rows(logits(&cpu, &all)));
            let what = format!("{} {}", set.name(), prompt.name);
            let mut same = 0;
            for (index, &token) in prompt.generated.iter().enumerate() {
                let ((ours, _), (cpus, ahead)) = (ours[index], cpus[index]);
                same += usize::from(ours == cpus);
                let clear = cpus == token && ahead >= 1.0;
                assert!(!clear || ours == token, "{what}, token {index}: {ours} for {cpus}");
            }
            let right =
                ours.iter().zip(&prompt.generated).filter(|(ours, token)| ours.0 == **token);
            let right = right.count();
            let free = answer.iter().zip(&prompt.generated).take_while(|(a, b)| a == b).count();
            let count = prompt.generated.len();
            println!(
                "{what}: of {count}, {same} as on the processor, {right} as in the reference, {free} freely"
            );
            assert!(right * 10 >= count * 9, "{what}: {right}");
            // One after the other, with graphs, as all at once.
            let until = ours.iter().zip(answer).take_while(|(ours, token)| ours.0 == **token);
            assert!(until.count() >= free, "{what}: decoding chose otherwise than a prompt");
        }
    }
}
