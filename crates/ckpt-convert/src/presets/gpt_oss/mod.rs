//! gpt-oss: tensor names and shapes, the order and the shards of the release, its `config.json`.
//!
//! ```
//! use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape, tensors};
//!
//! let shape = Shape::b20();
//! let all = tensors(&shape, ExpertFormat::Mxfp4);
//! assert_eq!(all.len(), 459);
//! assert_eq!(all.iter().map(|t| t.bytes()).sum::<u64>(), 13_761_264_768);
//! assert_eq!(shape.parameters(), 20_914_757_184);
//! ```

mod config;
mod group;
mod layout;
mod mxfp4;
mod shape;

pub use config::{config_json, generation_config_json, model_name};
pub use group::{Group, group_of};
pub use layout::{ExpertFormat, TensorDesc, shard_file_name, shard_files, shards, tensors};
pub(crate) use mxfp4::{
    ExpertLayout, dense_shape, is_dense, packed_shapes, pair_fits, partner_name,
};
pub use mxfp4::{Mxfp4Role, mxfp4_partner};
pub use shape::Shape;
