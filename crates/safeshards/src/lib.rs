#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod bytes;
mod checkpoint;
mod dtype;
mod error;
mod header;
mod index;
mod json;
mod layout;
mod locate;
mod lookalike;
mod partial;
mod shard;
#[expect(unsafe_code, reason = "mapping a file is unsafe: the reason is at the call")]
mod source;
mod tensor;
mod writer;

pub use bytes::Bytes;
pub use checkpoint::{Checkpoint, OpenOptions, Warning};
pub use error::{Error, Result};
pub use index::{INDEX_FILE_NAME, ShardIndex};
pub use layout::{LayoutEntry, ShardLayout, TensorSpec, plan_shards, shard_file_name};
pub use lookalike::LookAlike;
pub use lowfloat::DType;
pub use shard::Shard;
pub use tensor::{TensorRef, TensorRows};
pub use writer::{ShardWriter, WriterOptions, Written};
