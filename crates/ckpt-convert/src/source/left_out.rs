//! What a checkpoint holds beside tensors of numbers.

use std::fmt;

/// An entry of a source that is no tensor of numbers, so that no other format has a place for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Index into [`Source::files`](crate::Source::files) of the file that holds it.
    pub file: usize,
    /// What it is.
    pub kind: LeftOutKind,
}

/// What an entry is that is no tensor of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftOutKind {
    /// Text, which is no part of the model: a conversion goes on without it.
    Text,
    /// A tensor of this MindSpore type, which is no type of safetensors.
    Type(mindspore_ckpt::Dtype),
    /// A map tensor (`MapParameter`).
    Map,
}

/// `of type Int4`, `a map tensor`, `text`.
impl fmt::Display for LeftOutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Type(dtype) => write!(f, "of type {dtype}"),
            Self::Map => f.write_str("a map tensor"),
        }
    }
}
