//! Forms of `config.json` that are read.

mod refusals;

use std::fs;

use serde_json::{Value, json};

use super::*;

/// The keys of the released 20b.
fn released() -> Value {
    let kinds: Vec<_> =
        ["sliding_attention", "full_attention"].into_iter().cycle().take(24).collect();
    json!({
        "architectures": ["GptOssForCausalLM"],
        "attention_bias": true,
        "attention_dropout": 0.0,
        "eos_token_id": 200_002,
        "experts_per_token": 4,
        "head_dim": 64,
        "hidden_act": "silu",
        "hidden_size": 2880,
        "initial_context_length": 4096,
        "initializer_range": 0.02,
        "intermediate_size": 2880,
        "layer_types": kinds,
        "max_position_embeddings": 131_072,
        "model_type": "gpt_oss",
        "num_attention_heads": 64,
        "num_experts_per_tok": 4,
        "num_hidden_layers": 24,
        "num_key_value_heads": 8,
        "num_local_experts": 32,
        "output_router_logits": false,
        "pad_token_id": 199_999,
        "quantization_config": {
            "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"],
            "quant_method": "mxfp4",
        },
        "rms_norm_eps": 1e-5,
        "rope_scaling": {
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "factor": 32.0,
            "original_max_position_embeddings": 4096,
            "rope_type": "yarn",
            "truncate": false,
        },
        "rope_theta": 150_000,
        "router_aux_loss_coef": 0.9,
        "sliding_window": 128,
        "swiglu_limit": 7.0,
        "tie_word_embeddings": false,
        "transformers_version": "4.55.0.dev0",
        "use_cache": true,
        "vocab_size": 201_088,
    })
}

/// What it says.
fn b20() -> Config {
    Config {
        layers: original_layers(24),
        hidden: 2880,
        intermediate: 2880,
        vocab: 201_088,
        heads: Heads { query: 64, kv: 8, dim: 64 },
        experts: 32,
        experts_per_token: 4,
        sliding_window: 128,
        max_positions: 131_072,
        rms_norm_eps: 1e-5,
        swiglu: Swiglu { alpha: 1.702, limit: 7.0 },
        rope: Yarn {
            head_dim: 64,
            theta: 150_000.0,
            factor: 32.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            original_context: 4096,
            truncate: false,
        },
        eos: vec![200_002],
    }
}

fn b120() -> Config {
    Config { layers: original_layers(36), experts: 128, ..b20() }
}

fn original_layers(count: usize) -> Vec<LayerKind> {
    (0..count).map(|n| if n % 2 == 0 { LayerKind::Sliding } else { LayerKind::Full }).collect()
}

fn read(value: &Value) -> Result<Config> {
    Config::from_json("config.json", &value.to_string())
}

/// The released file with some keys changed; null takes a key out.
fn changed(changes: &Value) -> Value {
    let mut value = released();
    for (key, change) in changes.as_object().unwrap() {
        let map = value.as_object_mut().unwrap();
        if change.is_null() {
            map.remove(key);
        } else {
            map.insert(key.clone(), change.clone());
        }
    }
    value
}

#[test]
fn the_released_20b() {
    let config = read(&released()).unwrap();
    assert_eq!(config, b20());
    assert_eq!((config.query_width(), config.kv_width()), (4096, 512));
    assert_eq!([0, 1, 22, 23, 24].map(|layer| config.window(layer)), {
        [Some(128), None, Some(128), None, None]
    });
}

#[test]
fn the_released_120b() {
    let kinds = json!({ "layer_types": null, "num_hidden_layers": 36, "num_local_experts": 128 });
    assert_eq!(read(&changed(&kinds)).unwrap(), b120());
}

#[test]
fn absent_keys_have_the_defaults_of_transformers() {
    let defaults = Config { eos: Vec::new(), ..b120() };
    assert_eq!(read(&json!({})).unwrap(), defaults);
    assert_eq!(read(&json!({ "model_type": "gpt_oss" })).unwrap(), defaults);
    let null = json!({ "eos_token_id": null, "layer_types": null, "quantization_config": null });
    assert_eq!(read(&null).unwrap(), defaults);
}

#[test]
fn layers_may_be_listed_or_counted() {
    let count = json!({ "layer_types": null, "num_hidden_layers": 3 });
    assert_eq!(read(&changed(&count)).unwrap().layers, original_layers(3));
    let kinds = json!({ "layer_types": ["full_attention", "full_attention", "sliding_attention"] });
    let listed = [LayerKind::Full, LayerKind::Full, LayerKind::Sliding];
    let mut value = changed(&json!({ "num_hidden_layers": 3 }));
    value["layer_types"] = kinds["layer_types"].clone();
    assert_eq!(read(&value).unwrap().layers, listed);
    value.as_object_mut().unwrap().remove("num_hidden_layers");
    assert_eq!(read(&value).unwrap().layers, listed);
}

/// Every constant that decides on results is taken from its own key.
#[test]
fn nothing_is_hard_coded() {
    let value = changed(&json!({
        "layer_types": null, "num_hidden_layers": 2, "hidden_size": 96, "intermediate_size": 64,
        "vocab_size": 131, "num_attention_heads": 6, "num_key_value_heads": 3, "head_dim": 16,
        "num_local_experts": 6, "num_experts_per_tok": 2, "experts_per_token": 2,
        "sliding_window": 9, "max_position_embeddings": 999, "rms_norm_eps": 1e-6,
        "swiglu_alpha": 1.5, "swiglu_limit": 6.5, "rope_theta": 10_000.5, "eos_token_id": [3, 5],
        "rope_scaling": {
            "rope_type": "yarn", "factor": 8.5, "beta_fast": 24, "beta_slow": 2,
            "original_max_position_embeddings": 1024, "truncate": true,
        },
    }));
    let expected = Config {
        layers: original_layers(2),
        hidden: 96,
        intermediate: 64,
        vocab: 131,
        heads: Heads { query: 6, kv: 3, dim: 16 },
        experts: 6,
        experts_per_token: 2,
        sliding_window: 9,
        max_positions: 999,
        rms_norm_eps: 1e-6,
        swiglu: Swiglu { alpha: 1.5, limit: 6.5 },
        rope: Yarn {
            head_dim: 16,
            theta: 10_000.5,
            factor: 8.5,
            beta_fast: 24.0,
            beta_slow: 2.0,
            original_context: 1024,
            truncate: true,
        },
        eos: vec![3, 5],
    };
    assert_eq!(read(&value).unwrap(), expected);
}

#[test]
fn both_spellings_of_the_rotary_embedding() {
    let scaling = released()["rope_scaling"].clone();
    let mut parameters = scaling.clone();
    parameters["rope_theta"] = 150_000.0.into();
    for changes in [
        // transformers 5, with and without what 4 wrote, which says the same.
        json!({ "rope_theta": null, "rope_scaling": null, "rope_parameters": parameters }),
        json!({ "rope_scaling": null, "rope_parameters": parameters }),
        json!({ "rope_parameters": scaling }),
        json!({ "rope_parameters": parameters }),
        json!({ "rope_theta": null, "rope_scaling": parameters }),
        json!({ "rope_scaling": null }),
        json!({ "rope_scaling": null, "rope_theta": null }),
    ] {
        assert_eq!(read(&changed(&changes)).unwrap(), b20(), "{changes}");
    }
    let mut older = scaling;
    older["type"] = "yarn".into();
    assert_eq!(read(&changed(&json!({ "rope_scaling": older }))).unwrap(), b20());
    older.as_object_mut().unwrap().remove("rope_type");
    assert_eq!(read(&changed(&json!({ "rope_scaling": older }))).unwrap(), b20());
}

/// As transformers computes it: a ramp rounded outwards, over the longest context.
#[test]
fn absent_keys_of_the_rotary_embedding() {
    let scaling = json!({ "rope_scaling": { "rope_type": "yarn", "factor": 2.0 } });
    let expected = Yarn {
        head_dim: 64,
        theta: 150_000.0,
        factor: 2.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_context: 131_072,
        truncate: true,
    };
    assert_eq!(read(&changed(&scaling)).unwrap().rope, expected);
}

#[test]
fn the_original_form() {
    let mut value = json!({
        "num_hidden_layers": 24, "num_experts": 32, "experts_per_token": 4, "vocab_size": 201_088,
        "hidden_size": 2880, "intermediate_size": 2880, "swiglu_limit": 7.0, "head_dim": 64,
        "num_attention_heads": 64, "num_key_value_heads": 8, "sliding_window": 128,
        "initial_context_length": 4096, "rope_theta": 150_000, "rope_scaling_factor": 32.0,
        "rope_ntk_alpha": 1, "rope_ntk_beta": 32,
    });
    let with_eos = |config| Config { eos: vec![200_002, 199_999, 200_012], ..config };
    assert_eq!(read(&value).unwrap(), with_eos(b20()));
    assert_eq!(read(&json!({ "num_experts": 128 })).unwrap(), with_eos(b120()));
    // What a conversion adds.
    value["torch_dtype"] = "bfloat16".into();
    value["quantization_config"] = json!({ "quant_method": "mxfp4" });
    assert_eq!(read(&value).unwrap(), with_eos(b20()));
    for (key, change) in [
        ("rope_ntk_alpha", 2),
        ("rope_ntk_beta", 24),
        ("initial_context_length", 1024),
        ("rope_scaling_factor", 8),
        ("vocab_size", 200_000),
    ] {
        value[key] = change.into();
    }
    let config = read(&value).unwrap();
    let Yarn { beta_slow, beta_fast, original_context, factor, .. } = config.rope;
    assert_eq!((beta_slow, beta_fast, original_context, factor), (2.0, 24.0, 1024, 8.0));
    assert_eq!(config.max_positions, 8 * 1024);
    assert_eq!(config.eos, [199_999], "ids that the vocabulary has");
}

/// Files that transformers 4.55, 4.57 and 5.23 wrote.
#[test]
fn what_transformers_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let mut config = Config::from_json(&path, &text).unwrap();
        // What 4.55 writes unasked has no original length; transformers takes the longest then.
        if name.starts_with("4.55") && !name.ends_with("saved-again") {
            assert_eq!(config.rope.original_context, 131_072, "{name}");
            config.rope.original_context = 4096;
        }
        match name.split_once('-').unwrap().1 {
            "20b" => assert_eq!(config, Config { eos: Vec::new(), ..b20() }, "{name}"),
            "120b" => assert_eq!(config, Config { eos: Vec::new(), ..b120() }, "{name}"),
            // Values other than the defaults.
            "tiny" => assert_eq!((config.vocab, config.experts_per_token), (131, 2), "{name}"),
            "saved-again" => assert_eq!((config.vocab, config.experts), (199, 5), "{name}"),
            other => panic!("{other} of {name}: what should it be?"),
        }
        names.push(name);
    }
    assert!(names.len() >= 12, "{names:?}");
}
