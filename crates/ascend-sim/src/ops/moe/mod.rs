//! From router logits to experts and back: gating, sorting rows by expert, weighted sums of what experts answer.

// Parameters, and their order, are those of the C prototypes.
#![allow(clippy::too_many_arguments)]

mod distribute;
mod finalize;
mod finalize_kinds;
mod gating;
mod group_gating;
mod init;
mod init_expert;
mod init_plan;
mod init_range;
mod permute;
mod rank;
mod tokens;

pub(crate) use distribute::{combine_v2, dispatch_v2};
pub(crate) use finalize::{finalize_routing, finalize_routing_v2};
pub(crate) use finalize_kinds::finalize_routing_v3;
pub(crate) use gating::{gating_top_k_softmax, gating_top_k_softmax_v2};
pub(crate) use group_gating::gating_top_k;
pub(crate) use init::init_routing;
pub(crate) use init_expert::init_routing_v2;
pub(crate) use init_range::init_routing_v3;
pub(crate) use permute::{token_permute, token_unpermute};
pub(crate) use tokens::compute_expert_tokens;

#[cfg(test)]
mod tests;
