#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod backend;
mod cache;
pub mod chat;
mod config;
mod error;
mod generate;
mod model;
mod precision;
pub mod sampling;
mod session;
pub mod text;
pub mod tokenizer;
pub mod weights;

pub use config::{CONFIG, Config, LayerKind};
pub use error::{Error, Result, TensorProblem};
pub use generate::{CancelToken, Finish, Generation, Metrics, Request, Step};
pub use model::{At, Feed, Model, Observer, Options, Usage, Wanted, locate};
pub use moe_kernels::{Activations, Repack};
pub use precision::Precision;
pub use session::Session;
