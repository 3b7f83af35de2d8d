//! What is refused before a weight is uploaded, and what a plan says.

use std::fs;

use moe_engine::backend::{ExpertForm, Npu, NpuOptions};
use moe_engine::weights::Weights;
use moe_engine::{Config, Error, Model, Options, Precision};
use testkit::{Shape, Tiny};

use super::children::Machines;
use super::counters::assert_nothing_is_left;
use super::machine::{ascend, options, small, turn};
use super::models::tiny;

#[test]
fn only_bf16() {
    let _turn = turn();
    let tiny = tiny(2, 8);
    for precision in [Precision::F32, Precision::F16] {
        let options = Options { precision, ..options(64) };
        let error = Model::open_npu(tiny.path(), &ascend(), &options, &small(), None).unwrap_err();
        assert!(matches!(error, Error::Option { option: "precision", .. }), "{error}");
        assert!(error.to_string().contains("expected bf16"), "{error}");
    }
    assert_nothing_is_left();
}

#[test]
fn a_device_that_is_not_there() {
    let _turn = turn();
    let tiny = tiny(2, 8);
    let npu = NpuOptions::on(7);
    let error = Model::open_npu(tiny.path(), &ascend(), &options(64), &npu, None).unwrap_err();
    let Error::Device { step, .. } = &error else { panic!("{error}") };
    assert_eq!(step, "opening the device");
}

#[test]
fn a_step_without_an_operator() {
    let machines = Machines::new();
    for (names, step) in [
        (&["aclnnRmsNorm"][..], "first norm"),
        (
            &["aclnnFusedInferAttentionScoreV4", "aclnnFusedInferAttentionScoreV3"],
            "attention with sinks",
        ),
        (&["aclnnGroupedMatmulV5", "aclnnGroupedMatmulV4"], "experts, up and down"),
    ] {
        let both = names.iter().map(|name| format!("{name}+{name}GetWorkspaceSize"));
        let faults = format!("missing:{}", both.collect::<Vec<_>>().join("+"));
        let variables = [("ASCEND_SIM_FAULTS", &*faults), ("STEP", step), ("LACKS", names[0])];
        machines.run("plans::child_without", &variables);
    }
}

#[test]
#[ignore = "a child of `a_step_without_an_operator`"]
fn child_without() {
    let tiny = tiny(2, 8);
    let error = Model::open_npu(tiny.path(), &ascend(), &options(64), &small(), None).unwrap_err();
    assert!(matches!(error, Error::Plan { .. }), "{error}");
    for variable in ["STEP", "LACKS"] {
        let word = std::env::var(variable).unwrap();
        assert!(error.to_string().contains(&word), "{error}");
    }
    assert_nothing_is_left();
}

#[test]
fn too_little_memory() {
    Machines::new().run("plans::child_memory", &[("ASCEND_SIM_HBM", "67108864")]);
}

#[test]
#[ignore = "a child of `too_little_memory`"]
fn child_memory() {
    let tiny = Tiny::builder().build();
    let npu = super::machine::room(64 * 1024, 8);
    let error = Model::open_npu(tiny.path(), &ascend(), &options(64), &npu, None).unwrap_err();
    println!("{error}");
    let Error::DeviceMemory { needed, weights, cache, free, ways } = &error else {
        panic!("{error}")
    };
    assert!(needed > free && *free <= 64 << 20 && weights + cache < *needed, "{error}");
    assert!(*weights > 500_000 && *cache > 64 << 20, "{error}");
    assert!(ways.iter().any(|way| way == "a smaller cache"), "{error}");
    assert!(ways.iter().any(|way| way.contains("int4")), "{error}");
    assert_nothing_is_left();
    // What it says helps.
    let npu = super::machine::room(1024, 2);
    let model = Model::open_npu(tiny.path(), &ascend(), &options(16), &npu, None);
    drop(model.unwrap_or_else(|error| panic!("{error}")));
    assert_nothing_is_left();
}

/// The plan of the published model on one 910B, made from its configuration alone.
#[test]
fn the_20b() {
    let _turn = turn();
    let (tiny, folder) = (Tiny::builder().build(), tempfile::tempdir().unwrap());
    let weights = Weights::open(tiny.path(), &Config::open(tiny.path()).unwrap(), false).unwrap();
    let text = fs::read_to_string(tiny.path().join("config.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let shape = Shape::b20();
    let numbers = [
        ("num_hidden_layers", shape.layers),
        ("hidden_size", shape.hidden),
        ("intermediate_size", shape.intermediate),
        ("num_attention_heads", shape.heads),
        ("num_key_value_heads", shape.kv_heads),
        ("head_dim", shape.head_dim),
        ("num_local_experts", shape.experts),
        ("num_experts_per_tok", shape.experts_per_token),
        ("experts_per_token", shape.experts_per_token),
        ("vocab_size", shape.vocab),
        ("sliding_window", shape.sliding_window),
    ];
    for (field, number) in numbers {
        json[field] = number.into();
    }
    let kinds = ["sliding_attention", "full_attention"].into_iter().cycle().take(shape.layers);
    json["layer_types"] = kinds.collect::<Vec<_>>().into();
    fs::write(folder.path().join("config.json"), json.to_string()).unwrap();
    let config = Config::open(folder.path()).unwrap();
    let plan = |form| {
        let mut npu = NpuOptions::default();
        npu.experts = form;
        Npu::plan(&ascend(), &config, &weights, &options(512), &npu).unwrap()
    };
    let bf16 = plan(None);
    println!("{bf16}");
    let resident = |plan: &moe_engine::backend::Plan| {
        let sizes = plan.sizes;
        (sizes.vocabulary + sizes.dense + sizes.experts) as f64 / 1e9
    };
    // 20.91 billion parameters of two bytes, and biases of experts in f32.
    assert!((resident(&bf16) - 41.8).abs() < 0.1, "{}", resident(&bf16));
    assert_eq!(bf16.experts, ExpertForm::Bf16);
    assert!(bf16.sizes.total() <= bf16.free && bf16.kv_positions == 131_072, "{bf16}");
    for (form, expected) in [(ExpertForm::Int8, 22.8), (ExpertForm::Int4, 14.4)] {
        let found = resident(&plan(Some(form)));
        println!("{form}: {found}");
        assert!((found - expected).abs() < 0.1, "{form}: {found}");
    }
    assert_nothing_is_left();
}
