//! The header of one safetensors file: read, parsed and checked before anything trusts it.
//!
//! The `safetensors` crate parses headers too. It is the outside judge of the tests, not the parser
//! here, because hostile or damaged input is a main case of this crate: upstream's hash maps drop
//! the first of two equal keys without a word, its errors do not say which file or byte is wrong
//! and only sometimes which tensor, and it wants the whole file as one slice.

mod check;
mod parse;

use std::collections::BTreeMap;

use lowfloat::DType;

use crate::source::Source;
use crate::{Error, LookAlike, Result};

/// The most header bytes that the `safetensors` crate accepts.
pub(crate) const UPSTREAM_HEADER_LIMIT: u64 = 100_000_000;

/// Bytes before the JSON text: its length as a little-endian u64.
pub(crate) const LENGTH_BYTES: u64 = 8;

/// The key that holds text about the file instead of a tensor.
pub(crate) const METADATA_KEY: &str = "__metadata__";

/// How much of a file the first read takes: the whole header of most files, in one system call.
const FIRST_READ: u64 = 64 * 1024;

/// A header whose every statement has been checked against the length of its file.
#[derive(Debug)]
pub(crate) struct Header {
    /// Bytes of JSON text, with its padding.
    pub(crate) json_len: u64,
    pub(crate) metadata: BTreeMap<String, String>,
    /// In file order.
    pub(crate) tensors: Vec<TensorInfo>,
}

/// One tensor of a checked header.
#[derive(Debug)]
pub(crate) struct TensorInfo {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    /// First byte in the file.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) len: u64,
}

impl Header {
    /// Reads the header of `source`, and nothing after it.
    pub(crate) fn read(source: &Source, limit: u64) -> Result<Self> {
        let mut start = vec![0; source.len().min(FIRST_READ) as usize];
        source.read_at(0, &mut start)?;
        let json_len = json_len(source, &start, limit)?;

        let header_len = (LENGTH_BYTES + json_len) as usize;
        let read = start.len().min(header_len);
        start.resize(header_len, 0);
        source.read_at(read as u64, &mut start[read..])?;

        let json = &start[LENGTH_BYTES as usize..];
        let text = std::str::from_utf8(json).map_err(|error| {
            recognised(source, &start).unwrap_or_else(|| Error::HeaderNotUtf8 {
                path: source.path().to_owned(),
                offset: LENGTH_BYTES + error.valid_up_to() as u64,
            })
        })?;
        // The format says that `{` comes first; upstream lets blanks precede it, and so do we.
        let blanks = text.len() - text.trim_ascii_start().len();
        if text.as_bytes().get(blanks) != Some(&b'{') {
            return Err(recognised(source, &start).unwrap_or_else(|| Error::HeaderNotObject {
                path: source.path().to_owned(),
                offset: LENGTH_BYTES + blanks as u64,
            }));
        }
        let raw = parse::RawHeader::parse(source.path(), text)?;
        check::check(source.path(), raw, json_len, source.len())
    }
}

/// The length of the JSON text, which is then known to lie within the limit and the file.
fn json_len(source: &Source, start: &[u8], limit: u64) -> Result<u64> {
    let path = || source.path().to_owned();
    let Some(&len) = start.first_chunk() else {
        return Err(recognised(source, start)
            .unwrap_or_else(|| Error::TooShort { path: path(), actual: source.len() }));
    };
    let len = u64::from_le_bytes(len);
    let end = LENGTH_BYTES.saturating_add(len);
    let fault = if len > limit {
        Error::HeaderTooLarge { path: path(), len, limit }
    } else if end > source.len() {
        Error::HeaderBeyondFile { path: path(), expected: end, actual: source.len() }
    } else if usize::try_from(end).is_err() {
        Error::HeaderTooLarge { path: path(), len, limit: usize::MAX as u64 - LENGTH_BYTES }
    } else {
        return Ok(len);
    };
    Err(recognised(source, start).unwrap_or(fault))
}

/// An error that says what a refused file is, unless it has the brace of a safetensors file.
fn recognised(source: &Source, start: &[u8]) -> Option<Error> {
    if start.get(LENGTH_BYTES as usize) == Some(&b'{') {
        return None;
    }
    let what = LookAlike::recognise(start)?;
    Some(Error::LooksLike { path: source.path().to_owned(), what })
}
