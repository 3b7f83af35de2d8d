//! The `config.json` of the release's `original/` folder.

use std::path::Path;

use moe_kernels::{Heads, Swiglu, Yarn};
use serde_json::{Map, Value, json};

use super::Config;
use super::fields::Fields;
use super::hf::alternating;
use crate::Result;

/// The tokens that end an answer, `<|return|>`, `<|endoftext|>` and `<|call|>`: this form names none.
const EOS: [u32; 3] = [200_002, 199_999, 200_012];

/// Defaults are those of `ModelConfig` in the released `model.py`.
pub(super) fn read(path: &Path, map: Map<String, Value>) -> Result<Config> {
    let mut fields = Fields::new(path, map);
    let dim = fields.size_or("head_dim", 64)?;
    let original_context = fields.size_or("initial_context_length", 4096)?;
    let factor = fields.positive_or("rope_scaling_factor", 32.0)?;
    let vocab = fields.size_or("vocab_size", 201_088)?;
    let config = Config {
        layers: alternating(fields.layers()?.unwrap_or(36)),
        hidden: fields.size_or("hidden_size", 2880)?,
        intermediate: fields.size_or("intermediate_size", 2880)?,
        vocab,
        heads: Heads {
            query: fields.size_or("num_attention_heads", 64)?,
            kv: fields.size_or("num_key_value_heads", 8)?,
            dim,
        },
        experts: fields.size_or("num_experts", 128)?,
        experts_per_token: fields.size_or("experts_per_token", 4)?,
        sliding_window: fields.size_or("sliding_window", 128)?,
        max_positions: (original_context as f64 * factor) as usize,
        rms_norm_eps: 1e-5,
        swiglu: Swiglu { alpha: 1.702, limit: fields.float_or("swiglu_limit", 7.0)? },
        rope: Yarn {
            head_dim: dim,
            theta: fields.positive_or("rope_theta", 150_000.0)?,
            factor,
            // NTK by parts: alpha is where rotation slows down, beta where it does not.
            beta_slow: fields.positive_or("rope_ntk_alpha", 1.0)?,
            beta_fast: fields.positive_or("rope_ntk_beta", 32.0)?,
            original_context,
            truncate: false,
        },
        eos: EOS.into_iter().filter(|&id| (id as usize) < vocab).collect(),
    };
    // What `ckpt-convert` notes of the weights' form.
    if let Some(mut quantization) = fields.object("quantization_config")? {
        quantization.only("quant_method", &json!("mxfp4"))?;
    }
    fields.ignore(&["torch_dtype", "dtype"]);
    fields.finish()?;
    Ok(config)
}
