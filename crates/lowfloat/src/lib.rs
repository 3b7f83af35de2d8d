#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)]
// The loops of one level must be compiled with the features of that level, down to single values.
#![allow(clippy::inline_always)]

#[cfg(target_endian = "big")]
compile_error!(
    "lowfloat reads and writes little-endian elements in place: little-endian targets only"
);

#[cfg(any(feature = "std", test))]
extern crate std;

pub mod arch;
mod cast;
mod dtype;
mod e2m1;
mod e8m0;
mod element;
mod error;
mod fp8;
pub mod mxfp4;
#[doc(hidden)]
pub mod on_level;
#[cfg(feature = "rayon")]
pub mod parallel;
mod rounding;

pub use cast::{can_cast, cast, cast_bytes, cast_bytes_saturating, cast_saturating, cast_uninit};
pub use dtype::DType;
pub use e2m1::E2M1;
pub use e8m0::E8M0;
pub use element::{Dense, Element, Fp8};
pub use error::{CastError, Mxfp4Error, ParseDTypeError};
pub use fp8::{F8E4M3, F8E5M2};
pub use half::{bf16, f16};
