//! What a model's `config.json` says, whoever wrote it.

use serde::Serialize;
use serde_json::Value;

use crate::presets::gpt_oss::{Shape, model_name};

/// What `config.json` says of a model, under the same names for every architecture.
///
/// Only what stands in the file: what is missing, or is something else than expected, is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConfigFacts {
    /// The model's name by its sizes (`gpt_oss_20b`); known for gpt-oss only.
    pub name: Option<String>,
    /// `model_type`: `gpt_oss`.
    pub model_type: Option<String>,
    /// The first of `architectures`: `GptOssForCausalLM`.
    pub architecture: Option<String>,
    /// Transformer layers.
    pub layers: Option<u64>,
    /// Width of the residual stream.
    pub hidden: Option<u64>,
    /// Width inside the feed-forward part, of one expert where there are several.
    pub intermediate: Option<u64>,
    /// Query heads.
    pub heads: Option<u64>,
    /// Key and value heads.
    pub kv_heads: Option<u64>,
    /// Width of one head.
    pub head_dim: Option<u64>,
    /// Experts of a layer.
    pub experts: Option<u64>,
    /// Experts that one token visits.
    pub experts_per_token: Option<u64>,
    /// Rows of the embedding table.
    pub vocab: Option<u64>,
    /// Keys that a sliding layer sees.
    pub sliding_window: Option<u64>,
    /// The longest context, in tokens.
    pub context: Option<u64>,
    /// How weights are quantised: `mxfp4`.
    pub quantization: Option<String>,
}

impl ConfigFacts {
    /// Reads the spellings of the hub and of OpenAI's `original/` folder; `parameters` is part of
    /// the name of a model of no released size.
    pub(super) fn of(config: &Value, parameters: u64) -> Self {
        let number = |keys: &[&str]| keys.iter().find_map(|key| config.get(key)?.as_u64());
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        Self {
            name: Shape::from_config(config).map(|shape| model_name(&shape, parameters)),
            model_type: text(config.get("model_type")),
            architecture: text(config.pointer("/architectures/0")),
            layers: number(&["num_hidden_layers"]),
            hidden: number(&["hidden_size"]),
            intermediate: number(&["moe_intermediate_size", "intermediate_size"]),
            heads: number(&["num_attention_heads"]),
            kv_heads: number(&["num_key_value_heads"]),
            head_dim: number(&["head_dim"]),
            experts: number(&["num_local_experts", "num_experts", "n_routed_experts"]),
            experts_per_token: number(&["num_experts_per_tok", "experts_per_token"]),
            vocab: number(&["vocab_size"]),
            sliding_window: number(&["sliding_window"]),
            context: number(&["max_position_embeddings"]).or_else(|| stretched(config)),
            quantization: text(config.pointer("/quantization_config/quant_method")),
        }
    }
}

/// `original/config.json` gives the context before it was stretched, and by how much it was.
fn stretched(config: &Value) -> Option<u64> {
    let initial = config.get("initial_context_length")?.as_u64()?;
    let factor = config.get("rope_scaling_factor")?.as_f64().filter(|factor| *factor >= 1.0)?;
    // Two finite numbers of no sign; a cast from float saturates.
    #[allow(clippy::cast_sign_loss)]
    Some((initial as f64 * factor) as u64)
}
