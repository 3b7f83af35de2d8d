//! Bytes.

use half::bf16;

use super::Facts;
use crate::backend::npu::forms::ExpertForm;
use crate::backend::npu::heads::HeadLayout;

/// Bytes on a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// The embedding table and the head.
    pub vocabulary: u64,
    /// Attention, routers and norms.
    pub dense: u64,
    /// Experts.
    pub experts: u64,
    /// Keys and values.
    pub cache: u64,
    /// Activations and constants.
    pub activations: u64,
    /// What operators ask for beside them, estimated.
    pub workspaces: u64,
}

impl Sizes {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { vocabulary, dense, experts, cache, activations, workspaces } = self;
        vocabulary + dense + experts + cache + activations + workspaces
    }

    pub(super) fn weights(&self) -> u64 {
        self.vocabulary + self.dense + self.experts
    }
}

/// One workspace for the stream and one for each graph: most operators ask for 16 MiB, few for more than twice that.
const WORKSPACES: u64 = 512 << 20;

/// All but the cache.
pub(super) fn sizes(facts: &Facts<'_>, heads: HeadLayout, form: ExpertForm) -> Sizes {
    let Facts { config, rows, logits_rows, devices, .. } = facts;
    let (hidden, inner, experts) = (config.hidden, config.intermediate, config.experts);
    let layers = config.layers.len() as u64;
    let (query, kv) = (heads.query_width(), heads.kv_width());
    let fused = query + 2 * kv;
    let half = size_of::<bf16>();
    let dense = hidden * fused + fused + query * hidden + hidden + experts * hidden + experts;
    let here = experts / devices;
    let biases = 4 * (here * (2 * inner + hidden)) as u64;
    let of_experts = form.bytes(here, 2 * inner, hidden) + form.bytes(here, hidden, inner) + biases;
    let row = 3 * hidden + fused + 2 * (query + kv) + experts;
    let routed = config.experts_per_token * (2 * hidden + 5 * inner);
    Sizes {
        vocabulary: (2 * config.vocab * hidden * half) as u64,
        dense: layers * ((dense + 6 * hidden) * half) as u64,
        experts: layers * of_experts,
        cache: 0,
        activations: ((rows * (row + routed) + logits_rows * config.vocab) * half) as u64
            + (2 * config.max_positions * heads.size * half) as u64,
        workspaces: WORKSPACES.min(facts.free / 16),
    }
}
