#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod asserts;
pub mod golden;
pub mod hub;
mod original;
pub mod safetensors;
pub mod tiny;

pub use asserts::{assert_bytes, assert_tensors};
// What a `TinyBuilder` takes, for crates that have nothing else to do with conversion.
pub use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape};
pub use golden::{Distance, Golden};
pub use tiny::{Layout, Sharding, Tensor, Tensors, Tiny, TinyBuilder};
