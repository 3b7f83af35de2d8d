//! Tensors that do not fit the configuration.

use std::collections::BTreeMap;

use lowfloat::DType;
use moe_engine::{Error, Model, Options, TensorProblem};
use testkit::{ExpertFormat, Layout, Sharding, Tensors, Tiny, safetensors};

use crate::models::tokens;

/// A checkpoint in one file with some tensors changed.
pub(crate) fn changed(tiny: &Tiny, change: impl FnOnce(&mut Tensors)) {
    let mut tensors = tiny.tensors().clone();
    change(&mut tensors);
    let [file] = tiny.files() else { panic!("one file") };
    safetensors::write(file, &tensors, None);
}

pub(crate) fn single(layout: Layout, experts: ExpertFormat) -> Tiny {
    Tiny::builder().sharding(Sharding::Single).layout(layout).experts(experts).build()
}

fn hub() -> Tiny {
    single(Layout::Hf, ExpertFormat::Mxfp4)
}

/// What is wrong, by tensor.
fn problems(tiny: &Tiny) -> BTreeMap<String, TensorProblem> {
    match Model::open(tiny.path(), &Options::default()) {
        Err(Error::Tensors { path, problems }) => {
            assert_eq!(path, tiny.path());
            let named = problems.into_iter().map(|problem| (name(&problem).to_owned(), problem));
            named.collect()
        }
        other => panic!("{:?}", other.err()),
    }
}

fn name(problem: &TensorProblem) -> &str {
    match problem {
        TensorProblem::Missing { name, .. }
        | TensorProblem::Unknown { name, .. }
        | TensorProblem::Shape { name, .. }
        | TensorProblem::Type { name, .. } => name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_that_is_wrong_is_listed() {
    let tiny = hub();
    changed(&tiny, |tensors| {
        let extra = tensors.remove("model.norm.weight").unwrap();
        tensors.remove("model.layers.3.self_attn.sinks");
        tensors.insert("model.layers.4.input_layernorm.weight".to_owned(), extra.clone());
        tensors.insert("model.layers.1.self_attn.q_norm.weight".to_owned(), extra);
        let head = tensors.get_mut("lm_head.weight").unwrap();
        head.shape.swap(0, 1);
        let bias = tensors.get_mut("model.layers.0.self_attn.k_proj.bias").unwrap();
        (bias.dtype, bias.shape) = (DType::U16, vec![32]);
        let scales = tensors.get_mut("model.layers.2.mlp.experts.down_proj_scales").unwrap();
        scales.dtype = DType::I8;
        let blocks = tensors.get_mut("model.layers.2.mlp.experts.gate_up_proj_blocks").unwrap();
        blocks.shape = vec![8, 128, 32];
    });
    let found = problems(&tiny);
    let expected = [
        ("lm_head.weight", "lm_head.weight is [64, 384], expected [384, 64]"),
        (
            "model.layers.0.self_attn.k_proj.bias",
            "model.layers.0.self_attn.k_proj.bias is U16, expected BF16 or F16 or F32",
        ),
        (
            "model.layers.1.self_attn.q_norm.weight",
            "model.layers.1.self_attn.q_norm.weight [64] belongs to no layer",
        ),
        (
            "model.layers.2.mlp.experts.down_proj_scales",
            "model.layers.2.mlp.experts.down_proj_scales is I8, expected U8",
        ),
        (
            "model.layers.2.mlp.experts.gate_up_proj_blocks",
            "model.layers.2.mlp.experts.gate_up_proj_blocks is [8, 128, 32], expected [8, 128, 2, 16]",
        ),
        ("model.layers.3.self_attn.sinks", "model.layers.3.self_attn.sinks [8] is missing"),
        (
            "model.layers.4.input_layernorm.weight",
            "model.layers.4.input_layernorm.weight [64] belongs to no layer",
        ),
        ("model.norm.weight", "model.norm.weight [64] is missing"),
    ];
    let texts: Vec<_> = found.iter().map(|(name, it)| (name.as_str(), it.to_string())).collect();
    let expected: Vec<_> = expected.map(|(name, text)| (name, text.to_owned())).into();
    assert_eq!(texts, expected);
    let error = Model::open(tiny.path(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("8 tensors do not fit the configuration:\n"), "{error}");
    assert!(expected.iter().all(|(_, text)| error.contains(text)), "{error}");
}

#[test]
fn one_problem_is_one_sentence() {
    let tiny = hub();
    changed(&tiny, |tensors| drop(tensors.remove("model.norm.weight")));
    let error = Model::open(tiny.path(), &Options::default()).unwrap_err().to_string();
    let place = tiny.path().display();
    assert_eq!(error, format!("{place}: tensor model.norm.weight [64] is missing"));
}

/// Every tensor of both layouts and forms of experts is needed.
#[test]
fn none_can_be_left_out() {
    for (layout, experts) in [
        (Layout::Hf, ExpertFormat::Mxfp4),
        (Layout::Hf, ExpertFormat::Bf16),
        (Layout::Original, ExpertFormat::Mxfp4),
    ] {
        let tiny = single(layout, experts);
        let first = if layout == Layout::Original { "block.0" } else { "model.layers.0" };
        let of_a_layer = |name: &&String| name.starts_with(first);
        let outer =
            tiny.tensors().keys().filter(|name| !name.contains(".0.") && !name.contains(".1."));
        let outer = outer.filter(|name| !name.contains(".2.") && !name.contains(".3."));
        let names: Vec<_> = tiny.tensors().keys().filter(of_a_layer).chain(outer).collect();
        assert!(names.len() > 13, "{names:?}");
        for name in names {
            changed(&tiny, |tensors| drop(tensors.remove(name)));
            let found = problems(&tiny);
            // Without its first tensor the original layout is not recognised.
            if name == "embedding.weight" {
                assert!(found.contains_key("model.embed_tokens.weight"), "{found:?}");
                continue;
            }
            // Dense experts are asked for as blocks and scales where there are none.
            let near = found.keys().all(|found| found.starts_with(name.as_str()));
            assert!(near && !found.is_empty(), "{name}: {found:?}");
        }
    }
}

/// A checkpoint with experts in both forms says two things.
#[test]
fn experts_in_both_forms() {
    let tiny = hub();
    let dense = single(Layout::Hf, ExpertFormat::Bf16);
    let both = "model.layers.0.mlp.experts.down_proj";
    changed(&tiny, |tensors| {
        tensors.insert(both.to_owned(), dense.tensor(both).clone());
    });
    let found = problems(&tiny);
    let expected = [format!("{both}_blocks"), format!("{both}_scales")];
    assert!(found.keys().eq(&expected), "{found:?}");
}

/// A layer may have dense experts where others have none.
#[test]
fn forms_may_differ_from_layer_to_layer() {
    let tiny = hub();
    let dense = single(Layout::Hf, ExpertFormat::Bf16);
    let all = tokens(20, 1);
    let logits = |tiny: &Tiny| {
        let model = Model::open(tiny.path(), &Options::default()).unwrap();
        model.evaluate(&mut model.session().unwrap(), &all).unwrap()
    };
    let expected = logits(&tiny);
    changed(&tiny, |tensors| {
        for part in ["gate_up_proj", "down_proj"] {
            let name = format!("model.layers.2.mlp.experts.{part}");
            tensors.remove(&format!("{name}_blocks"));
            tensors.remove(&format!("{name}_scales"));
            tensors.insert(name.clone(), dense.tensor(&name).clone());
        }
    });
    let distance = testkit::Distance::between(&expected, &logits(&tiny), 384);
    distance.assert_within("a dense layer", 1e-4, 1e-5);
}

/// Layers, sizes: what the configuration says counts.
#[test]
fn another_configuration() {
    let tiny = hub();
    let path = tiny.path().join("config.json");
    let config = std::fs::read_to_string(&path).unwrap();
    let with = |from: &str, to: &str| {
        assert!(config.contains(from), "{from}");
        std::fs::write(&path, config.replace(from, to)).unwrap();
        problems(&tiny)
    };
    let found = with(r#""vocab_size": 384"#, r#""vocab_size": 385"#);
    let shapes = |problem: &TensorProblem| matches!(problem, TensorProblem::Shape { .. });
    assert!(found.values().all(shapes), "{found:?}");
    assert!(found.keys().eq(["lm_head.weight", "model.embed_tokens.weight"]), "{found:?}");
    let found = with(r#""head_dim": 16"#, r#""head_dim": 18"#);
    // Weights and biases of q, k and v, the weight of o, in four layers.
    assert_eq!(found.len(), 4 * 7, "{found:?}");
    assert!(found.values().all(shapes), "{found:?}");
}
