//! One token.

use crate::Usage;
use crate::sampling::Logprobs;

/// A token that was generated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// Of which sequence.
    pub sequence: usize,
    /// The how manieth of it, from 0.
    pub index: usize,
    /// The token; a stop token too is given, with no text.
    pub token: u32,
    /// Log-probabilities, if the request asks for them.
    pub logprobs: Option<Logprobs>,
    /// Text that became certain with this token: valid UTF-8 without a part of a stop string. Empty without
    /// a tokenizer.
    pub text: String,
    /// Why the sequence ends with this token.
    pub finish: Option<Finish>,
    /// What the round read that gave this token; in the first step of a round only.
    pub usage: Usage,
}

/// Why a sequence ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// This token was generated.
    StopToken(u32),
    /// This text was generated.
    StopString(String),
    /// There are as many tokens as were asked for.
    Length,
    /// The model's longest context is full.
    Context,
    /// Somebody cancelled it.
    Cancelled,
}

impl Finish {
    /// A word for it: `stop_token`, `stop_string`, `length`, `context` or `cancelled`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::StopToken(_) => "stop_token",
            Self::StopString(_) => "stop_string",
            Self::Length => "length",
            Self::Context => "context",
            Self::Cancelled => "cancelled",
        }
    }
}
