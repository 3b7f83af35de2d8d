//! Instruction sets: which there are, which is used, and the inner loops for each.

mod accumulate;
mod dots;
mod portable;
mod rows;
mod simd;

pub(crate) use accumulate::accumulate;
pub(crate) use dots::{Out, dots};
pub(crate) use rows::Rows;
