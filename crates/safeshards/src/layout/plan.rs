//! Which tensors go into which shard, and what the shards are called.

use std::ops::Range;

/// Cuts tensors of `lens` bytes into shards of at most `max_shard_size` bytes, in order.
///
/// A shard is filled as long as the next tensor still fits. A tensor larger than the limit gets a
/// shard of its own. As for Hugging Face libraries, the limit counts tensor data, not headers.
/// There is always at least one shard, so that a checkpoint of no tensors is a file, too.
///
/// ```
/// use safeshards::plan_shards;
///
/// assert_eq!(plan_shards(&[4, 4, 9, 1], Some(8)), [0..2, 2..3, 3..4]);
/// assert_eq!(plan_shards(&[4, 4, 9, 1], None), [0..4]);
/// assert_eq!(plan_shards(&[], Some(8)), [0..0]);
/// ```
#[must_use]
pub fn plan_shards(lens: &[u64], max_shard_size: Option<u64>) -> Vec<Range<usize>> {
    let limit = max_shard_size.unwrap_or(u64::MAX);
    let mut shards = Vec::new();
    let (mut begin, mut filled) = (0, 0_u64);
    for (tensor, &len) in lens.iter().enumerate() {
        match filled.checked_add(len).filter(|&sum| sum <= limit) {
            Some(sum) => filled = sum,
            None if tensor == begin => filled = len,
            None => {
                shards.push(begin..tensor);
                (begin, filled) = (tensor, len);
            }
        }
    }
    shards.push(begin..lens.len());
    shards
}

/// The name of shard `index` (from 0) of `count`, as Hugging Face libraries write it.
///
/// ```
/// use safeshards::shard_file_name;
///
/// assert_eq!(shard_file_name(0, 3), "model-00001-of-00003.safetensors");
/// assert_eq!(shard_file_name(0, 1), "model.safetensors");
/// ```
#[must_use]
pub fn shard_file_name(index: usize, count: usize) -> String {
    match count {
        0 | 1 => "model.safetensors".to_owned(),
        _ => format!("model-{:05}-of-{count:05}.safetensors", index.saturating_add(1)),
    }
}
