//! The names and files of the `original/` folder.

use ckpt_convert::presets::gpt_oss::Shape;
use serde_json::{Map, Value, json};

use crate::{Tensor, Tensors};

/// Adds a tensor of the hub's layout under its original name.
///
/// The three projections of attention become the rows of one; they must come in the order q, k, v.
pub(crate) fn insert(tensors: &mut Tensors, hub_name: &str, tensor: Tensor) {
    let name = name_of(hub_name);
    match tensors.get_mut(&name) {
        Some(fused) => {
            fused.shape[0] += tensor.shape[0];
            fused.bytes.extend(tensor.bytes);
        }
        None => {
            tensors.insert(name, tensor);
        }
    }
}

fn name_of(hub_name: &str) -> String {
    let Some((layer, part)) =
        hub_name.strip_prefix("model.layers.").and_then(|rest| rest.split_once('.'))
    else {
        return match hub_name {
            "model.embed_tokens.weight" => "embedding.weight",
            "model.norm.weight" => "norm.scale",
            "lm_head.weight" => "unembedding.weight",
            other => panic!("{other} has no original name"),
        }
        .to_owned();
    };
    let part = match part {
        "input_layernorm.weight" => "attn.norm.scale".to_owned(),
        "post_attention_layernorm.weight" => "mlp.norm.scale".to_owned(),
        part => part
            .replace("self_attn.", "attn.")
            .replace("q_proj", "qkv")
            .replace("k_proj", "qkv")
            .replace("v_proj", "qkv")
            .replace("o_proj", "out")
            .replace("mlp.router", "mlp.gate")
            .replace("experts.gate_up_proj_bias", "mlp1_bias")
            .replace("experts.gate_up_proj_", "mlp1_weight.")
            .replace("experts.down_proj_bias", "mlp2_bias")
            .replace("experts.down_proj_", "mlp2_weight."),
    };
    format!("block.{layer}.{part}")
}

pub(crate) fn config_json(shape: &Shape) -> Value {
    json!({
        "num_hidden_layers": shape.layers,
        "num_experts": shape.experts,
        "experts_per_token": shape.experts_per_token,
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "swiglu_limit": 7.0,
        "head_dim": shape.head_dim,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "sliding_window": shape.sliding_window,
        "initial_context_length": shape.initial_context,
        "rope_theta": shape.rope_theta,
        "rope_scaling_factor": shape.rope_factor,
        "rope_ntk_alpha": shape.rope_beta_slow,
        "rope_ntk_beta": shape.rope_beta_fast,
    })
}

/// What `dtypes.json` says of each tensor.
pub(crate) fn dtypes_json(tensors: &Tensors) -> Value {
    let kind = |name: &str| match name.rsplit('.').next() {
        Some("blocks") => "FP4",
        Some("scales") => "UE8",
        _ => "BF16",
    };
    Value::Object(
        tensors.keys().map(|name| (name.clone(), kind(name).into())).collect::<Map<_, _>>(),
    )
}
