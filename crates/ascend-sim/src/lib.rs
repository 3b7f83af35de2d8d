#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![allow(
    clippy::cast_possible_wrap,
    reason = "extents and strides are signed in ACL, and no host has 2^63 elements"
)]
#![allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "operators take the site by reference, whatever it will hold"
)]

#[macro_use]
mod abi;
#[macro_use]
mod interface;
mod dcmi;
mod dtype;
mod hccl;
mod kernel;
pub mod layout;
mod memory;
mod ops;
mod profile;
mod runtime;
mod scalar;
mod sync;
mod tensor;
