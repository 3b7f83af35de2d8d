//! gpt-oss, token by token and without a cache, of the reference operations.

use crate::mistake::Mistake;
use crate::{attention, feed_forward};
use moe_kernels::reference::{Choice, Expert, Swiglu, YarnScaling, linear, rms_norm};

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) hidden: usize,
    pub(crate) query_heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) experts: usize,
    pub(crate) experts_per_token: usize,
    /// Of every layer, whether its attention has the window.
    pub(crate) sliding: Vec<bool>,
    pub(crate) window: usize,
    pub(crate) max_positions: usize,
    pub(crate) eps: f64,
    pub(crate) swiglu: Swiglu,
    pub(crate) yarn: YarnScaling,
}

#[derive(Clone, Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Linear {
    pub(crate) fn forward(&self, x: &[f64]) -> Vec<f64> {
        linear(x, &self.weight, Some(&self.bias)).unwrap()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ExpertWeights {
    pub(crate) gate_up: Vec<f32>,
    pub(crate) gate_up_bias: Vec<f32>,
    pub(crate) down: Vec<f32>,
    pub(crate) down_bias: Vec<f32>,
}

impl ExpertWeights {
    pub(crate) fn with(&self, swiglu: Swiglu) -> Expert<'_> {
        Expert {
            gate_up: &self.gate_up,
            gate_up_bias: &self.gate_up_bias,
            down: &self.down,
            down_bias: &self.down_bias,
            swiglu,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) input_norm: Vec<f32>,
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    pub(crate) output: Linear,
    pub(crate) sinks: Vec<f32>,
    pub(crate) post_norm: Vec<f32>,
    pub(crate) router: Linear,
    pub(crate) experts: Vec<ExpertWeights>,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) config: Config,
    pub(crate) embedding: Vec<f32>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Vec<f32>,
    pub(crate) head: Vec<f32>,
}

/// Everything that a golden set has of a prompt.
pub(crate) struct Trace {
    /// `[tokens, vocab]`.
    pub(crate) logits: Vec<Vec<f64>>,
    /// `[layers + 1, tokens, hidden]`: the embedding, then the output of each layer.
    pub(crate) hidden: Vec<Vec<Vec<f64>>>,
    /// `[layers, tokens, experts_per_token]`.
    pub(crate) choices: Vec<Vec<Vec<Choice>>>,
}

impl Model {
    pub(crate) fn run(&self, tokens: &[u32], mistake: Option<Mistake>) -> Trace {
        let embed = |token: &u32| -> Vec<f64> {
            let row = &self.embedding[*token as usize * self.config.hidden..][..self.config.hidden];
            row.iter().copied().map(f64::from).collect()
        };
        let mut x: Vec<Vec<f64>> = tokens.iter().map(embed).collect();
        let mut hidden = vec![x.clone()];
        let mut choices = Vec::new();
        for (layer, sliding) in self.layers.iter().zip(&self.config.sliding) {
            attention::add(&self.config, layer, *sliding, &mut x, mistake);
            choices.push(feed_forward::add(&self.config, layer, &mut x, mistake));
            hidden.push(x.clone());
        }
        let logits = |x: &Vec<f64>| {
            let t = match mistake {
                Some(Mistake::FinalNormDropped) => x.clone(),
                _ => norm(&self.config, x, &self.norm, mistake),
            };
            linear(&t, &self.head, None).unwrap()
        };
        Trace { logits: x.iter().map(logits).collect(), hidden, choices }
    }
}

pub(crate) fn norm(
    config: &Config,
    x: &[f64],
    weight: &[f32],
    mistake: Option<Mistake>,
) -> Vec<f64> {
    if mistake == Some(Mistake::EpsOutsideRoot) {
        let root = (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64).sqrt();
        return x
            .iter()
            .zip(weight)
            .map(|(x, w)| x / (root + config.eps) * f64::from(*w))
            .collect();
    }
    rms_norm(x, weight, config.eps).unwrap()
}
