//! Instruction sets: which there are, which is used, and the inner loops for each.
//!
//! A [`Level`] is proof that the CPU has the instructions. Each loop is written once, over sixteen
//! lanes, and compiled for every level; the order of its sums is that of the lanes, not of
//! the registers. So the levels that fuse multiplication and addition (all but
//! [`PORTABLE`](Level::PORTABLE) on x86-64) give the same bits. Products with tiles, which take bf16, are
//! written apart and have an order of their own.
#![allow(unsafe_code)]
// Loops over registers index several arrays alike.
#![allow(clippy::needless_range_loop)]

mod accumulate;
mod ahead;
pub(crate) mod coded;
mod dots;
mod exp;
mod fixed;
mod level;
mod mxfp4;
mod order;
mod portable;
mod products;
mod round;
mod rows;
mod simd;
mod softmax;
mod source;
mod swiglu;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(test)]
mod tests;

pub(crate) use accumulate::accumulate;
pub(crate) use ahead::Ahead;
pub(crate) use dots::{Out, dots};
pub(crate) use fixed::{BLOCK, BlockRow, Fixed, Fixed8, Fixed16, FixedPanel, fixed_products};
pub use level::Level;
pub(crate) use order::{GROUP, Narrow, Order, Wide};
pub(crate) use products::{FEW, Panel, ROWS, Stored, Vectors, by_lane, products};
pub(crate) use round::{bf16, to_bf16};
pub(crate) use rows::Rows;
pub(crate) use softmax::{Softmax, softmax};
pub(crate) use source::{Bf16Row, CodedRow, Int8Row, Mxfp4Row};
pub(crate) use swiglu::{Swiglu, swiglu};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::amx::Tiled;
