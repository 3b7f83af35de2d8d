//! One layer's tensors under their names of either layout.

use lowfloat::DType;
use moe_kernels::{ExpertMatrix, Experts, Matrix};
use safeshards::Bytes;

use super::gather::{Gather, dense, strips};
use super::{FLOATS, LayerWeights};
use crate::{Config, Result};

/// Weights of an MXFP4 block; OCP Microscaling Formats v1.0, section 5.3.3.
const BLOCK: usize = lowfloat::mxfp4::BLOCK;
/// Bytes of their codes.
const BLOCK_BYTES: usize = lowfloat::mxfp4::BLOCK_BYTES;

/// `None` when something is missing or wrong, which `gather` then knows.
pub(super) fn gather(
    gather: &mut Gather,
    config: &Config,
    layer: usize,
    original: bool,
) -> Result<Option<LayerWeights>> {
    let names = if original { Names::original(layer) } else { Names::hub(layer) };
    let (hidden, query, kv) = (config.hidden, config.query_width(), config.kv_width());
    let input_norm = gather.vector(&names.input_norm, &[hidden])?;
    let projections = match &names.qkv {
        Qkv::Fused(name) => gather.stacked(name, [query, kv, kv], hidden)?,
        Qkv::Apart([q, k, v]) => {
            let query = gather.linear(q, query, hidden)?;
            let key = gather.linear(k, kv, hidden)?;
            let value = gather.linear(v, kv, hidden)?;
            query.zip(key).zip(value).map(|((query, key), value)| [query, key, value])
        }
    };
    let sinks = gather.vector(&names.sinks, &[config.heads.query])?;
    let output = gather.linear(&names.output, hidden, query)?;
    let post_attention_norm = gather.vector(&names.post_attention_norm, &[hidden])?;
    let router = gather.linear(&names.router, config.experts, hidden)?;
    let experts = experts(gather, config, &names)?;
    let parts = (input_norm, projections, sinks, output, post_attention_norm, router, experts);
    let (
        Some(input_norm),
        Some([query, key, value]),
        Some(sinks),
        Some(output),
        Some(post_attention_norm),
        Some(router),
        Some(experts),
    ) = parts
    else {
        return Ok(None);
    };
    Ok(Some(LayerWeights {
        input_norm,
        query,
        key,
        value,
        sinks,
        output,
        post_attention_norm,
        router,
        experts,
    }))
}

fn experts(gather: &mut Gather, config: &Config, names: &Names) -> Result<Option<Experts<Bytes>>> {
    let (count, hidden, inner) = (config.experts, config.hidden, config.intermediate);
    let gate_up = expert_matrix(gather, &names.gate_up, count, 2 * inner, hidden)?;
    let gate_up_bias = gather.vector(&names.gate_up_bias, &[count, 2 * inner])?;
    let down = expert_matrix(gather, &names.down, count, hidden, inner)?;
    let down_bias = gather.vector(&names.down_bias, &[count, hidden])?;
    let (Some(gate_up), Some(gate_up_bias), Some(down), Some(down_bias)) =
        (gate_up, gate_up_bias, down, down_bias)
    else {
        return Ok(None);
    };
    Ok(Some(Experts::new(count, gate_up, gate_up_bias, down, down_bias, config.swiglu)?))
}

/// MXFP4 `[experts, outputs, inputs / 32, 16]` with its scales, or dense: `[experts, inputs, outputs]` under
/// the hub's names, `[experts, outputs, inputs]` under those of the release.
fn expert_matrix(
    gather: &mut Gather,
    name: &ExpertNames,
    count: usize,
    outputs: usize,
    inputs: usize,
) -> Result<Option<ExpertMatrix<Bytes>>> {
    if gather.has(&name.dense) {
        let shape = if name.by_input { [count, inputs, outputs] } else { [count, outputs, inputs] };
        let Some(stored) = gather.take(&name.dense, &shape, FLOATS) else { return Ok(None) };
        let matrix = dense(&stored, shape[2])?;
        let side = if name.by_input { ExpertMatrix::RowsIn } else { ExpertMatrix::RowsOut };
        return Ok(Some(side(matrix)));
    }
    let groups = inputs.div_ceil(BLOCK);
    let blocks = gather.take(&name.blocks, &[count, outputs, groups, BLOCK_BYTES], &[DType::U8]);
    let scales = gather.take(&name.scales, &[count, outputs, groups], &[DType::U8]);
    let Some((blocks, scales)) = blocks.zip(scales) else { return Ok(None) };
    let blocks = strips(&blocks, groups * BLOCK_BYTES)?;
    let scales = strips(&scales, groups)?;
    Ok(Some(ExpertMatrix::RowsOut(Matrix::mxfp4(inputs, blocks, scales)?)))
}

struct Names {
    input_norm: String,
    qkv: Qkv,
    sinks: String,
    output: String,
    post_attention_norm: String,
    router: String,
    gate_up: ExpertNames,
    gate_up_bias: String,
    down: ExpertNames,
    down_bias: String,
}

enum Qkv {
    Fused(String),
    Apart([String; 3]),
}

struct ExpertNames {
    blocks: String,
    scales: String,
    dense: String,
    /// Whether a row of the dense form is of one input.
    by_input: bool,
}

impl Names {
    /// Those of transformers and the hub.
    fn hub(layer: usize) -> Self {
        let name = |rest: &str| format!("model.layers.{layer}.{rest}");
        let experts = |part: &str| ExpertNames {
            blocks: name(&format!("mlp.experts.{part}_blocks")),
            scales: name(&format!("mlp.experts.{part}_scales")),
            dense: name(&format!("mlp.experts.{part}")),
            by_input: true,
        };
        Self {
            input_norm: name("input_layernorm.weight"),
            qkv: Qkv::Apart(["q", "k", "v"].map(|part| name(&format!("self_attn.{part}_proj")))),
            sinks: name("self_attn.sinks"),
            output: name("self_attn.o_proj"),
            post_attention_norm: name("post_attention_layernorm.weight"),
            router: name("mlp.router"),
            gate_up: experts("gate_up_proj"),
            gate_up_bias: name("mlp.experts.gate_up_proj_bias"),
            down: experts("down_proj"),
            down_bias: name("mlp.experts.down_proj_bias"),
        }
    }

    /// Those of the release's `original/` folder.
    fn original(layer: usize) -> Self {
        let name = |rest: &str| format!("block.{layer}.{rest}");
        let experts = |part: &str| ExpertNames {
            blocks: name(&format!("mlp.{part}_weight.blocks")),
            scales: name(&format!("mlp.{part}_weight.scales")),
            dense: name(&format!("mlp.{part}_weight")),
            by_input: false,
        };
        Self {
            input_norm: name("attn.norm.scale"),
            qkv: Qkv::Fused(name("attn.qkv")),
            sinks: name("attn.sinks"),
            output: name("attn.out"),
            post_attention_norm: name("mlp.norm.scale"),
            router: name("mlp.gate"),
            gate_up: experts("mlp1"),
            gate_up_bias: name("mlp.mlp1_bias"),
            down: experts("mlp2"),
            down_bias: name("mlp.mlp2_bias"),
        }
    }
}
