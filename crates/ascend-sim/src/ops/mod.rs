//! The operators: what each checks, and what it computes.
#![allow(
    clippy::many_single_char_names,
    clippy::needless_pass_by_value,
    clippy::too_many_arguments,
    reason = "an operator takes what its C prototype lists, for a kernel to keep, named as in formulas"
)]
#![cfg_attr(test, allow(clippy::float_cmp, reason = "results are compared to the bit"))]

mod access;
mod activation;
mod attention;
mod broadcast;
mod cast;
mod check;
mod clamp;
mod cumsum;
mod dynamic_quant;
mod elementwise;
mod fill;
mod gather;
mod grouped;
mod kv;
mod matmul;
mod moe;
mod moves;
mod multinomial;
mod norm;
mod nz;
mod order;
mod quant_matmul;
mod rope;
mod sampling;
mod softmax;
pub(crate) mod table;
#[cfg(test)]
mod testing;
mod unary;
#[cfg(test)]
mod vectors;
mod views;
pub(crate) mod weight_format;
mod weight_quant;
mod zero;
