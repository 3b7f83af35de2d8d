#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod chat;
pub mod sampling;
pub mod text;
