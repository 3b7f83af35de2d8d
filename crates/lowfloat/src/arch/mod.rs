//! Instruction sets: which there are, which is used, and the kernels for each.
//!
//! A [`Level`] is proof that the CPU has the instructions. Every kernel gives the same bits at
//! every level; the level only decides the speed.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocks;
mod format;
mod kernel;
mod level;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod stream;
mod transpose;
mod uninit;

#[cfg(test)]
mod tests;

pub(crate) use blocks::{dequantize, quantize};
pub(crate) use format::Format;
pub(crate) use kernel::{Writes, cast, copy};
pub use level::Level;
pub(crate) use transpose::dequantize_transposed;
pub(crate) use uninit::{as_uninit, assume_init, uninit_bytes};
