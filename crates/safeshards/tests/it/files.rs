//! Small files to test with.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safeshards::{DType, TensorSpec};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// A file with this JSON text, unpadded, and `data_len` bytes 0, 1, 2, … after it.
pub(crate) fn raw(json: &str, data_len: usize) -> Vec<u8> {
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(json.as_bytes());
    file.extend((0..data_len).map(|byte| byte as u8));
    file
}

/// A tensor and its bytes.
pub(crate) type Tensor = (TensorSpec, Vec<u8>);

/// A tensor whose bytes count up from `seed`.
pub(crate) fn tensor(name: &str, dtype: DType, shape: &[usize], seed: u8) -> Tensor {
    let spec = TensorSpec::new(name, dtype, shape);
    let len = spec.byte_len().unwrap();
    let bytes = (0..len).map(|byte| (byte as u8).wrapping_add(seed)).collect();
    (spec, bytes)
}

/// The file that the `safetensors` crate writes.
pub(crate) fn upstream(tensors: &[Tensor], metadata: &[(&str, &str)]) -> Vec<u8> {
    let metadata: HashMap<_, _> =
        metadata.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    let views = tensors.iter().map(|(spec, bytes)| {
        let view = TensorView::new(dtype(spec.dtype), spec.shape.clone(), bytes).unwrap();
        (spec.name.as_str(), view)
    });
    safetensors::serialize(views, Some(metadata).filter(|map| !map.is_empty())).unwrap()
}

/// Upstream's name for a type, by way of the name in headers.
pub(crate) fn dtype(dtype: DType) -> Dtype {
    serde_json::from_str(&format!("{:?}", dtype.name())).unwrap()
}

/// Writes `model-0000i-of-0000n.safetensors` for each group, and the index.
pub(crate) fn sharded(dir: &Path, shards: &[&[Tensor]]) {
    let mut weight_map = serde_json::Map::new();
    let mut total = 0;
    for (i, tensors) in shards.iter().enumerate() {
        let name = safeshards::shard_file_name(i, shards.len());
        fs::write(dir.join(&name), upstream(tensors, &[("format", "pt")])).unwrap();
        for (spec, bytes) in *tensors {
            weight_map.insert(spec.name.clone(), name.clone().into());
            total += bytes.len();
        }
    }
    index(dir, &serde_json::json!({"metadata": {"total_size": total}, "weight_map": weight_map}));
}

/// Writes `model.safetensors.index.json`.
pub(crate) fn index(dir: &Path, index: &serde_json::Value) {
    fs::write(dir.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

/// Three tensors in two shards.
pub(crate) fn two_shards(dir: &Path) {
    sharded(
        dir,
        &[
            &[tensor("a", DType::BF16, &[2, 3], 1), tensor("b", DType::U8, &[5], 2)],
            &[tensor("c", DType::F32, &[2], 3)],
        ],
    );
}

/// The names in a directory, sorted, hidden ones too.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.unwrap().file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(name).collect();
    names.sort();
    names
}
