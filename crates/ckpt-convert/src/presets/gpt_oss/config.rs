use std::fmt::Write as _;

use super::{ExpertFormat, Shape};

/// The `config.json` of a model, byte for byte the released one for the released shapes.
///
/// With [`ExpertFormat::Bf16`] there is no `quantization_config`, and `torch_dtype` says what the
/// weights are, as transformers writes it.
#[must_use]
pub fn config_json(shape: &Shape, experts: ExpertFormat) -> String {
    let layer_types: Vec<&str> = (0..shape.listed_layers())
        .map(|layer| match layer % 2 {
            0 => "    \"sliding_attention\"",
            _ => "    \"full_attention\"",
        })
        .collect();
    let (quantization, torch_dtype) = match experts {
        ExpertFormat::Mxfp4 => (QUANTIZATION, ""),
        ExpertFormat::Bf16 => ("", "  \"torch_dtype\": \"bfloat16\",\n"),
    };
    let ids = token_ids(shape);
    let mut json = String::with_capacity(2048);
    // Writing to a String cannot fail.
    let _ = write!(
        json,
        r#"{{
  "architectures": [
    "GptOssForCausalLM"
  ],
  "attention_bias": true,
  "attention_dropout": 0.0,
  "eos_token_id": {eos},
  "experts_per_token": {experts_per_token},
  "head_dim": {head_dim},
  "hidden_act": "silu",
  "hidden_size": {hidden},
  "initial_context_length": {initial_context},
  "initializer_range": 0.02,
  "intermediate_size": {intermediate},
  "layer_types": [
{layer_types}
  ],
  "max_position_embeddings": {max_positions:.0},
  "model_type": "gpt_oss",
  "num_attention_heads": {heads},
  "num_experts_per_tok": {experts_per_token},
  "num_hidden_layers": {layers},
  "num_key_value_heads": {kv_heads},
  "num_local_experts": {experts},
  "output_router_logits": false,
  "pad_token_id": {pad},
{quantization}  "rms_norm_eps": 1e-05,
  "rope_scaling": {{
    "beta_fast": {beta_fast:?},
    "beta_slow": {beta_slow:?},
    "factor": {factor:?},
    "original_max_position_embeddings": {initial_context},
    "rope_type": "yarn",
    "truncate": false
  }},
  "rope_theta": {rope_theta},
  "router_aux_loss_coef": 0.9,
  "sliding_window": {sliding_window},
  "swiglu_limit": 7.0,
  "tie_word_embeddings": false,
{torch_dtype}  "transformers_version": "4.55.0.dev0",
  "use_cache": true,
  "vocab_size": {vocab}
}}
"#,
        eos = ids.eos,
        experts_per_token = shape.experts_per_token,
        head_dim = shape.head_dim,
        hidden = shape.hidden,
        initial_context = shape.initial_context,
        intermediate = shape.intermediate,
        layer_types = layer_types.join(",\n"),
        max_positions = shape.initial_context as f64 * shape.rope_factor,
        heads = shape.heads,
        layers = shape.listed_layers(),
        kv_heads = shape.kv_heads,
        experts = shape.experts,
        pad = ids.pad,
        beta_fast = shape.rope_beta_fast,
        beta_slow = shape.rope_beta_slow,
        factor = shape.rope_factor,
        rope_theta = shape.rope_theta,
        sliding_window = shape.sliding_window,
        vocab = shape.vocab,
    );
    json
}

const QUANTIZATION: &str = r#"  "quantization_config": {
    "modules_to_not_convert": [
      "model.layers.*.self_attn",
      "model.layers.*.mlp.router",
      "model.embed_tokens",
      "lm_head"
    ],
    "quant_method": "mxfp4"
  },
"#;

/// The `generation_config.json` that goes with [`config_json`].
///
/// Byte for byte the released one where the vocabulary holds the released control tokens; a
/// smaller vocabulary gets the ids 0 (begin), 1 (pad) and 2 (end).
#[must_use]
pub fn generation_config_json(shape: &Shape) -> String {
    let ids = token_ids(shape);
    let stop = match ids.call {
        Some(call) => format!("[\n    {},\n    {},\n    {call}\n  ]", ids.eos, ids.pad),
        None => ids.eos.to_string(),
    };
    format!(
        r#"{{
  "bos_token_id": {},
  "do_sample": true,
  "eos_token_id": {stop},
  "pad_token_id": {},
  "transformers_version": "4.55.0.dev0"
}}
"#,
        ids.bos, ids.pad
    )
}

struct TokenIds {
    bos: usize,
    pad: usize,
    eos: usize,
    /// The end of a tool call, which ends a turn too.
    call: Option<usize>,
}

fn token_ids(shape: &Shape) -> TokenIds {
    /// `<|call|>`, the highest of the control tokens that the released files name.
    const CALL: usize = 200_012;
    if shape.vocab > CALL {
        return TokenIds { bos: 199_998, pad: 199_999, eos: 200_002, call: Some(CALL) };
    }
    let last = shape.vocab.saturating_sub(1);
    TokenIds { bos: 0, pad: last.min(1), eos: last.min(2), call: None }
}

/// The name of a model: `gpt_oss_20b` and `gpt_oss_120b` for the released shapes, and
/// `gpt_oss_<size>` with the size of `parameters` for every other.
///
/// ```
/// use ckpt_convert::presets::gpt_oss::{Shape, model_name};
///
/// assert_eq!(model_name(&Shape::b20(), 20_914_757_184), "gpt_oss_20b");
/// assert_eq!(model_name(&Shape::tiny(), 236_544), "gpt_oss_237k");
/// assert_eq!(model_name(&Shape::b20().with_layers(1), 1_205_000_000), "gpt_oss_1.2b");
/// ```
#[must_use]
pub fn model_name(shape: &Shape, parameters: u64) -> String {
    let size = if *shape == Shape::b20() {
        "20b".to_owned()
    } else if *shape == Shape::b120() {
        "120b".to_owned()
    } else {
        short(parameters)
    };
    format!("gpt_oss_{size}")
}

/// Two digits where the first alone would say little: `999`, `1.2k`, `3m`, `21b`.
fn short(count: u64) -> String {
    if count < 1000 {
        return count.to_string();
    }
    let mut unit = 1000_u64;
    for suffix in ["k", "m", "b"] {
        let tenths = rounded(count, unit / 10);
        if tenths < 100 {
            return match tenths % 10 {
                0 => format!("{}{suffix}", tenths / 10),
                tenth => format!("{}.{tenth}{suffix}", tenths / 10),
            };
        }
        let whole = rounded(count, unit);
        if whole < 1000 || suffix == "b" {
            return format!("{whole}{suffix}");
        }
        unit *= 1000;
    }
    count.to_string()
}

fn rounded(count: u64, unit: u64) -> u64 {
    count / unit + u64::from(count % unit >= unit.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn starts(text: &str, digest: &[u8]) -> bool {
        Sha256::digest(text).starts_with(digest)
    }

    #[test]
    fn released_files_byte_for_byte() {
        let small = config_json(&Shape::b20(), ExpertFormat::Mxfp4);
        assert_eq!(small.len(), 1806);
        assert!(starts(&small, &[0x3a, 0x2a, 0x26, 0xde, 0xd6, 0x79, 0x37, 0x5b]), "{small}");
        let large = config_json(&Shape::b120(), ExpertFormat::Mxfp4);
        assert_eq!(large.len(), 2089);
        assert!(starts(&large, &[0x93, 0x3a, 0xeb, 0x66, 0x6a, 0x3f, 0xd8, 0x51]), "{large}");
        let generation = generation_config_json(&Shape::b20());
        assert_eq!(generation.len(), 177);
        assert!(starts(&generation, &[0xf9, 0x97, 0x0a, 0xda, 0x89, 0x2d, 0x2d, 0x1f]));
    }

    #[test]
    fn small_models_keep_their_ids_in_the_vocabulary() {
        for vocab in [1, 2, 3, 384, 200_012] {
            let shape = Shape { vocab, ..Shape::tiny() };
            for text in [
                config_json(&shape, ExpertFormat::Mxfp4),
                config_json(&shape, ExpertFormat::Bf16),
                generation_config_json(&shape),
            ] {
                let value: Value = serde_json::from_str(&text).unwrap();
                for key in ["eos_token_id", "pad_token_id"] {
                    assert!(value[key].as_u64().unwrap() < vocab as u64, "{key} in {text}");
                }
            }
        }
    }

    #[test]
    fn dense_configurations_name_their_dtype_and_no_quantization() {
        let text = config_json(&Shape::tiny(), ExpertFormat::Bf16);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["torch_dtype"], "bfloat16");
        assert!(value.get("quantization_config").is_none());
        assert_eq!(value["layer_types"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn sizes_are_short_and_rounded() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1k"),
            (1049, "1k"),
            (1050, "1.1k"),
            (9949, "9.9k"),
            (9950, "10k"),
            (236_000, "236k"),
            (999_499, "999k"),
            (999_500, "1m"),
            (3_000_000, "3m"),
            (1_190_000_000, "1.2b"),
            (20_914_757_184, "21b"),
            (u64::MAX, "18446744074b"),
        ] {
            assert_eq!(short(count), text);
        }
    }

    #[test]
    fn only_released_shapes_carry_released_names() {
        assert_eq!(model_name(&Shape::b120(), 0), "gpt_oss_120b");
        let cut = Shape::b20().with_layers(23);
        assert_eq!(model_name(&cut, cut.parameters()), "gpt_oss_20b");
        let wide = Shape { sliding_window: 256, ..Shape::b20() };
        assert_eq!(model_name(&wide, wide.parameters()), "gpt_oss_21b");
    }
}
