//! What a model costs.

use moe_engine::backend::Backend;
use moe_engine::{Config, LayerKind, Model};
use serde::{Deserialize, Serialize};

use crate::{Case, Work};

/// The sizes of a model, as far as they say what running it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelFacts {
    /// What it is called, or its folder.
    pub name: String,
    /// Whether its weights are random: times are the same, tokens mean nothing.
    pub synthetic: bool,
    /// Where it runs.
    pub device: String,
    /// Layers.
    pub layers: usize,
    /// Experts of a layer.
    pub experts: usize,
    /// Experts that a token goes through.
    pub experts_per_token: usize,
    /// The width of the residual stream.
    pub hidden: usize,
    /// Tokens that it knows.
    pub vocab: usize,
    /// Multiplications and additions that a token takes in the layers, its attention to others left out.
    pub flops_per_token: u64,
    /// The same in the head.
    pub flops_of_head: u64,
    /// The same for each key that a token attends to in a layer.
    pub flops_per_key: u64,
    /// Keys that a sliding layer sees, and how many such layers there are.
    pub window: (usize, usize),
}

impl ModelFacts {
    /// Those of an open model.
    #[must_use]
    pub fn of<B: Backend>(model: &Model<B>, name: impl Into<String>, synthetic: bool) -> Self {
        let device = model.backend().capabilities().device;
        Self::from_config(model.config(), name, synthetic, device)
    }

    /// Those of a model of this configuration.
    #[must_use]
    pub fn from_config(
        config: &Config,
        name: impl Into<String>,
        synthetic: bool,
        device: String,
    ) -> Self {
        let (hidden, query, kv) = (config.hidden, config.query_width(), config.kv_width());
        let attention = hidden * (query + 2 * kv) + query * hidden;
        // Gate, up and down.
        let expert = 3 * hidden * config.intermediate;
        let layer = attention + hidden * config.experts + config.experts_per_token * expert;
        let sliding = config.layers.iter().filter(|&&kind| kind == LayerKind::Sliding).count();
        Self {
            name: name.into(),
            synthetic,
            device,
            layers: config.layers.len(),
            experts: config.experts,
            experts_per_token: config.experts_per_token,
            hidden,
            vocab: config.vocab,
            flops_per_token: 2 * (config.layers.len() * layer) as u64,
            flops_of_head: 2 * (config.vocab * hidden) as u64,
            flops_per_key: 4 * query as u64,
            window: (config.sliding_window, sliding),
        }
    }

    /// The arithmetic of a prompt: all tokens through the layers, the last of each sequence through the head.
    #[must_use]
    pub fn prefill_flops(&self, case: &Case) -> u64 {
        let tokens = (case.batch * case.prompt) as u64;
        let keys = self.keys(0, case.prompt) * case.batch as u64;
        tokens * self.flops_per_token
            + case.batch as u64 * self.flops_of_head
            + keys * self.flops_per_key
    }

    /// The arithmetic of the tokens after the first generated one.
    #[must_use]
    pub fn decode_flops(&self, case: &Case) -> u64 {
        let steps = case.generate - 1;
        let tokens = (case.batch * steps) as u64;
        let keys = self.keys(case.prompt, steps) * case.batch as u64;
        tokens * (self.flops_per_token + self.flops_of_head) + keys * self.flops_per_key
    }

    /// Keys that `count` tokens from position `first` on see, in all layers together.
    fn keys(&self, first: usize, count: usize) -> u64 {
        let (window, sliding) = self.window;
        let full = self.layers - sliding;
        let seen = (first + 1)..=(first + count);
        seen.map(|seen| (full * seen + sliding * seen.min(window)) as u64).sum()
    }

    /// The whole of a case: arithmetic of both phases, and bytes as the engine counts them.
    pub(crate) fn work(&self, case: &Case, bytes: [u64; 2]) -> [Work; 2] {
        let flops = [self.prefill_flops(case), self.decode_flops(case)];
        [Work { bytes: bytes[0], flops: flops[0] }, Work { bytes: bytes[1], flops: flops[1] }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn b20() -> ModelFacts {
        let text = r#"{"model_type": "gpt_oss", "num_hidden_layers": 24, "num_local_experts": 32,
            "vocab_size": 201088}"#;
        let config = Config::from_json("config.json", text).expect("the configuration of 20b");
        ModelFacts::from_config(&config, "gpt-oss-20b".to_owned(), true, "none".to_owned())
    }

    /// 3.61 billion weights are active for a token, 0.58 of them in the head.
    #[test]
    fn a_token_of_the_20b() {
        let facts = b20();
        let head = 2 * 201_088 * 2880;
        assert_eq!(facts.flops_of_head, head);
        let active = (facts.flops_per_token + head) as f64 / 2e9;
        assert!((3.60..3.62).contains(&active), "{active}");
    }

    #[test]
    fn keys_stop_at_the_window() {
        let facts = ModelFacts { layers: 2, window: (4, 1), ..b20() };
        // Full: 1 + 2 + … + 6; sliding: 1 + 2 + 3 + 4 + 4 + 4.
        assert_eq!(facts.keys(0, 6), 21 + 18);
        assert_eq!(facts.keys(5, 1), 6 + 4);
    }

    #[test]
    fn a_single_token_is_all_prefill() {
        let case = Case { batch: 2, prompt: 8, generate: 1 };
        assert_eq!(b20().decode_flops(&case), 0);
    }
}
