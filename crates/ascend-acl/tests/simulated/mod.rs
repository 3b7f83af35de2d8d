//! What both layouts of the simulator are asked to do.

// As in the cases: small numbers, exact results, short names for sizes.
#![allow(clippy::cast_possible_wrap, clippy::float_cmp, clippy::many_single_char_names)]

mod machine;

mod collectives;
mod graphs;
mod lifetimes;
mod memory;
mod operators;
mod refused;
mod sensors;
mod views;
mod weather;
