//! What is known about one family of models: names, shapes, files.
//!
//! The rest of the crate moves tensors and knows no model; this module is the one place that does.

pub mod gpt_oss;
