//! The table of the repository's `docs/accuracy.md`.

use std::path::Path;

use moe_engine::{Activations, At, Feed, Model, Observer, Options, Precision, Wanted};
use testkit::golden::{Distance, committed};

#[derive(Default)]
struct Logits(Vec<Vec<f32>>);

impl Observer for Logits {
    fn logits(&mut self, _: At, logits: &[f32]) {
        self.0.push(logits.to_vec());
    }
}

fn logits(path: &Path, options: &Options, tokens: &[u32]) -> Vec<Vec<f32>> {
    let model = Model::open(path, options).unwrap();
    let mut session = model.session().unwrap();
    let mut all = Logits::default();
    model.forward(&mut [Feed::new(&mut session, tokens).wanted(Wanted::All)], &mut all).unwrap();
    all.0
}

// cargo test --release -p moe-engine --test distances -- --ignored --nocapture
#[test]
#[ignore = "prints a table"]
fn distances() {
    println!("| set, prompt | positions | precision | largest | relative RMS | mean KL | top-1 |");
    println!("|---|---|---|---|---|---|---|");
    for set in committed() {
        let path = set.checkpoint("mxfp4").unwrap();
        for prompt in set.prompts() {
            let exact = Precision::ALL.map(|precision| (precision, Activations::Exact));
            for (precision, activations) in
                exact.into_iter().chain([(Precision::F32, Activations::Int8)])
            {
                let options = Options { precision, activations, ..Options::default() };
                let all = logits(&path, &options, &prompt.tokens);
                let int8 = if activations == Activations::Int8 { ", int8 activations" } else { "" };
                let kept: Vec<f32> =
                    prompt.positions.iter().flat_map(|&position| all[position].clone()).collect();
                let distance = Distance::between(&prompt.logits, &kept, set.vocab());
                println!(
                    "| {}, {} | {} | {precision}{int8} | {:.1e} | {:.1e} | {:.1e} | {:.3} |",
                    set.name(),
                    prompt.tokens.len(),
                    prompt.positions.len(),
                    distance.max_abs,
                    distance.relative_rms,
                    distance.mean_kl,
                    distance.top1,
                );
            }
        }
    }
}
