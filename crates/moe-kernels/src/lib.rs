#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
// The loops of one instruction set must be compiled with its features, down to single values.
#![allow(clippy::inline_always)]
// Views of arrays are references already.
#![allow(clippy::needless_pass_by_value)]

mod activations;
pub mod arch;
mod attention;
mod error;
mod experts;
mod inputs;
mod linear;
mod matrix;
mod norm;
mod panel;
pub mod reference;
mod repack;
mod residual;
mod rope;
mod rounding;
mod router;
mod strips;
mod view;

pub use activations::Activations;
pub use attention::{Attention, Heads, KvView, Span};
pub use error::{Error, Result};
pub use experts::{ExpertMatrix, Experts, ExpertsScratch, Swiglu};
pub use linear::linear;
pub use matrix::Matrix;
pub use norm::rms_norm;
pub use repack::{CodedParts, Int8Parts, Repack};
pub use residual::add;
pub use rope::{Rope, Yarn, rotate};
pub use rounding::Rounding;
pub use router::{Routing, route};
pub use strips::Strips;
