//! What is refused, by the name of the field.

use serde_json::{Value, json};

use super::{changed, read, released};
use crate::{Config, Error};

/// The field that is refused and why.
fn refused(value: &Value) -> (String, String) {
    match read(value) {
        Err(Error::Config { path, field, reason }) => {
            assert_eq!(path.to_str(), Some("config.json"));
            (field, reason)
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_refused(value: &Value, field: &str, reason: &str) {
    let (found, why) = refused(value);
    assert_eq!(found, field, "{why}");
    assert!(why.contains(reason), "{field}: {why}");
}

#[test]
fn unknown_fields() {
    for (key, value) in [
        ("attn_logit_softcapping", json!(50.0)),
        ("swiglu_beta", json!(1)),
        ("rope_type", json!("yarn")),
        ("num_experts", json!(8)),
        ("hidden_sizes", json!(null)),
    ] {
        assert_refused(&changed_by(key, value), key, "unknown field");
    }
    for key in ["attention_factor", "mscale", "long_factor", "partial_rotary_factor"] {
        let mut value = released();
        value["rope_scaling"][key] = json!(1.5);
        assert_refused(&value, &format!("rope_scaling.{key}"), "unknown field (with value 1.5)");
    }
    let original = json!({ "num_experts": 8, "rms_norm_eps": 1e-5 });
    assert_refused(&original, "rms_norm_eps", "unknown field");
}

/// Unlike `changed`, can set null.
fn changed_by(key: &str, to: Value) -> Value {
    let mut value = released();
    value[key] = to;
    value
}

#[test]
fn sizes_that_are_none() {
    for key in [
        "num_hidden_layers",
        "hidden_size",
        "intermediate_size",
        "vocab_size",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "num_local_experts",
        "num_experts_per_tok",
        "experts_per_token",
        "sliding_window",
        "max_position_embeddings",
    ] {
        for wrong in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!("64"),
            json!([64]),
            json!(null),
            json!(1_u64 << 40),
        ] {
            assert_refused(&changed_by(key, wrong), key, "expected a size");
        }
    }
    let mut value = released();
    value["rope_scaling"]["original_max_position_embeddings"] = json!(0);
    assert_refused(&value, "rope_scaling.original_max_position_embeddings", "found 0");
    let endless = changed(&json!({ "layer_types": null, "num_hidden_layers": 10_001 }));
    assert_refused(&endless, "num_hidden_layers", "at most 10000");
    let original = json!({ "num_experts": 4, "num_hidden_layers": 10_001 });
    assert_refused(&original, "num_hidden_layers", "at most 10000");
}

#[test]
fn numbers_that_are_none() {
    for key in ["rms_norm_eps", "swiglu_alpha", "swiglu_limit", "rope_theta"] {
        for wrong in [json!(0), json!(-1.0), json!("1e-5"), json!(true), json!(null)] {
            assert_refused(&changed_by(key, wrong), key, "expected a positive number");
        }
    }
    for key in ["rms_norm_eps", "swiglu_alpha", "swiglu_limit"] {
        for wrong in [1e300, 1e-300] {
            assert_refused(&changed_by(key, json!(wrong)), key, "expected a number in f32");
        }
    }
    for key in ["factor", "beta_fast", "beta_slow"] {
        let mut value = released();
        value["rope_scaling"][key] = json!("32");
        assert_refused(&value, &format!("rope_scaling.{key}"), "found \"32\"");
    }
}

#[test]
fn other_types() {
    let mut value = released();
    value["rope_scaling"]["truncate"] = json!(0);
    assert_refused(&value, "rope_scaling.truncate", "expected true or false, found 0");
    for (key, wrong, reason) in [
        ("rope_scaling", json!("yarn"), "expected an object"),
        ("rope_parameters", json!([]), "expected an object"),
        ("quantization_config", json!(true), "expected an object"),
        ("eos_token_id", json!("2"), "expected a token id"),
        ("eos_token_id", json!([2, -1]), "expected a token id"),
        ("eos_token_id", json!(1_u64 << 32), "expected a token id"),
        ("layer_types", json!("full_attention"), "expected a list"),
        ("layer_types", json!([]), "expected a list"),
        ("layer_types", json!(["full_attention", "chunked_attention"]), "expected a list"),
    ] {
        assert_refused(&changed_by(key, wrong), key, reason);
    }
}

#[test]
fn contradictions() {
    for (changes, field, reason) in [
        (
            json!({ "num_hidden_layers": 25 }),
            "layer_types",
            "lists 24 layers, but num_hidden_layers is 25",
        ),
        (
            json!({ "experts_per_token": 2 }),
            "experts_per_token",
            "is 2, but num_experts_per_tok is 4",
        ),
        (
            json!({ "rope_parameters": { "rope_type": "yarn", "factor": 32.0, "rope_theta": 1e4 } }),
            "rope_parameters.rope_theta",
            "is 10000, but it is 150000 elsewhere",
        ),
        (
            json!({ "rope_parameters": { "rope_type": "yarn", "factor": 8.0, "truncate": false } }),
            "rope_parameters",
            "contradicts rope_scaling",
        ),
        (json!({ "num_local_experts": 3 }), "num_experts_per_tok", "4 of 3 experts"),
        (json!({ "head_dim": 63 }), "head_dim", "63 is odd"),
        (json!({ "num_key_value_heads": 7 }), "num_key_value_heads", "64 query heads"),
        (json!({ "num_attention_heads": 4 }), "num_key_value_heads", "4 query heads"),
    ] {
        assert_refused(&changed(&changes), field, reason);
    }
    let original = |key: &str, value: usize| json!({ "num_experts": 8, key: value });
    assert_refused(&original("experts_per_token", 9), "experts_per_token", "9 of 8 experts");
    assert_refused(&original("head_dim", 5), "head_dim", "odd");
    assert_refused(&original("num_key_value_heads", 5), "num_key_value_heads", "64 query heads");
}

#[test]
fn models_of_other_kinds() {
    for (key, value) in [
        ("model_type", json!("mixtral")),
        ("architectures", json!(["GptOssForSequenceClassification"])),
        ("attention_bias", json!(false)),
        ("hidden_act", json!("gelu")),
        ("tie_word_embeddings", json!(true)),
    ] {
        let reason = format!("is {value}; only");
        assert_refused(&changed_by(key, value), key, &reason);
    }
    let method = json!({ "quant_method": "fp8" });
    let quantized = changed_by("quantization_config", method);
    assert_refused(&quantized, "quantization_config.quant_method", "is \"fp8\"; only \"mxfp4\"");
}

#[test]
fn other_rotary_embeddings() {
    let only = "only \"yarn\" is supported";
    for (key, kind) in [("rope_type", "linear"), ("rope_type", "default"), ("type", "llama3")] {
        for place in ["rope_scaling", "rope_parameters"] {
            let mut value = released();
            let mut scaling = value["rope_scaling"].take();
            scaling[key] = kind.into();
            value.as_object_mut().unwrap().remove("rope_scaling");
            value[place] = scaling;
            assert_refused(&value, &format!("{place}.{key}"), only);
        }
    }
    let mut value = released();
    value["rope_scaling"].as_object_mut().unwrap().remove("rope_type");
    assert_refused(&value, "rope_scaling.rope_type", only);
    value["rope_scaling"] = json!({ "rope_type": "yarn" });
    assert_refused(&value, "rope_scaling.factor", "missing");
    // transformers 4 does without YaRN then.
    assert_refused(&changed_by("rope_scaling", json!(null)), "rope_scaling", only);
}

#[test]
fn no_configuration_at_all() {
    for (text, reason) in
        [("", "not JSON"), ("{", "not JSON"), ("[]", "an object"), ("3", "an object")]
    {
        match Config::from_json("x.json", text) {
            Err(Error::Config { path, field, reason: why }) => {
                assert_eq!((path.to_str(), field.as_str()), (Some("x.json"), ""));
                assert!(why.contains(reason), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn messages_name_file_and_field() {
    let error = read(&changed_by("head_dim", json!(63))).unwrap_err().to_string();
    assert_eq!(error, "config.json: head_dim: 63 is odd: rotary embeddings need pairs");
    let error = Config::from_json("x/config.json", "[]").unwrap_err().to_string();
    assert_eq!(error, "x/config.json: expected an object");
}

/// `generation_config.json` beside it says which tokens end an answer.
#[test]
fn the_generation_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let error = Config::open(folder.path()).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if path.ends_with("config.json")), "{error}");
    write("config.json", &released().to_string());
    assert_eq!(Config::open(folder.path()).unwrap().eos, [200_002]);
    for (text, eos) in [
        (r#"{"bos_token_id": 1}"#, vec![200_002]),
        (r#"{"eos_token_id": null}"#, vec![200_002]),
        (r#"{"eos_token_id": 7}"#, vec![7]),
        (r#"{"eos_token_id": [200002, 199999, 200012]}"#, vec![200_002, 199_999, 200_012]),
    ] {
        write("generation_config.json", text);
        assert_eq!(Config::open(folder.path()).unwrap().eos, eos, "{text}");
    }
    for text in ["{", r#"{"eos_token_id": "x"}"#] {
        write("generation_config.json", text);
        let error = Config::open(folder.path()).unwrap_err();
        assert!(
            matches!(&error, Error::Config { path, .. } if path.ends_with("generation_config.json"))
        );
    }
}
