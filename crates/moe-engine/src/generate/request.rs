//! What is to be generated.

use crate::sampling::SamplingParams;

/// A prompt and how to go on from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The tokens to continue.
    pub prompt: Vec<u32>,
    /// How tokens are chosen.
    pub sampling: SamplingParams,
    /// Which random numbers.
    pub seed: u64,
    /// Most tokens to generate.
    pub max_new: usize,
    /// Tokens that end the sequence; the model's own ([`Config::eos`](crate::Config::eos)) if `None`.
    pub stop_tokens: Option<Vec<u32>>,
    /// Texts that end the sequence and are not part of it; they need a tokenizer.
    pub stop_strings: Vec<String>,
}

impl Request {
    /// Continues a prompt with the most likely tokens, at most 128, until one that ends the model's answers.
    #[must_use]
    pub fn new(prompt: impl Into<Vec<u32>>) -> Self {
        Self {
            prompt: prompt.into(),
            sampling: SamplingParams::greedy(),
            seed: 0,
            max_new: 128,
            stop_tokens: None,
            stop_strings: Vec::new(),
        }
    }
}
