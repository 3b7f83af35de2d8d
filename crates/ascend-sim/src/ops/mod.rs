//! The operators: what each checks, and what it computes.

pub(crate) mod access;
pub(crate) mod check;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod table;
mod zero;
mod attention;
mod grouped;
mod kv;
mod moe;
mod rope;
#[cfg(test)]
pub(crate) mod vectors;
pub(crate) mod broadcast;
pub(crate) mod elementwise;
pub(crate) mod unary;
pub(crate) mod views;
pub(crate) mod norm;
pub(crate) mod activation;
pub(crate) mod softmax;
pub(crate) mod nz;
pub(crate) mod matmul;
pub(crate) mod weight_format;
pub(crate) mod weight_quant;
pub(crate) mod dynamic_quant;
pub(crate) mod quant_matmul;
pub(crate) mod gather;
pub(crate) mod order;
pub(crate) mod moves;
pub(crate) mod cast;
pub(crate) mod cumsum;
pub(crate) mod fill;
pub(crate) mod sampling;
