//! The safetensors format in the plainest way, to judge other implementations.

use std::fs;
use std::path::Path;

use lowfloat::DType;
use serde_json::Value;

use crate::{Tensor, Tensors};

/// The start of a file, up to the first tensor's bytes, and the tensors in the order in which their
/// bytes follow.
///
/// As the safetensors library writes it: wide element types first, then by name, the JSON padded
/// with spaces to a multiple of eight. `metadata` is the JSON object of `__metadata__`, if any.
///
/// # Panics
///
/// When a tensor's size overflows.
#[must_use]
pub fn header<'n>(
    tensors: impl IntoIterator<Item = (&'n str, DType, &'n [usize])>,
    metadata: Option<&Value>,
) -> (Vec<u8>, Vec<&'n str>) {
    let mut tensors: Vec<_> = tensors.into_iter().collect();
    tensors.sort_by_key(|&(name, dtype, _)| (std::cmp::Reverse(dtype.bits()), name));
    let mut entries: Vec<String> =
        metadata.map(|object| format!("\"__metadata__\":{object}")).into_iter().collect();
    let mut offset = 0;
    for (name, dtype, shape) in &tensors {
        let elements = shape.iter().map(|&dim| dim as u64).product();
        let end = offset + dtype.bytes_for(elements).expect("a whole number of bytes");
        let name = Value::from(*name);
        let shape = Value::from(shape.to_vec());
        entries.push(format!(
            "{name}:{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{offset},{end}]}}"
        ));
        offset = end;
    }
    let mut json = format!("{{{}}}", entries.join(","));
    json.push_str(&" ".repeat(json.len().next_multiple_of(8) - json.len()));
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(json.as_bytes());
    (bytes, tensors.into_iter().map(|(name, ..)| name).collect())
}

/// Writes `tensors` to one file.
///
/// # Panics
///
/// When the file cannot be written.
pub fn write(path: &Path, tensors: &Tensors, metadata: Option<&Value>) {
    let descriptions =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.dtype, &tensor.shape[..]));
    let (mut file, order) = header(descriptions, metadata);
    for name in order {
        file.extend_from_slice(&tensors[name].bytes);
    }
    fs::write(path, file).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
}

/// Reads all tensors of one file.
///
/// # Panics
///
/// When the file cannot be read, is no safetensors file, or has holes, overlaps or bytes too many.
#[must_use]
pub fn read(path: &Path) -> Tensors {
    let place = path.display();
    let file = fs::read(path).unwrap_or_else(|error| panic!("read {place}: {error}"));
    let (length, rest) = file.split_first_chunk().expect("eight bytes of length");
    let (json, data) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
    let header: Value = serde_json::from_slice(json).unwrap_or_else(|e| panic!("{place}: {e}"));
    let mut ranges = Vec::new();
    let mut tensors = Tensors::new();
    for (name, entry) in header.as_object().expect("a JSON object") {
        if name == "__metadata__" {
            continue;
        }
        let numbers = |key: &str| -> Vec<usize> {
            let list = entry[key].as_array().unwrap_or_else(|| panic!("{place}: {name}: {key}"));
            list.iter().map(|n| usize::try_from(n.as_u64().unwrap()).unwrap()).collect()
        };
        let dtype: DType = entry["dtype"].as_str().unwrap().parse().expect("an element type");
        let (shape, offsets) = (numbers("shape"), numbers("data_offsets"));
        let &[start, end] = &offsets[..] else { panic!("{place}: {name}: two offsets") };
        let elements = shape.iter().product::<usize>() as u64;
        assert_eq!(dtype.bytes_for(elements), Some((end - start) as u64), "{place}: {name}");
        ranges.push((start, end));
        tensors.insert(name.clone(), Tensor { dtype, shape, bytes: data[start..end].to_vec() });
    }
    ranges.sort_unstable();
    let end = ranges.iter().fold(0, |at, &(start, end)| {
        assert_eq!(start, at, "{place}: a hole or an overlap");
        end
    });
    assert_eq!(end, data.len(), "{place}: bytes after the last tensor");
    tensors
}

/// Reads all tensors of a directory: those that the index names, or of every `*.safetensors`.
///
/// # Panics
///
/// As [`read`] does, and when the index and the files disagree.
#[must_use]
pub fn read_dir(dir: &Path) -> Tensors {
    let mut all = Tensors::new();
    let mut places = serde_json::Map::new();
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("a directory entry").path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            let file = path.file_name().unwrap().to_str().expect("a UTF-8 name").to_owned();
            for (name, tensor) in read(&path) {
                places.insert(name.clone(), Value::from(file.as_str()));
                assert!(all.insert(name.clone(), tensor).is_none(), "{name} twice");
            }
        }
    }
    if let Ok(index) = fs::read(dir.join("model.safetensors.index.json")) {
        let index: Value = serde_json::from_slice(&index).expect("an index in JSON");
        assert_eq!(index["weight_map"], Value::Object(places), "index of {}", dir.display());
    }
    all
}

#[cfg(test)]
mod tests {
    use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape, shards, tensors};

    use super::*;
    use crate::original;

    fn lengths(files: &[Vec<(String, DType, Vec<usize>)>]) -> Vec<usize> {
        let length = |file: &Vec<(String, DType, Vec<usize>)>| {
            header(file.iter().map(|(n, d, s)| (n.as_str(), *d, &s[..])), None).0.len()
        };
        files.iter().map(length).collect()
    }

    /// The sizes of the released files, less their tensors.
    #[test]
    fn headers_of_the_released_20b() {
        let all = tensors(&Shape::b20(), ExpertFormat::Mxfp4);
        let files: Vec<Vec<_>> = shards(&Shape::b20(), ExpertFormat::Mxfp4)
            .iter()
            .map(|file| file.iter().map(|&i| &all[i]))
            .map(|file| file.map(|t| (t.name.clone(), t.dtype, t.shape.clone())).collect())
            .collect();
        assert_eq!(lengths(&files), [22_248, 22_312, 7_576]);

        let mut fused = Tensors::new();
        for tensor in all {
            let empty = Tensor { dtype: tensor.dtype, shape: tensor.shape, bytes: Vec::new() };
            original::insert(&mut fused, &tensor.name, empty);
        }
        assert_eq!(fused.len(), 363);
        let one = fused.into_iter().map(|(name, t)| (name, t.dtype, t.shape)).collect();
        assert_eq!(lengths(&[one]), [36_216]);
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        let tensor = |dtype, shape: &[usize], bytes: &[u8]| Tensor {
            dtype,
            shape: shape.to_vec(),
            bytes: bytes.to_vec(),
        };
        let tensors = Tensors::from([
            ("a \"quoted\"".to_owned(), tensor(DType::U8, &[3], &[1, 2, 3])),
            ("scalar".to_owned(), tensor(DType::F32, &[], &[4, 5, 6, 7])),
            ("empty".to_owned(), tensor(DType::BF16, &[0, 5], &[])),
        ]);
        for metadata in [None, Some(&serde_json::json!({"format": "pt"}))] {
            write(&path, &tensors, metadata);
            crate::assert_tensors(&read(&path), &tensors);
        }
        crate::assert_tensors(&read_dir(dir.path()), &tensors);
    }
}
