//! The `config.json` of transformers 4 and 5.

use std::path::Path;

use moe_kernels::{Heads, Swiglu, Yarn};
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Config, LayerKind};
use crate::Result;

/// Fields that transformers writes and that do not change what a token's logits are.
const IGNORED: [&str; 42] = [
    // Training and its losses.
    "attention_dropout",
    "initializer_range",
    "output_router_logits",
    "router_aux_loss_coef",
    "problem_type",
    "id2label",
    "label2id",
    "finetuning_task",
    "task_specific_params",
    "pruned_heads",
    // How transformers runs or stores a model.
    "transformers_version",
    "use_cache",
    "torch_dtype",
    "dtype",
    "torchscript",
    "use_bfloat16",
    "tf_legacy_loss",
    "return_dict",
    "output_attentions",
    "output_hidden_states",
    "chunk_size_feed_forward",
    "_name_or_path",
    "_attn_implementation",
    "_attn_implementation_internal",
    "_attn_implementation_autoset",
    "_experts_implementation",
    "experts_implementation",
    "is_encoder_decoder",
    "is_decoder",
    "add_cross_attention",
    "cross_attention_hidden_size",
    "tie_encoder_decoder",
    "tokenizer_class",
    "auto_map",
    // Tokens that this engine takes from the tokenizer.
    "bos_token_id",
    "pad_token_id",
    "sep_token_id",
    "decoder_start_token_id",
    // Read by nothing: the rotary embedding has its own original length.
    "initial_context_length",
    // What a fine-tuning tool notes about itself.
    "unsloth_fixed",
    "unsloth_version",
    "prefix",
];

/// Defaults are those of transformers' `GptOssConfig`.
pub(super) fn read(path: &Path, map: Map<String, Value>) -> Result<Config> {
    let mut fields = Fields::new(path, map);
    fields.only("model_type", &json!("gpt_oss"))?;
    fields.only("architectures", &json!(["GptOssForCausalLM"]))?;
    fields.only("attention_bias", &json!(true))?;
    // The name of the activation says silu; the activation is the clamped one all the same.
    fields.only("hidden_act", &json!("silu"))?;
    fields.only("tie_word_embeddings", &json!(false))?;
    if let Some(mut quantization) = fields.object("quantization_config")? {
        quantization.only("quant_method", &json!("mxfp4"))?;
    }
    let listed = layer_types(&mut fields)?;
    let count = fields.layers()?;
    if let (Some(listed), Some(count)) = (&listed, count)
        && listed.len() != count
    {
        let reason = format!("lists {} layers, but num_hidden_layers is {count}", listed.len());
        return Err(fields.error("layer_types", reason));
    }
    let dim = fields.size_or("head_dim", 64)?;
    let max_positions = fields.size_or("max_position_embeddings", 131_072)?;
    let config = Config {
        layers: listed.unwrap_or_else(|| alternating(count.unwrap_or(36))),
        hidden: fields.size_or("hidden_size", 2880)?,
        intermediate: fields.size_or("intermediate_size", 2880)?,
        vocab: fields.size_or("vocab_size", 201_088)?,
        heads: Heads {
            query: fields.size_or("num_attention_heads", 64)?,
            kv: fields.size_or("num_key_value_heads", 8)?,
            dim,
        },
        experts: fields.size_or("num_local_experts", 128)?,
        experts_per_token: experts_per_token(&mut fields)?,
        sliding_window: fields.size_or("sliding_window", 128)?,
        max_positions,
        rms_norm_eps: fields.float_or("rms_norm_eps", 1e-5)?,
        swiglu: Swiglu {
            alpha: fields.float_or("swiglu_alpha", 1.702)?,
            limit: fields.float_or("swiglu_limit", 7.0)?,
        },
        rope: rope(&mut fields, dim, max_positions)?,
        eos: fields.token_ids("eos_token_id")?,
    };
    fields.ignore(&IGNORED);
    fields.finish()?;
    Ok(config)
}

/// Sliding first, as in every released model.
pub(super) fn alternating(layers: usize) -> Vec<LayerKind> {
    let kinds = [LayerKind::Sliding, LayerKind::Full];
    kinds.into_iter().cycle().take(layers).collect()
}

fn layer_types(fields: &mut Fields<'_>) -> Result<Option<Vec<LayerKind>>> {
    let Some(value) = fields.take("layer_types") else { return Ok(None) };
    let kinds = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let kinds: Option<Vec<_>> = kinds
        .iter()
        .map(|kind| match kind.as_str() {
            Some("sliding_attention") => Some(LayerKind::Sliding),
            Some("full_attention") => Some(LayerKind::Full),
            _ => None,
        })
        .collect();
    match kinds {
        Some(kinds) if !kinds.is_empty() => Ok(Some(kinds)),
        _ => Err(fields.error(
            "layer_types",
            "expected a list of \"sliding_attention\" and \"full_attention\"",
        )),
    }
}

/// The release has this number under two names.
fn experts_per_token(fields: &mut Fields<'_>) -> Result<usize> {
    let names = ["num_experts_per_tok", "experts_per_token"];
    let [one, other] = [fields.size(names[0])?, fields.size(names[1])?];
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            let reason = format!("is {other}, but {} is {one}", names[0]);
            Err(fields.error(names[1], reason))
        }
        _ => Ok(one.or(other).unwrap_or(4)),
    }
}

/// `rope_scaling` and `rope_theta` of transformers 4, `rope_parameters` of 5.
fn rope(fields: &mut Fields<'_>, head_dim: usize, max_positions: usize) -> Result<Yarn> {
    let mut theta = fields.positive("rope_theta")?;
    let mut yarn = None;
    let names = ["rope_scaling", "rope_parameters"];
    let null = names.into_iter().find(|name| fields.is_null(name));
    for name in names {
        let Some(mut scaling) = fields.object(name)? else { continue };
        match (theta, scaling.positive("rope_theta")?) {
            // Written from one number, so even the last digit must be the same.
            (Some(outer), Some(inner)) if outer.to_bits() != inner.to_bits() => {
                let reason = format!("is {inner}, but it is {outer} elsewhere");
                return Err(scaling.error("rope_theta", reason));
            }
            (outer, inner) => theta = outer.or(inner),
        }
        let new = scaled(&mut scaling, max_positions)?;
        if yarn.as_ref().is_some_and(|yarn| *yarn != new) {
            return Err(fields.error(name, "contradicts rope_scaling"));
        }
        scaling.finish()?;
        yarn = Some(new);
    }
    if let (None, Some(name)) = (&yarn, null) {
        // transformers 4 does without YaRN then, 5 takes its defaults.
        return Err(fields.error(name, "is null; only \"yarn\" is supported"));
    }
    let yarn = yarn.unwrap_or(Yarn {
        head_dim,
        theta: 0.0,
        factor: 32.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_context: 4096,
        truncate: false,
    });
    Ok(Yarn { head_dim, theta: theta.unwrap_or(150_000.0), ..yarn })
}

fn scaled(scaling: &mut Fields<'_>, max_positions: usize) -> Result<Yarn> {
    // `type` is transformers' older name for it.
    let kinds = ["rope_type", "type"].map(|name| (name, scaling.take(name)));
    let other = |kind: &Option<Value>| kind.as_ref().is_some_and(|kind| *kind != json!("yarn"));
    if let Some((name, Some(kind))) = kinds.iter().find(|(_, kind)| other(kind)) {
        return Err(scaling.error(name, format!("is {kind}; only \"yarn\" is supported")));
    }
    if kinds.iter().all(|(_, kind)| kind.is_none()) {
        return Err(scaling.error("rope_type", "missing; only \"yarn\" is supported"));
    }
    let Some(factor) = scaling.positive("factor")? else {
        return Err(scaling.error("factor", "missing"));
    };
    Ok(Yarn {
        head_dim: 0,
        theta: 0.0,
        factor,
        beta_fast: scaling.positive_or("beta_fast", 32.0)?,
        beta_slow: scaling.positive_or("beta_slow", 1.0)?,
        // Not 4096: where the key is absent, every version of transformers takes this.
        original_context: scaling.size_or("original_max_position_embeddings", max_positions)?,
        truncate: scaling.flag_or("truncate", true)?,
    })
}
