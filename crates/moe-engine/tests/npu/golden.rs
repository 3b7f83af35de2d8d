//! Against what transformers computes in f32.

use std::path::Path;

use moe_engine::backend::{Npu, NpuOptions};
use moe_engine::{At, Feed, Model, Observer, Wanted};
use testkit::golden::{Distance, Golden, committed};

use super::machine::{open, turn};

/// Those of the processor at bf16: what rounding to bf16 costs, not who rounds.
const RELATIVE_RMS: f64 = 0.025;
const MEAN_KL: f64 = 2e-3;

fn sets() -> Vec<Golden> {
    let more = std::env::var_os("GOLDEN_SETS").unwrap_or_default();
    let more = std::env::split_paths(&more).filter(|path| !path.as_os_str().is_empty());
    committed().into_iter().chain(more.map(Golden::open)).collect()
}

#[derive(Default)]
struct Logits(Vec<f32>);

impl Observer for Logits {
    fn logits(&mut self, _: At, logits: &[f32]) {
        self.0.extend(logits);
    }
}

fn logits(model: &Model<Npu>, tokens: &[u32]) -> Vec<f32> {
    let mut said = Logits::default();
    let mut session = model.session().unwrap();
    let feed = Feed::new(&mut session, tokens).wanted(Wanted::All);
    model.forward(&mut [feed], &mut said).unwrap();
    said.0
}

fn near(name: &str, path: &Path, set: &Golden, npu: &NpuOptions, (rms, kl): (f64, f64)) {
    let model = open(path, 512, npu);
    for prompt in set.prompts() {
        let begin = std::time::Instant::now();
        let ours = prompt.kept(&logits(&model, &prompt.tokens), set.vocab());
        let distance = Distance::between(&prompt.logits, &ours, set.vocab());
        let what = format!("{name} {}", prompt.name);
        println!("{what}: {distance} in {:.1?}", begin.elapsed());
        distance.assert_within(&what, f64::INFINITY, rms);
        assert!(distance.mean_kl <= kl, "{what}: {distance}");
    }
}

#[test]
fn every_set_is_near() {
    let _turn = turn();
    for set in sets() {
        let mut npu = NpuOptions::default();
        (npu.kv_positions, npu.sequences) = (Some(8192), 4);
        for (form, path) in set.checkpoints() {
            let name = format!("{} {form}", set.name());
            near(&name, &path, &set, &npu, (RELATIVE_RMS, MEAN_KL));
        }
    }
}
