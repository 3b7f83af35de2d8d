//! How tokens are chosen.

use std::collections::BTreeMap;

use clap::Args;
use moe_engine::sampling::SamplingParams;

/// The sampler's options.
#[derive(Args, Debug)]
pub struct SamplingArgs {
    /// 0 always takes the most likely token; 1 draws from the model's own distribution
    #[arg(long)]
    pub temperature: Option<f32>,
    /// Draw from this many of the most likely tokens
    #[arg(long)]
    pub top_k: Option<usize>,
    /// Draw from the most likely tokens that hold this share of the probability
    #[arg(long, default_value_t = 1.0)]
    pub top_p: f32,
    /// Leave out tokens less likely than this share of the most likely one
    #[arg(long, default_value_t = 0.0)]
    pub min_p: f32,
    /// Above 1: less of what is in prompt and answer already
    #[arg(long, default_value_t = 1.0)]
    pub repetition_penalty: f32,
    /// Taken off a token's logit each time it was generated
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub frequency_penalty: f32,
    /// Taken off a token's logit if it was generated
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    pub presence_penalty: f32,
    /// Added to a token's logit, as 1234=-5; can be given several times; -inf forbids the token
    #[arg(long, value_name = "ID=BIAS", value_parser = bias)]
    pub logit_bias: Vec<(u32, f32)>,
    /// Give log-probabilities of this many most likely tokens, in JSON
    #[arg(long)]
    pub logprobs: Option<usize>,
    /// Which random numbers
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl SamplingArgs {
    /// `temperature` is that of the program, where no other is given.
    pub fn params(&self, temperature: f32) -> SamplingParams {
        SamplingParams {
            temperature: self.temperature.unwrap_or(temperature),
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            logit_bias: self.logit_bias.iter().copied().collect::<BTreeMap<_, _>>(),
            logprobs: self.logprobs,
            ..SamplingParams::default()
        }
    }
}

fn bias(text: &str) -> Result<(u32, f32), String> {
    let pair =
        text.split_once('=').and_then(|(id, bias)| Some((id.parse().ok()?, bias.parse().ok()?)));
    pair.ok_or_else(|| format!("{text:?}: expected ID=BIAS, as 1234=-5"))
}
