//! Against what transformers computes in f32.

use std::path::Path;

use moe_engine::Model;
use moe_engine::backend::{Npu, NpuOptions};
use testkit::golden::{Distance, Golden, committed};

use super::machine::{open, room, turn};
use super::models::logits;

/// Those of the processor at bf16: what rounding to bf16 costs, not who rounds.
pub(crate) const GATE: Gate = Gate { relative_rms: 0.025, mean_kl: 2e-3 };

/// How far logits may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    pub(crate) relative_rms: f64,
    pub(crate) mean_kl: f64,
}

impl Gate {
    pub(crate) fn holds(self, distance: Distance) -> bool {
        distance.relative_rms <= self.relative_rms && distance.mean_kl <= self.mean_kl
    }

    #[track_caller]
    pub(crate) fn assert(self, what: &str, distance: Distance) {
        println!("{what}: {distance}");
        assert!(self.holds(distance), "{what}: {distance}; allowed are {self:?}");
    }
}

/// Those whose prompts are short.
pub(crate) fn short_sets() -> Vec<Golden> {
    committed().into_iter().filter(|set| set.name() != "long").collect()
}

/// The set whose prompt is longer than the context that was trained, with a window of 128.
pub(crate) fn long_set() -> Golden {
    committed().into_iter().find(|set| set.name() == "long").unwrap()
}

/// Options with room for each of the sets, but all of the long one.
pub(crate) fn roomy() -> NpuOptions {
    room(1024, 4)
}

/// From the reference to a model, over all prompts of a set.
pub(crate) fn distances(model: &Model<Npu>, set: &Golden) -> Vec<Distance> {
    let prompts = set.prompts().iter();
    prompts
        .map(|prompt| {
            let ours = prompt.kept(&logits(model, &prompt.tokens), set.vocab());
            Distance::between(&prompt.logits, &ours, set.vocab())
        })
        .collect()
}

/// The same over the beginning of the prompt of the long set.
pub(crate) fn distance_of_prefix(model: &Model<Npu>, len: usize) -> Distance {
    let set = long_set();
    let (prompt, vocab) = (&set.prompts()[0], set.vocab());
    let kept: Vec<_> = prompt.positions.iter().copied().filter(|&at| at < len).collect();
    assert!(kept.len() > 10, "{} positions", kept.len());
    let all = logits(model, &prompt.tokens[..len]);
    let ours: Vec<_> = kept.iter().flat_map(|at| &all[at * vocab..][..vocab]).copied().collect();
    Distance::between(&prompt.logits[..kept.len() * vocab], &ours, vocab)
}

#[track_caller]
pub(crate) fn assert_near(name: &str, path: &Path, set: &Golden, npu: &NpuOptions, gate: Gate) {
    let model = open(path, 512, npu);
    for (prompt, distance) in set.prompts().iter().zip(distances(&model, set)) {
        gate.assert(&format!("{name} {}", prompt.name), distance);
    }
}

#[test]
fn every_set_is_near() {
    let _turn = turn();
    let more = std::env::var_os("GOLDEN_SETS").unwrap_or_default();
    let more = std::env::split_paths(&more).filter(|path| !path.as_os_str().is_empty());
    for set in short_sets().into_iter().chain(more.map(Golden::open)) {
        for (form, path) in set.checkpoints() {
            let name = format!("{} {form}", set.name());
            assert_near(&name, &path, &set, &roomy(), GATE);
        }
    }
}

#[test]
fn the_beginning_of_the_long_set_is_near() {
    let _turn = turn();
    let path = long_set().checkpoint("mxfp4").unwrap();
    let distance = distance_of_prefix(&open(&path, 512, &roomy()), 600);
    GATE.assert("long, 600 tokens", distance);
}

#[test]
#[ignore = "4200 tokens take 40 s on the simulator"]
fn the_long_set_is_near() {
    let _turn = turn();
    let set = long_set();
    let npu = room(8192, 4);
    assert_near("long", &set.checkpoint("mxfp4").unwrap(), &set, &npu, GATE);
}
