//! What both layouts of the simulator are asked to do.

mod machine;

mod collectives;
mod graphs;
mod lifetimes;
mod memory;
mod operators;
mod refused;
mod views;
mod weather;
