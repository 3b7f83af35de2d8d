//! Rotary position embedding.

// Parameters, and their order, are those of the C prototypes.
#![allow(clippy::too_many_arguments)]

mod apply;
mod cache;
mod rotate;
mod single;

pub(crate) use apply::{apply_rotary_pos_emb, apply_rotary_pos_emb_v2};
pub(crate) use cache::rope_with_sin_cos_cache;
pub(crate) use single::{rotary_position_embedding, rotary_position_embedding_v2};

#[cfg(test)]
mod tests;
