//! Logits to a token.
//!
//! [`Sampler`] applies a chain of steps to a row of logits and draws from what is left:
//!
//! | | step | neutral at | what it does |
//! |---|---|---|---|
//! | 1 | vocabulary | `None` | ids at or above the tokenizer's size are out |
//! | 2 | logit bias | empty | adds to chosen ids |
//! | 3 | repetition penalty | 1 | `l / r` if `l > 0`, else `l · r`, for ids in the prompt or generated |
//! | 4 | frequency and presence penalty | 0 | `l − f · count − p`, for ids generated |
//! | 5 | temperature | 1 | weight `exp((l − max) / t)`; 0 chooses the greatest logit and skips the rest |
//! | 6 | top-k | `None` | keeps the k greatest |
//! | 7 | top-p | 1 | keeps the fewest of the greatest that hold p of the weight left |
//! | 8 | min-p | 0 | keeps what has at least m times the greatest weight |
//! | 9 | draw | | one of those left, by weight |
//!
//! Equal logits are ordered by id, lowest first, in every step: greedy choice, top-k and top-p keep
//! exactly as many as they say. Weights are computed and summed in f64, in the order of ids.
//!
//! # Whose definitions
//!
//! - Steps 2 to 5 and their order are vLLM's: the bias counts before the penalties; the repetition
//!   penalty (Keskar et al., CTRL, 2019) looks at prompt and answer, as transformers does too; the
//!   other two are those of `OpenAI` and look at the answer alone. llama.cpp applies all three to the last 64
//!   tokens of both.
//! - Steps 5 to 8 follow transformers' order: temperature first, so top-p and min-p see the tempered
//!   distribution. vLLM cuts by min-p before top-k, which changes what top-p's share is a share of;
//!   llama.cpp's temperature comes last, so that it cuts the untempered distribution.
//! - top-k is exact, as in llama.cpp; transformers and vLLM keep every token that ties with the k-th.
//! - top-p keeps the token that crosses p, as all three do (Holtzman et al., 2020).
//! - min-p is Nguyen et al.'s (2024), relative to the greatest weight.
//! - Log-probabilities are of the model, as by default in vLLM: after step 1 and before all others.
//!
//! # Example
//!
//! ```
//! use moe_engine::sampling::{Sampler, SamplingParams};
//!
//! let params = SamplingParams { temperature: 0.8, top_p: 0.9, ..SamplingParams::default() };
//! let mut sampler = Sampler::new(params, 42)?;
//! sampler.accept_prompt(&[3]);
//! let sample = sampler.sample(&[1.0, 3.0, -2.0, 2.5])?;
//! sampler.accept(sample.id);
//! assert!(sample.id == 1 || sample.id == 3);
//! # Ok::<(), moe_engine::sampling::SamplingError>(())
//! ```
//!
//! # What stays the same
//!
//! [`Rng`] is our own and never changes: a seed gives the same numbers in every version and on every
//! machine. One number is drawn for every token, none for a greedy one. The weights pass through the
//! platform's `exp`, whose last bit may differ between systems; then a draw within that last bit of a
//! boundary may fall to a neighbour.

mod argmax;
mod bias;
mod candidates;
mod draw;
mod error;
mod history;
mod logprobs;
mod min_p;
mod params;
mod penalties;
mod rng;
mod sampler;
mod temperature;
mod top_k;
mod top_p;
mod vocabulary;

pub use error::SamplingError;
pub use logprobs::{Logprobs, TokenLogprob};
pub use params::SamplingParams;
pub use rng::Rng;
pub use sampler::{Sample, Sampler};
