#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

#[macro_use]
mod abi;
mod dtype;
mod kernel;
pub mod layout;
mod memory;
mod ops;
mod profile;
mod runtime;
mod scalar;
mod sync;
mod tensor;
