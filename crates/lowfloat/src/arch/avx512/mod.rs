//! AVX-512 (F, BW, DQ, VL): x86-64 server CPUs since 2017.

mod cast;
pub(super) mod mxfp4;

pub(super) use cast::kernel;
