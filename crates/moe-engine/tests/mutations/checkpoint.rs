//! A checkpoint in the released layout, read as plainly as it is written.

use crate::model::{Config, ExpertWeights, Layer, Linear, Model};
use moe_kernels::reference::{Swiglu, YarnScaling};
use safeshards::{Checkpoint, DType};
use serde_json::Value;
use std::path::Path;

/// Reads `config.json` and all weights.
pub(crate) fn read(folder: &Path) -> Model {
    let config = read_config(&folder.join("config.json"));
    let weights = Weights(Checkpoint::open(folder).unwrap());
    let layers = (0..config.sliding.len()).map(|i| weights.layer(i, config.experts)).collect();
    Model {
        embedding: weights.values("model.embed_tokens.weight"),
        layers,
        norm: weights.values("model.norm.weight"),
        head: weights.values("lm_head.weight"),
        config,
    }
}

fn read_config(path: &Path) -> Config {
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let count = |name: &str| json[name].as_u64().unwrap_or_else(|| panic!("no {name}")) as usize;
    // Two spellings: transformers 4, with the base outside, and transformers 5.
    let rope = json.get("rope_parameters").unwrap_or(&json["rope_scaling"]);
    let number = |name: &str| rope[name].as_f64().unwrap_or_else(|| panic!("no {name}"));
    let kinds = json["layer_types"].as_array().unwrap();
    Config {
        hidden: count("hidden_size"),
        query_heads: count("num_attention_heads"),
        kv_heads: count("num_key_value_heads"),
        experts: count("num_local_experts"),
        experts_per_token: count("num_experts_per_tok"),
        sliding: kinds.iter().map(|kind| kind == "sliding_attention").collect(),
        window: count("sliding_window"),
        max_positions: count("max_position_embeddings"),
        eps: json["rms_norm_eps"].as_f64().unwrap(),
        swiglu: Swiglu { alpha: 1.702, limit: json["swiglu_limit"].as_f64().unwrap_or(7.0) },
        yarn: YarnScaling {
            head_dim: count("head_dim"),
            theta: json["rope_theta"].as_f64().unwrap_or_else(|| number("rope_theta")),
            factor: number("factor"),
            beta_fast: number("beta_fast"),
            beta_slow: number("beta_slow"),
            original_context: number("original_max_position_embeddings") as usize,
            truncate: rope["truncate"].as_bool().unwrap(),
        },
    }
}

struct Weights(Checkpoint);

impl Weights {
    fn layer(&self, index: usize, experts: usize) -> Layer {
        let name = |rest: &str| format!("model.layers.{index}.{rest}");
        let linear = |rest: &str| Linear {
            weight: self.values(&name(&format!("{rest}.weight"))),
            bias: self.values(&name(&format!("{rest}.bias"))),
        };
        let packed = |rest: &str| self.mxfp4(&name(&format!("mlp.experts.{rest}")));
        let gate_up = packed("gate_up_proj");
        let gate_up_bias = self.values(&name("mlp.experts.gate_up_proj_bias"));
        let down = packed("down_proj");
        let down_bias = self.values(&name("mlp.experts.down_proj_bias"));
        let part =
            |all: &[f32], e: usize| all[all.len() / experts * e..][..all.len() / experts].to_vec();
        Layer {
            input_norm: self.values(&name("input_layernorm.weight")),
            query: linear("self_attn.q_proj"),
            key: linear("self_attn.k_proj"),
            value: linear("self_attn.v_proj"),
            output: linear("self_attn.o_proj"),
            sinks: self.values(&name("self_attn.sinks")),
            post_norm: self.values(&name("post_attention_layernorm.weight")),
            router: linear("mlp.router"),
            experts: (0..experts)
                .map(|e| ExpertWeights {
                    gate_up: part(&gate_up, e),
                    gate_up_bias: part(&gate_up_bias, e),
                    down: part(&down, e),
                    down_bias: part(&down_bias, e),
                })
                .collect(),
        }
    }

    /// A dense tensor.
    fn values(&self, name: &str) -> Vec<f32> {
        let tensor = self.0.tensor(name).unwrap();
        let bytes = tensor.bytes().unwrap();
        match tensor.dtype() {
            // The upper half of an f32.
            DType::BF16 => {
                bytes.chunks_exact(2).map(|b| f32::from_le_bytes([0, 0, b[0], b[1]])).collect()
            }
            DType::F32 => bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            other => panic!("{name} is {other}"),
        }
    }

    /// Blocks of 16 bytes, the low nibble first, and a power of two for each.
    fn mxfp4(&self, name: &str) -> Vec<f32> {
        const CODES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
        let bytes = |part: &str| self.0.tensor(&format!("{name}_{part}")).unwrap().bytes().unwrap();
        let (blocks, scales) = (bytes("blocks"), bytes("scales"));
        assert_eq!(blocks.len(), 16 * scales.len(), "{name}");
        let mut values = Vec::with_capacity(2 * blocks.len());
        for (block, scale) in blocks.chunks_exact(16).zip(scales) {
            let scale = 2f32.powi(i32::from(*scale) - 127);
            for code in block.iter().flat_map(|byte| [byte & 15, byte >> 4]) {
                let sign = if code & 8 == 0 { scale } else { -scale };
                values.push(CODES[usize::from(code & 7)] * sign);
            }
        }
        values
    }
}
