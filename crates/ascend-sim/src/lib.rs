#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

mod dtype;
mod kernel;
mod memory;
mod ops;
mod profile;
mod scalar;
mod tensor;
