use serde_json::Value;

/// The sizes and constants that tell one gpt-oss model from another.
///
/// The fields are free to set; the functions of this module accept any values without panicking,
/// but only shapes whose `hidden` and `intermediate` are multiples of 32 describe a real model.
/// They list every layer, so more than [`Shape::MAX_LAYERS`] count as that many.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Transformer layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width inside one expert; its first matrix has twice as many rows (gate and up).
    pub intermediate: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; `heads` is a multiple of it.
    pub kv_heads: usize,
    /// Width of one head, even.
    pub head_dim: usize,
    /// Experts of a layer.
    pub experts: usize,
    /// Experts that one token visits.
    pub experts_per_token: usize,
    /// Rows of the embedding table.
    pub vocab: usize,
    /// Keys that a sliding layer sees, the token itself included.
    pub sliding_window: usize,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
    /// `YaRN`: how far the context was stretched.
    pub rope_factor: f64,
    /// `YaRN`: rotations above which a frequency is left alone.
    pub rope_beta_fast: f64,
    /// `YaRN`: rotations below which a frequency is divided by the whole factor.
    pub rope_beta_slow: f64,
    /// `YaRN`: the context before it was stretched.
    pub initial_context: usize,
}

impl Shape {
    /// The most layers that are listed; real models have about a hundred.
    pub const MAX_LAYERS: usize = 10_000;

    /// A model of 4 layers and 8 experts: 0.5 MB with MXFP4 experts, 1.1 MB with bf16 ones.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            layers: 4,
            hidden: 64,
            intermediate: 64,
            heads: 8,
            kv_heads: 2,
            head_dim: 16,
            experts: 8,
            experts_per_token: 4,
            vocab: 384,
            sliding_window: 8,
            ..Self::b20()
        }
    }

    /// `openai/gpt-oss-20b`.
    #[must_use]
    pub fn b20() -> Self {
        Self {
            layers: 24,
            hidden: 2880,
            intermediate: 2880,
            heads: 64,
            kv_heads: 8,
            head_dim: 64,
            experts: 32,
            experts_per_token: 4,
            vocab: 201_088,
            sliding_window: 128,
            rope_theta: 150_000.0,
            rope_factor: 32.0,
            rope_beta_fast: 32.0,
            rope_beta_slow: 1.0,
            initial_context: 4096,
        }
    }

    /// `openai/gpt-oss-120b`: the 20b with more layers and more experts.
    #[must_use]
    pub fn b120() -> Self {
        Self { layers: 36, experts: 128, ..Self::b20() }
    }

    /// The same model cut or grown to `layers` layers.
    #[must_use]
    pub fn with_layers(self, layers: usize) -> Self {
        Self { layers, ..self }
    }

    /// How many layers are listed.
    pub(super) fn listed_layers(&self) -> usize {
        self.layers.min(Self::MAX_LAYERS)
    }

    /// Weights of the model; an MXFP4 block counts as the 32 weights it holds, a scale as none.
    ///
    /// ```
    /// # use ckpt_convert::presets::gpt_oss::Shape;
    /// assert_eq!(Shape::b120().parameters(), 116_829_156_672);
    /// ```
    #[must_use]
    pub fn parameters(&self) -> u64 {
        super::tensors(self, super::ExpertFormat::Bf16)
            .iter()
            .fold(0, |sum, tensor| sum.saturating_add(tensor.elements()))
    }

    /// Reads a `config.json`: the hub's (of transformers 4 or 5) or that of `original/`.
    ///
    /// Keys that the hub's file leaves out take the defaults of transformers' `GptOssConfig`, which
    /// are the 120b. `None` when this is no gpt-oss configuration, or a size is 0, above 2^24 (layers:
    /// above [`Shape::MAX_LAYERS`]) or no integer.
    #[must_use]
    pub fn from_config(config: &Value) -> Option<Self> {
        let hub = match config.get("model_type") {
            Some(kind) => kind == "gpt_oss",
            None => false,
        };
        let original = config.get("model_type").is_none()
            && config.get("num_experts").is_some()
            && config.get("rope_ntk_beta").is_some();
        if !hub && !original {
            return None;
        }
        let default = Self::b120();
        let rope = ["rope_parameters", "rope_scaling"].iter().find_map(|key| present(config, key));
        let scaling = rope.unwrap_or(&Value::Null);
        Some(Self {
            layers: size(&[(config, "num_hidden_layers")], default.layers)
                .filter(|&layers| layers <= Self::MAX_LAYERS)?,
            hidden: size(&[(config, "hidden_size")], default.hidden)?,
            intermediate: size(&[(config, "intermediate_size")], default.intermediate)?,
            heads: size(&[(config, "num_attention_heads")], default.heads)?,
            kv_heads: size(&[(config, "num_key_value_heads")], default.kv_heads)?,
            head_dim: size(&[(config, "head_dim")], default.head_dim)?,
            experts: size(
                &[(config, "num_local_experts"), (config, "num_experts")],
                default.experts,
            )?,
            experts_per_token: size(
                &[(config, "num_experts_per_tok"), (config, "experts_per_token")],
                default.experts_per_token,
            )?,
            vocab: size(&[(config, "vocab_size")], default.vocab)?,
            sliding_window: size(&[(config, "sliding_window")], default.sliding_window)?,
            rope_theta: number(
                &[(config, "rope_theta"), (scaling, "rope_theta")],
                default.rope_theta,
            )?,
            rope_factor: number(
                &[(scaling, "factor"), (config, "rope_scaling_factor")],
                default.rope_factor,
            )?,
            rope_beta_fast: number(
                &[(scaling, "beta_fast"), (config, "rope_ntk_beta")],
                default.rope_beta_fast,
            )?,
            rope_beta_slow: number(
                &[(scaling, "beta_slow"), (config, "rope_ntk_alpha")],
                default.rope_beta_slow,
            )?,
            initial_context: size(
                &[
                    (scaling, "original_max_position_embeddings"),
                    (config, "initial_context_length"),
                ],
                default.initial_context,
            )?,
        })
    }
}

/// Far above every real model, and small enough that no product of sizes loses its meaning.
const MAX_SIZE: u64 = 1 << 24;

fn present<'v>(object: &'v Value, key: &str) -> Option<&'v Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn first<'v>(places: &[(&'v Value, &str)]) -> Option<&'v Value> {
    places.iter().find_map(|(object, key)| present(object, key))
}

fn size(places: &[(&Value, &str)], default: usize) -> Option<usize> {
    match first(places) {
        None => Some(default),
        Some(value) => value
            .as_u64()
            .filter(|size| (1..=MAX_SIZE).contains(size))
            .and_then(|size| usize::try_from(size).ok()),
    }
}

fn number(places: &[(&Value, &str)], default: f64) -> Option<f64> {
    match first(places) {
        None => Some(default),
        Some(value) => value.as_f64().filter(|number| number.is_finite() && *number > 0.0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{ExpertFormat, config_json};
    use super::*;

    #[test]
    fn reads_back_what_config_json_writes() {
        let odd =
            Shape { rope_theta: 1e4, rope_factor: 8.0, initial_context: 1024, ..Shape::tiny() };
        for shape in [Shape::tiny(), Shape::b20(), Shape::b120(), Shape::b20().with_layers(3), odd]
        {
            for experts in [ExpertFormat::Mxfp4, ExpertFormat::Bf16] {
                let config = serde_json::from_str(&config_json(&shape, experts)).unwrap();
                assert_eq!(Shape::from_config(&config), Some(shape.clone()));
            }
        }
    }

    #[test]
    fn reads_the_original_configuration() {
        let config = json!({
            "num_hidden_layers": 24, "num_experts": 32, "experts_per_token": 4,
            "vocab_size": 201_088, "hidden_size": 2880, "intermediate_size": 2880,
            "swiglu_limit": 7.0, "head_dim": 64, "num_attention_heads": 64,
            "num_key_value_heads": 8, "sliding_window": 128, "initial_context_length": 4096,
            "rope_theta": 150_000, "rope_scaling_factor": 32.0, "rope_ntk_alpha": 1,
            "rope_ntk_beta": 32
        });
        assert_eq!(Shape::from_config(&config), Some(Shape::b20()));
    }

    #[test]
    fn reads_transformers_5_and_absent_keys() {
        let config = json!({
            "model_type": "gpt_oss", "num_hidden_layers": 2, "rope_scaling": null,
            "rope_parameters": { "rope_theta": 1000.0, "factor": 4.0 }
        });
        let expected =
            Shape { rope_theta: 1000.0, rope_factor: 4.0, ..Shape::b120().with_layers(2) };
        assert_eq!(Shape::from_config(&config), Some(expected));
    }

    #[test]
    fn refuses_other_models_and_absurd_sizes() {
        for config in [
            json!(null),
            json!([]),
            json!({}),
            json!({"model_type": "qwen3_moe", "num_experts": 8, "rope_ntk_beta": 32}),
            json!({"model_type": 3}),
            json!({"model_type": "gpt_oss", "hidden_size": 0}),
            json!({"model_type": "gpt_oss", "hidden_size": -1}),
            json!({"model_type": "gpt_oss", "hidden_size": "64"}),
            json!({"model_type": "gpt_oss", "num_hidden_layers": u64::MAX}),
            json!({"model_type": "gpt_oss", "num_hidden_layers": Shape::MAX_LAYERS + 1}),
            json!({"model_type": "gpt_oss", "rope_theta": 0}),
        ] {
            assert_eq!(Shape::from_config(&config), None, "{config}");
        }
    }
}
