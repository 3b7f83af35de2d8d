//! The crate from outside, with the `safetensors` crate as judge.

#[cfg(unix)]
mod descriptors;
mod files;
mod hostile;
mod index;
mod layout;
mod mutation;
mod open;
mod properties;
mod tensors;
mod writer;
