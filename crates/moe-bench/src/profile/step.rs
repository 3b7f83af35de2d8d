//! The kinds of steps, and their times.

use serde::{Deserialize, Serialize};

/// A kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepKind {
    /// Rows of the embedding table.
    Embed,
    /// `RMSNorm`.
    Norm,
    /// Queries, keys and values.
    Qkv,
    /// The rotary embedding.
    Rope,
    /// Room in the caches, and what the device has to know of a batch.
    Cache,
    /// New keys and values into the cache, and attention over it.
    Attention,
    /// The projection after attention.
    Output,
    /// The router's logits and its choice.
    Router,
    /// The experts.
    Experts,
    /// Additions to the residual stream.
    Add,
    /// The logits.
    Head,
    /// Results read back, and looked at for NaN.
    Read,
    /// All else: sampling, and what lies between steps.
    Rest,
}

impl StepKind {
    /// All of them, in the order of a token's way.
    pub const ALL: [Self; 13] = [
        Self::Embed,
        Self::Norm,
        Self::Qkv,
        Self::Rope,
        Self::Cache,
        Self::Attention,
        Self::Output,
        Self::Router,
        Self::Experts,
        Self::Add,
        Self::Head,
        Self::Read,
        Self::Rest,
    ];

    /// The name: `attention`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::Norm => "norm",
            Self::Qkv => "qkv",
            Self::Rope => "rope",
            Self::Cache => "cache",
            Self::Attention => "attention",
            Self::Output => "output",
            Self::Router => "router",
            Self::Experts => "experts",
            Self::Add => "add",
            Self::Head => "head",
            Self::Read => "read",
            Self::Rest => "rest",
        }
    }
}

/// Seconds a kind of step, in both phases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepTime {
    /// Which.
    pub step: StepKind,
    /// Seconds of it until the first token.
    pub prefill: f64,
    /// Seconds of it after the first token.
    pub decode: f64,
}
