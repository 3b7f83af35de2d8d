//! What `ckpt-convert` writes, run by `moe-engine`: the same model.

use std::path::Path;

use ckpt_convert::presets::gpt_oss::{Shape, config_json, generation_config_json};
use ckpt_convert::{
    CkptSink, Executor, Experts, FloatTarget, Plan, PlanOptions, Policy, Rules, SafetensorsSink,
    Sink, Source, side_files,
};
use lowfloat::DType;
use moe_engine::{
    At, Config, Error, Feed, LayerKind, Model, Observer, Options, TensorProblem, Wanted,
};
use tempfile::TempDir;
use testkit::golden::{Distance, Golden, Prompt, committed};
use testkit::{ExpertFormat, Layout, Sharding, Tiny};

/// Converts into a folder of its own.
fn converted(from: &Path, policy: &Policy, sink: &dyn Sink, options: &PlanOptions) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::open(from).unwrap();
    let plan = Plan::new(&source, policy, sink, options).unwrap();
    let side = |manifest: &_| side_files(&source, policy, manifest);
    Executor::default().run(&plan, &source, folder.path(), side, &()).unwrap();
    folder
}

fn to_ckpt(from: &Path, policy: &Policy) -> TempDir {
    converted(from, policy, &CkptSink::default(), &PlanOptions::default())
}

fn dequantised(floats: FloatTarget) -> Policy {
    Policy { floats, experts: Experts::Dequantize, ..Policy::default() }
}

/// Logits of all positions.
fn logits(path: &Path, tokens: &[u32]) -> Vec<f32> {
    struct Rows(Vec<f32>);
    impl Observer for Rows {
        fn logits(&mut self, _: At, logits: &[f32]) {
            self.0.extend(logits);
        }
    }
    let options = Options { check: true, ..Options::default() };
    let model =
        Model::open(path, &options).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut session = model.session().unwrap();
    let mut rows = Rows(Vec::new());
    let feed = Feed::new(&mut session, tokens).wanted(Wanted::All);
    model.forward(&mut [feed], &mut rows).unwrap();
    rows.0
}

fn same_bits(one: &[f32], other: &[f32]) -> bool {
    one.iter().map(|value| value.to_bits()).eq(other.iter().map(|value| value.to_bits()))
}

fn assert_golden(what: &str, set: &Golden, prompt: &Prompt, logits: &[f32]) {
    let ours = prompt.kept(logits, set.vocab());
    let distance = Distance::between(&prompt.logits, &ours, set.vocab());
    distance.assert_within(&format!("{} {} {what}", set.name(), prompt.name), 2e-4, 1e-5);
}

/// Each golden set with a prompt that does not take long.
fn goldens() -> Vec<(Golden, usize)> {
    let short = |set: &Golden| set.prompts().iter().position(|prompt| prompt.tokens.len() < 500);
    let all: Vec<_> = committed().into_iter().filter_map(|set| Some((short(&set)?, set))).collect();
    assert!(all.len() >= 3);
    all.into_iter().map(|(prompt, set)| (set, prompt)).collect()
}

#[test]
fn a_mindspore_file_is_the_model() {
    for (set, prompt) in goldens() {
        let prompt = &set.prompts()[prompt];
        for (form, path) in set.checkpoints() {
            let expected = logits(&path, &prompt.tokens);
            let kept = to_ckpt(&path, &Policy::default());
            let ours = logits(kept.path(), &prompt.tokens);
            assert_golden("kept", &set, prompt, &ours);
            assert!(same_bits(&ours, &expected), "{} {form}: kept", set.name());
            // bf16 is exact in f32; but rows of f32 are summed in another order than rows of bf16.
            let wide = Policy { floats: FloatTarget::To(DType::F32), ..Policy::default() };
            let ours = logits(to_ckpt(&path, &wide).path(), &prompt.tokens);
            assert_golden("in f32", &set, prompt, &ours);
            let distance = Distance::between(&expected, &ours, set.vocab());
            distance.assert_within(&format!("{} {form}: in f32", set.name()), 2e-4, 1e-5);
        }
    }
}

/// What an MXFP4 block holds is exact in bf16; but dense experts are stored transposed, so sums have
/// another order.
#[test]
fn dequantised_experts_are_the_same_experts() {
    for (set, prompt) in goldens() {
        let prompt = &set.prompts()[prompt];
        let path = set.checkpoint("mxfp4").unwrap();
        for floats in [FloatTarget::Keep, FloatTarget::To(DType::F32)] {
            let dense = to_ckpt(&path, &dequantised(floats));
            let ours = logits(dense.path(), &prompt.tokens);
            assert_golden("dequantised", &set, prompt, &ours);
            if let Some(stored) = set.checkpoint("bf16") {
                let expected = logits(&stored, &prompt.tokens);
                let what = format!("{}: stored dense", set.name());
                match floats {
                    FloatTarget::Keep => assert!(same_bits(&ours, &expected), "{what}"),
                    // The other matrices are in f32 now, and summed in another order.
                    FloatTarget::To(_) => Distance::between(&expected, &ours, set.vocab())
                        .assert_within(&what, 2e-4, 1e-5),
                }
            }
        }
    }
}

/// Many small files, with and without their index, and back to safetensors.
#[test]
fn files_in_parts() {
    let tiny = Tiny::builder().build();
    let tokens: Vec<u32> = (0..40).collect();
    let expected = logits(tiny.path(), &tokens);
    let small = PlanOptions { max_file_size: Some(60_000), ..PlanOptions::default() };
    let parts = converted(tiny.path(), &Policy::default(), &CkptSink { crc: true }, &small);
    let ending = |end: &str| {
        let files = std::fs::read_dir(parts.path()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.to_str().unwrap().ends_with(end)).collect::<Vec<_>>()
    };
    assert!(ending(".ckpt").len() > 5);
    let [index] = ending(".ckpt.index.json").try_into().unwrap();
    assert!(same_bits(&logits(parts.path(), &tokens), &expected));
    assert!(same_bits(&logits(&index, &tokens), &expected));
    let sink = SafetensorsSink::hugging_face();
    let back = converted(parts.path(), &Policy::default(), &sink, &small);
    assert!(same_bits(&logits(back.path(), &tokens), &expected));
    std::fs::remove_file(index).unwrap();
    assert!(same_bits(&logits(parts.path(), &tokens), &expected));
}

#[test]
fn the_original_layout_as_a_mindspore_file() {
    let tokens: Vec<u32> = (100..150).collect();
    let hub = Tiny::builder().seed(5).build();
    let expected = logits(hub.path(), &tokens);
    let original = Tiny::builder().seed(5).layout(Layout::Original).build();
    assert!(same_bits(&logits(original.path(), &tokens), &expected));
    let kept = to_ckpt(original.path(), &Policy::default());
    assert!(same_bits(&logits(kept.path(), &tokens), &expected));
    // This layout's dense experts are not transposed: the order of sums stays.
    let dense = to_ckpt(original.path(), &dequantised(FloatTarget::Keep));
    let distance = Distance::between(&expected, &logits(dense.path(), &tokens), 384);
    distance.assert_within("dequantised", 2e-4, 1e-5);
}

/// Under other names it is no model that the engine knows; under the old ones it is again.
#[test]
fn renamed_tensors() {
    let tiny = Tiny::builder().sharding(Sharding::Single).build();
    let tokens: Vec<u32> = (0..30).collect();
    let renaming = |rule: &str| {
        let mut rules = Rules::default();
        rules.add_rename(rule).unwrap();
        Policy { rules, ..Policy::default() }
    };
    let renamed = to_ckpt(tiny.path(), &renaming(r"^model\.layers\.=backbone."));
    let error = Model::open(renamed.path(), &Options::default()).unwrap_err();
    let Error::Tensors { problems, .. } = &error else { panic!("{error}") };
    let counted = |kind: fn(&TensorProblem) -> bool| problems.iter().filter(|it| kind(it)).count();
    let missing = counted(|problem| matches!(problem, TensorProblem::Missing { .. }));
    let unknown = counted(|problem| matches!(problem, TensorProblem::Unknown { .. }));
    // All but the embedding, the norm and the head.
    assert_eq!((missing, unknown), (tiny.tensors().len() - 3, tiny.tensors().len() - 3));
    assert!(error.to_string().contains("backbone.0.self_attn.sinks"), "{error}");
    let again = to_ckpt(renamed.path(), &renaming(r"^backbone\.=model.layers."));
    assert!(same_bits(&logits(again.path(), &tokens), &logits(tiny.path(), &tokens)));
}

/// What `synthesize` says of the two released models.
#[test]
fn configurations_of_the_released_sizes() {
    for (shape, layers, experts) in [(Shape::b20(), 24, 32), (Shape::b120(), 36, 128)] {
        for form in [ExpertFormat::Mxfp4, ExpertFormat::Bf16] {
            let folder = tempfile::tempdir().unwrap();
            let write = |name: &str, text: String| {
                std::fs::write(folder.path().join(name), text).unwrap();
            };
            write("config.json", config_json(&shape, form));
            write("generation_config.json", generation_config_json(&shape));
            let config = Config::open(folder.path()).unwrap();
            assert_eq!((config.layers.len(), config.experts), (layers, experts));
            assert_eq!(config.experts_per_token, 4);
            assert_eq!((config.hidden, config.intermediate), (2880, 2880));
            assert_eq!((config.query_width(), config.kv_width()), (4096, 512));
            assert_eq!((config.vocab, config.sliding_window), (201_088, 128));
            assert_eq!(config.max_positions, 131_072);
            assert_eq!((config.rope.original_context, config.rope.truncate), (4096, false));
            assert_eq!(config.eos, [200_002, 199_999, 200_012]);
            let sliding = config.layers.iter().step_by(2);
            assert!(sliding.eq(vec![&LayerKind::Sliding; layers / 2]));
        }
    }
}
