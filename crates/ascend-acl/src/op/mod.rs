//! Operators, with their arguments checked before the vendor sees them.
//!
//! An operator takes a stream, [`Tensor`]s, which are views of device memory, and writes to tensors that the caller made. It returns as soon as
//! it is on the stream; what goes wrong later is reported by the call that waits. A function checks shapes, types and the
//! documented limits of the vendor and says what is wrong with which argument ([`Error::Argument`](crate::Error::Argument)); what only the vendor
//! knows comes back as [`Error::Call`](crate::Error::Call), and an operator that the installed release does not have as
//! [`Error::MissingSymbol`](crate::Error::MissingSymbol).
//!
//! Outputs are written through shared references; [`rt`](crate::rt) explains why that is sound and how memory stays alive while
//! streams use it.

// Lengths and offsets of memory are below 2^63.
#![allow(clippy::cast_possible_wrap)]

mod activation;
mod argument;
mod arithmetic;
mod attention;
mod cache;
mod call;
mod capabilities;
mod check;
mod dims;
mod dtype;
mod format;
mod grouped;
mod indexing;
mod matmul;
mod moving;
mod norm;
mod quantised;
mod rotary;
mod routing;
mod tensor;
mod window;

pub use activation::*;
pub use argument::Scalar;
pub use arithmetic::*;
pub use attention::*;
pub use cache::*;
pub use capabilities::Capabilities;
pub use dtype::bits_of;
pub use format::*;
pub use grouped::GroupedMatmul;
pub use indexing::*;
pub use matmul::*;
pub use moving::*;
pub use norm::*;
pub use quantised::*;
pub use rotary::*;
pub use routing::*;
pub use tensor::Tensor;
pub use window::Window;
