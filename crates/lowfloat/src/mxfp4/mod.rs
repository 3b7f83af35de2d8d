//! MXFP4 of the OCP Microscaling (MX) formats: blocks of 32 four-bit floats ([`E2M1`](crate::E2M1))
//! that share one power-of-two scale ([`E8M0`](crate::E8M0)).
//!
//! Blocks and scales are two byte arrays, as in checkpoints: 16 bytes a block, byte `b` holding
//! element `2b` in its low nibble and `2b + 1` in its high one, and one scale byte a block. The
//! value of an element is `e2m1 * 2^(scale - 127)`.
//!
//! - Every value is exact in `f32` and `bf16`, down to scale 0 (subnormals), except that a few
//!   products with the scales 253 and 254 exceed both and become infinite. In `f16` values round to
//!   nearest even, into subnormals, zeros and infinities where they must.
//! - A block with scale 255 is NaN as a whole (OCP MX 1.0, section 5.3): every value is the positive
//!   quiet NaN. Implementations that shift exponents blindly give large numbers instead.
//! - Minus zero keeps its sign.
//!
//! ```
//! use lowfloat::mxfp4;
//!
//! let mut blocks = [0; mxfp4::BLOCK_BYTES];
//! blocks[..2].copy_from_slice(&[0x10, 0xE7]); // 0, 0.5, 6, -4
//! let mut values = [0f32; mxfp4::BLOCK];
//! mxfp4::dequantize(&blocks, &[127 - 5], &mut values)?;
//! assert_eq!(values[..4], [0.0, 0.5 / 32.0, 6.0 / 32.0, -4.0 / 32.0]);
//!
//! let (mut again, mut scale) = ([0; mxfp4::BLOCK_BYTES], [0]);
//! let stats = mxfp4::quantize(&values, &mut again, &mut scale)?;
//! assert_eq!((again, scale, stats.exact_blocks), (blocks, [127 - 5], 1));
//! # Ok::<(), lowfloat::Mxfp4Error>(())
//! ```

pub(crate) mod dequantize;
pub(crate) mod quantize;
pub(crate) mod stats;
pub(crate) mod transpose;
pub(crate) mod values;

pub use dequantize::{dequantize, dequantize_bytes};
pub use quantize::{quantize, quantize_bytes};
pub use stats::QuantizeStats;
pub use transpose::{Matrix, dequantize_transposed};

use crate::arch::Format;
use crate::{DType, Mxfp4Error};

/// Elements that share a scale.
pub const BLOCK: usize = 32;
/// Bytes of a block, without its scale.
pub const BLOCK_BYTES: usize = 16;

/// The format of a dense side.
fn dense(dtype: DType) -> Result<Format, Mxfp4Error> {
    match Format::of(dtype) {
        Some(format @ (Format::F32 | Format::F16 | Format::Bf16)) => Ok(format),
        _ => Err(Mxfp4Error::Unsupported { dtype }),
    }
}

fn check_length(what: &'static str, expected: usize, actual: usize) -> Result<(), Mxfp4Error> {
    if expected == actual { Ok(()) } else { Err(Mxfp4Error::Length { what, expected, actual }) }
}
