//! Times and counts of a generation.

use std::time::Duration;

use crate::Usage;

/// How long a generation took, and what it read.
///
/// The first round computes the prompts and gives every sequence its first token: that is prefill. All later
/// rounds are decode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Tokens of the prompts, of all sequences.
    pub prompt_tokens: usize,
    /// Tokens that were generated, of all sequences.
    pub generated: usize,
    /// Rounds: each gives one token to every sequence that has not ended.
    pub rounds: usize,
    /// Time from the start to the first tokens: the prefill.
    pub first_token: Duration,
    /// Time of all later rounds.
    pub decode: Duration,
    /// The longest of the later rounds.
    pub slowest_round: Duration,
    /// What the prefill read.
    pub prefill_usage: Usage,
    /// What the later rounds read.
    pub decode_usage: Usage,
    /// Tokens that the later rounds gave.
    decoded: usize,
}

impl Metrics {
    /// Prompt tokens a second; 0 before there is one.
    #[must_use]
    pub fn prefill_rate(&self) -> f64 {
        rate(self.prompt_tokens, self.first_token)
    }

    /// Tokens a second after the first ones, of all sequences together; 0 before there is one.
    #[must_use]
    pub fn decode_rate(&self) -> f64 {
        rate(self.decoded, self.decode)
    }

    /// Bytes of weights and cache that decoding read a second.
    #[must_use]
    pub fn decode_bytes_rate(&self) -> f64 {
        let Usage { weight_bytes, kv_bytes, .. } = self.decode_usage;
        let seconds = self.decode.as_secs_f64();
        if seconds > 0.0 { (weight_bytes + kv_bytes) as f64 / seconds } else { 0.0 }
    }

    pub(super) fn add_round(&mut self, fed: usize, given: usize, usage: Usage, took: Duration) {
        if self.rounds == 0 {
            self.prompt_tokens = fed;
            self.first_token = took;
            self.prefill_usage = usage;
        } else {
            self.decode += took;
            self.decoded += given;
            self.slowest_round = self.slowest_round.max(took);
            self.decode_usage += usage;
        }
        self.rounds += 1;
        self.generated += given;
    }
}

fn rate(count: usize, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}
