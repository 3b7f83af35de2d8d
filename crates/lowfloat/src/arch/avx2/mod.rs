//! AVX2 with F16C: x86-64 CPUs since 2013.

mod cast;
pub(super) mod mxfp4;

pub(super) use cast::kernel;
