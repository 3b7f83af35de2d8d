//! Mistakes that are another configuration or other weights: the model that a wrong reader would
//! have read.

use crate::mistake::Mistake;
use crate::model::{Config, ExpertWeights, Layer, Linear, Model};
use moe_kernels::reference::YarnScaling;

/// The model as it is with the mistake. Mistakes of arithmetic leave it as it is, and so do those
/// that its shapes do not allow.
pub(crate) fn alter(model: &Model, mistake: Mistake) -> Model {
    let mut model = model.clone();
    for layer in &mut model.layers {
        alter_attention(&model.config, layer, mistake);
        alter_layer(layer, mistake);
        for expert in &mut layer.experts {
            alter_expert(model.config.hidden, expert, mistake);
        }
    }
    if mistake == Mistake::HeadTied {
        model.head.clone_from(&model.embedding);
    }
    alter_config(&mut model.config, mistake);
    model
}

fn alter_config(config: &mut Config, mistake: Mistake) {
    let yarn = &mut config.yarn;
    match mistake {
        Mistake::WindowOneTooLong => config.window += 1,
        Mistake::WindowOneTooShort => config.window -= 1,
        Mistake::SlidingOnOddLayers => config.sliding.iter_mut().for_each(|s| *s = !*s),
        Mistake::SlidingEverywhere => config.sliding.fill(true),
        Mistake::SlidingNowhere => config.sliding.fill(false),
        Mistake::YarnTruncated => yarn.truncate = true,
        Mistake::YarnDropped => yarn.factor = 1.0,
        Mistake::OriginalContextIsMaximum => yarn.original_context = config.max_positions,
        Mistake::RopeConstantsHardCoded => {
            *yarn = YarnScaling {
                head_dim: yarn.head_dim,
                theta: 150_000.0,
                factor: 32.0,
                beta_fast: 32.0,
                beta_slow: 1.0,
                original_context: 4096,
                truncate: false,
            };
        }
        Mistake::EpsTooSmall => config.eps = 1e-6,
        Mistake::OneExpertTooFew => {
            config.experts_per_token = (config.experts_per_token - 1).max(1);
        }
        Mistake::OneExpertTooMany => {
            config.experts_per_token = (config.experts_per_token + 1).min(config.experts);
        }
        Mistake::ClampDropped => config.swiglu.limit = f64::INFINITY,
        Mistake::AlphaIsOne => config.swiglu.alpha = 1.0,
        _ => {}
    }
}

fn alter_layer(layer: &mut Layer, mistake: Mistake) {
    match mistake {
        Mistake::SinksDropped => layer.sinks.fill(f32::NEG_INFINITY),
        Mistake::QueryBiasDropped => layer.query.bias.fill(0.0),
        Mistake::KeyBiasDropped => layer.key.bias.fill(0.0),
        Mistake::ValueBiasDropped => layer.value.bias.fill(0.0),
        Mistake::OutputBiasDropped => layer.output.bias.fill(0.0),
        Mistake::NormsExchanged => std::mem::swap(&mut layer.input_norm, &mut layer.post_norm),
        Mistake::RouterBiasDropped => layer.router.bias.fill(0.0),
        _ => {}
    }
}

fn alter_attention(config: &Config, layer: &mut Layer, mistake: Mistake) {
    let dim = config.yarn.head_dim;
    match mistake {
        Mistake::SinksScaled => {
            let scale = 1.0 / (dim as f32).sqrt();
            layer.sinks.iter_mut().for_each(|sink| *sink *= scale);
        }
        // Scores stay as they are when the elements of queries and keys move together.
        Mistake::PairsInterleaved => {
            let halves = |row: usize| {
                let (head, place) = (row / dim * dim, row % dim);
                head + if place < dim / 2 { 2 * place } else { 2 * (place - dim / 2) + 1 }
            };
            move_rows(&mut layer.query, halves);
            move_rows(&mut layer.key, halves);
        }
        // Heads move to where grouping gives them the key head of their remainder, and back.
        Mistake::KeyHeadIsRemainder => {
            let group = config.query_heads / config.kv_heads;
            let from = |head: usize| head % group * config.kv_heads + head / group;
            let of_row = |row: usize| from(row / dim) * dim + row % dim;
            move_rows(&mut layer.query, of_row);
            layer.sinks = (0..layer.sinks.len()).map(|head| layer.sinks[from(head)]).collect();
            let width = config.query_heads * dim;
            let rows = layer.output.weight.chunks_exact(width);
            layer.output.weight =
                rows.flat_map(|row| (0..width).map(|column| row[of_row(column)])).collect();
        }
        _ => {}
    }
}

fn alter_expert(hidden: usize, expert: &mut ExpertWeights, mistake: Mistake) {
    let ExpertWeights { gate_up, gate_up_bias, down, down_bias } = expert;
    let intermediate = gate_up_bias.len() / 2;
    match mistake {
        Mistake::GateAndUpAreHalves => {
            let halves = |row: usize| row / 2 + row % 2 * intermediate;
            *gate_up = moved(gate_up, hidden, halves);
            *gate_up_bias = moved(gate_up_bias, 1, halves);
        }
        Mistake::GateAndUpSwapped => {
            *gate_up = moved(gate_up, hidden, |row| row ^ 1);
            *gate_up_bias = moved(gate_up_bias, 1, |row| row ^ 1);
        }
        Mistake::GateUpBiasDropped => gate_up_bias.fill(0.0),
        Mistake::DownBiasDropped => down_bias.fill(0.0),
        Mistake::DownTransposed if hidden == intermediate => {
            *down = moved(down, 1, |i| i % hidden * hidden + i / hidden);
        }
        Mistake::NibblesSwapped => {
            *gate_up = moved(gate_up, 1, |i| i ^ 1);
            *down = moved(down, 1, |i| i ^ 1);
        }
        Mistake::ScalesTwiceTooLarge => gate_up.iter_mut().chain(down).for_each(|w| *w *= 2.0),
        Mistake::ScalesTwiceTooSmall => gate_up.iter_mut().chain(down).for_each(|w| *w /= 2.0),
        _ => {}
    }
}

fn move_rows(linear: &mut Linear, from: impl Fn(usize) -> usize) {
    let columns = linear.weight.len() / linear.bias.len();
    linear.weight = moved(&linear.weight, columns, &from);
    linear.bias = moved(&linear.bias, 1, &from);
}

/// The matrix whose row `r` is row `from(r)` of this one.
fn moved(matrix: &[f32], columns: usize, from: impl Fn(usize) -> usize) -> Vec<f32> {
    let rows = 0..matrix.len() / columns;
    rows.flat_map(|row| &matrix[from(row) * columns..][..columns]).copied().collect()
}
