//! What a batch costs.

use half::bf16;

use super::sizes::Sizes;
use super::{Facts, Plan};
use crate::backend::npu::forms::ExpertForm;
use crate::backend::npu::heads::HeadLayout;
use crate::{Config, LayerKind};

/// What a batch of one token a sequence costs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepCost {
    /// Bytes of weights, keys and values that are read, with as many different experts as random choices hit on average.
    pub bytes: f64,
    /// Multiplications and additions.
    pub flops: f64,
    /// Operators.
    pub launches: usize,
}

/// What costs are counted from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Work {
    layers: usize,
    sliding: usize,
    window: usize,
    experts: usize,
    chosen: usize,
    /// Bytes of one expert of one layer.
    expert: f64,
    /// Bytes of everything but the experts and the embedding table.
    dense: f64,
    /// Bytes of a position in a layer.
    position: f64,
    /// Of a token in all layers and the head, attention to others left out.
    flops: f64,
    /// Of a token for each key in a layer.
    flops_per_key: f64,
}

impl Work {
    pub(super) fn of(
        facts: &Facts<'_>,
        heads: HeadLayout,
        form: ExpertForm,
        sizes: &Sizes,
    ) -> Self {
        let Config { hidden, intermediate, experts, experts_per_token, vocab, .. } = *facts.config;
        let layers = facts.config.layers.len();
        let sliding =
            facts.config.layers.iter().filter(|&&kind| kind == LayerKind::Sliding).count();
        let (query, kv) = (heads.query_width(), heads.kv_width());
        let attention = hidden * (query + 2 * kv) + query * hidden;
        // Of all devices together.
        let shared = if facts.options.tensor_parallel { facts.devices } else { 1 };
        let (attention, query) = (attention * shared, query * shared);
        let chosen = 3 * hidden * intermediate * experts_per_token;
        let of_layer = attention + hidden * experts + chosen;
        let biases = 4 * (2 * intermediate + hidden);
        let expert = form.bytes(1, 2 * intermediate, hidden) + form.bytes(1, hidden, intermediate);
        Self {
            layers,
            sliding,
            window: facts.config.sliding_window,
            experts,
            chosen: experts_per_token,
            expert: (expert + biases as u64) as f64,
            dense: (sizes.dense + sizes.vocabulary / 2) as f64,
            position: (2 * kv * size_of::<bf16>()) as f64,
            flops: 2.0 * (layers * of_layer + vocab * hidden) as f64,
            flops_per_key: 4.0 * query as f64,
        }
    }
}

impl Plan {
    /// What a batch of `sequences` tokens costs a device, each with `keys` keys before it.
    #[must_use]
    pub fn step(&self, sequences: usize, keys: usize) -> StepCost {
        let Work { layers, sliding, window, experts, chosen, .. } = self.work;
        // How many of the experts independent choices leave out, all of equal chance.
        let left_out = (1.0 - chosen as f64 / experts as f64).powf(sequences as f64);
        let here = (experts / self.devices) as f64 * (1.0 - left_out);
        // One more, where experts of other devices are stood in for.
        let here = if self.devices > 1 { here + 1.0 } else { here };
        let seen = (layers - sliding) * keys + sliding * keys.min(window);
        let (sequences, seen) = (sequences as f64, seen as f64);
        StepCost {
            bytes: self.work.dense
                + layers as f64 * here * self.work.expert
                + sequences * seen * self.work.position,
            flops: sequences * (self.work.flops + seen * self.work.flops_per_key),
            launches: self.launches,
        }
    }
}
