//! The C symbols.
//!
//! Every exported function is `unsafe`: its caller promises that each pointer is null or as the vendor's documentation
//! wants it. What can be checked is checked, and none unwinds.

#[macro_use]
mod export;
mod argument;
#[macro_use]
mod operator;
mod arrays;
mod executor;
mod lists;
mod pointer;
mod tensor;

pub(crate) use argument::Argument;
pub(crate) use export::Export;
pub(crate) use operator::{Operator, first_phase, second_phase};
pub(crate) use pointer::{Out, Raw};
