#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod advice;
mod crc;
mod cursor;
mod dtype;
mod entry;
mod error;
mod finding;
mod join;
mod layout;
mod lookalike;
mod place;
mod reader;
mod record;
mod run;
mod scan;
pub mod schema;
mod source;
mod spec;
mod tensor_writer;
mod tracked;
mod verify;
mod wire;
mod writer;

pub use crc::{TRAILER_LEN, looks_like_trailer, trailer};
pub use dtype::{Dtype, Support};
pub use entry::{Entry, MapEntry, Slice};
pub use error::{Error, Result};
pub use finding::{Finding, FindingKind, Severity};
pub use layout::{DEFAULT_SLICE_BYTES, Layout, LayoutOptions, MAX_RECORDS, Record};
pub use lookalike::{Encryption, Lookalike};
pub use place::Place;
pub use reader::{Content, Reader};
pub use source::Source;
pub use spec::{MAX_DIM, MAX_NAME_CHARS, MAX_RANK, TensorSpec};
pub use tensor_writer::TensorWriter;
pub use verify::{Expected, Verification, VerifyOptions, verify, verify_source};
pub use writer::{Summary, Writer};
