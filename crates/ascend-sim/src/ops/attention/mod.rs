//! Attention: `aclnnFusedInferAttentionScore` V1 to V5, its parents for prompts and for single tokens, and the two for
//! training.
//!
//! Simulated: f16 and bf16 (in training f32 too), grouped heads, contiguous and paged keys, all masks but trees, sinks,
//! log-sum-exp. Refused with 561003, as what is not simulated: quantised inputs and outputs, position shifts, padding on
//! the left, shared prefixes, separate rotary parts (MLA), dropout. Scores, softmax and sums are f32, with one rounding at
//! the end.

// Parameters, and their order, are those of the C prototypes.
#![allow(clippy::too_many_arguments)]

mod compute;
mod fused;
mod fused_sink;
mod inference;
mod layout;
mod lengths;
mod limits;
mod mask;
mod older;
mod paged;
mod rows;
mod sources;
mod training;

pub(crate) use fused::{
    fused_infer_attention_score, fused_infer_attention_score_v2, fused_infer_attention_score_v3,
};
pub(crate) use fused_sink::{fused_infer_attention_score_v4, fused_infer_attention_score_v5};
pub(crate) use older::{incre_flash_attention_v4, prompt_flash_attention_v3};
pub(crate) use training::{flash_attention_score_v3, flash_attention_var_len_score_v3};

#[cfg(test)]
mod tests;
