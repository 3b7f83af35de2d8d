//! Entries against each other and against the length of the file.

use std::collections::BTreeMap;
use std::path::Path;

use lowfloat::DType;

use super::parse::{RawHeader, RawTensor};
use super::{Header, LENGTH_BYTES, METADATA_KEY, TensorInfo};
use crate::dtype::{bits, from_name};
use crate::json::Text;
use crate::{Error, Result};

/// Checks everything that a header says about a file of `file_len` bytes.
pub(super) fn check(
    path: &Path,
    raw: RawHeader<'_>,
    json_len: u64,
    file_len: u64,
) -> Result<Header> {
    let data_begin = LENGTH_BYTES + json_len;
    let data_len = file_len.saturating_sub(data_begin);
    no_duplicates(path, &raw.tensors)?;

    // Upstream wrote files in other orders before 0.4: order by offset, as it does when reading.
    let mut entries = raw.tensors;
    entries.sort_by_key(|entry| entry.info.data_offsets);

    let mut tensors: Vec<TensorInfo> = Vec::with_capacity(entries.len());
    let mut end_of_last = 0;
    for entry in entries {
        let (dtype, len) = size(path, &entry, data_len)?;
        let RawTensor { name: Text(name), info } = entry;
        let (begin, end) = info.data_offsets;
        contiguous(path, &name, begin, end_of_last, tensors.last())?;
        end_of_last = end;
        let name = name.into_owned();
        tensors.push(TensorInfo {
            name,
            dtype,
            shape: info.shape,
            offset: data_begin + begin,
            len,
        });
    }
    if end_of_last != data_len {
        return Err(Error::TrailingBytes {
            path: path.to_owned(),
            expected: data_begin + end_of_last,
            actual: file_len,
        });
    }
    Ok(Header { json_len, metadata: metadata(path, raw.metadata)?, tensors })
}

fn no_duplicates(path: &Path, entries: &[RawTensor<'_>]) -> Result<()> {
    let mut names: Vec<&str> = entries.iter().map(|entry| &*entry.name.0).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(duplicate(path, "the header", pair[0])),
        None => Ok(()),
    }
}

fn metadata(
    path: &Path,
    objects: Vec<Vec<(Text<'_>, Text<'_>)>>,
) -> Result<BTreeMap<String, String>> {
    if objects.len() > 1 {
        return Err(duplicate(path, "the header", METADATA_KEY));
    }
    let mut metadata = BTreeMap::new();
    for (Text(key), Text(value)) in objects.into_iter().flatten() {
        if metadata.contains_key(&*key) {
            return Err(duplicate(path, "the metadata", &key));
        }
        metadata.insert(key.into_owned(), value.into_owned());
    }
    Ok(metadata)
}

fn duplicate(path: &Path, place: &'static str, key: &str) -> Error {
    Error::DuplicateKey { path: path.to_owned(), place, key: key.to_owned() }
}

/// The element type and the length in bytes of one entry, once its own statements agree.
fn size(path: &Path, entry: &RawTensor<'_>, data_len: u64) -> Result<(DType, u64)> {
    let RawTensor { name: Text(name), info } = entry;
    let (path, tensor) = (|| path.to_owned(), || name.clone().into_owned());
    let (begin, end) = info.data_offsets;
    let Some(dtype) = from_name(&info.dtype) else {
        let dtype = info.dtype.clone().into_owned();
        return Err(Error::UnknownDType { path: path(), tensor: tensor(), dtype });
    };
    if end < begin {
        return Err(Error::OffsetsReversed { path: path(), tensor: tensor(), begin, end });
    }
    if end > data_len {
        return Err(Error::BeyondFile { path: path(), tensor: tensor(), end, data_len });
    }
    let shape = || info.shape.clone();
    let Some(bits) = bits(dtype, &info.shape) else {
        return Err(Error::SizeOverflow { path: path(), tensor: tensor(), dtype, shape: shape() });
    };
    if bits % 8 != 0 {
        return Err(Error::PartialByte { path: path(), tensor: tensor(), dtype, shape: shape() });
    }
    let (expected, actual) = (bits / 8, end - begin);
    if expected != actual {
        let (path, tensor, shape) = (path(), tensor(), shape());
        return Err(Error::SizeMismatch { path, tensor, dtype, shape, expected, actual });
    }
    Ok((dtype, actual))
}

/// Each tensor begins where the one before it ends: no shared bytes, none that belong to nobody.
fn contiguous(
    path: &Path,
    name: &str,
    begin: u64,
    end_of_last: u64,
    last: Option<&TensorInfo>,
) -> Result<()> {
    let (path, tensor) = (|| path.to_owned(), || name.to_owned());
    if begin > end_of_last {
        return Err(Error::Hole { path: path(), tensor: tensor(), begin: end_of_last, end: begin });
    }
    match last {
        Some(last) if begin < end_of_last => Err(Error::Overlap {
            path: path(),
            tensor: tensor(),
            other: last.name.clone(),
            begin,
            end: end_of_last,
        }),
        _ => Ok(()),
    }
}
