//! From shards and an index to one checkpoint, with every contradiction between them reported.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Checkpoint, OpenOptions, Place, Warning};
use crate::{Error, Result, Shard, ShardIndex};

/// Opens the shards that an index names and compares them with it.
pub(super) fn with_index(
    path: PathBuf,
    index_path: PathBuf,
    options: &OpenOptions,
) -> Result<Checkpoint> {
    let index = ShardIndex::read(&index_path)?;
    // The directory of the link, not of its target: in the Hugging Face cache, the index and the
    // shards are links beside each other to blobs that have other names.
    let dir = index_path.parent().unwrap_or(Path::new(""));
    let shards = index.shard_names().into_iter().enumerate().map(|(position, name)| {
        let file = dir.join(name);
        options.shard(position, file).map_err(|error| missing(error, &index_path, &index, name))
    });
    let shards = shards.collect::<Result<Vec<Shard>>>()?;
    let mut checkpoint = without_index(path, shards)?;
    compare(&checkpoint, &index_path, &index)?;

    let total = checkpoint.total_bytes();
    if let Some(stated) =
        index.metadata.get("total_size").filter(|_| index.total_size() != Some(total))
    {
        checkpoint.warnings.push(Warning::TotalSize {
            path: index_path.clone(),
            stated: stated.to_string(),
            actual: total,
        });
    }
    checkpoint.index_path = Some(index_path);
    Ok(checkpoint)
}

/// Orders the tensors of all shards by name; no two may have the same one.
pub(super) fn without_index(path: PathBuf, shards: Vec<Shard>) -> Result<Checkpoint> {
    let mut tensors: Vec<Place> = Vec::with_capacity(shards.iter().map(|s| s.infos().len()).sum());
    for (shard, file) in shards.iter().enumerate() {
        tensors.extend((0..file.infos().len()).map(|tensor| Place { shard, tensor }));
    }
    let name = |place: &Place| shards[place.shard].infos()[place.tensor].name.as_str();
    // Stable, so that of two equal names the one in the earlier shard comes first.
    tensors.sort_by(|left, right| name(left).cmp(name(right)));
    if let Some(pair) = tensors.windows(2).find(|pair| name(&pair[0]) == name(&pair[1])) {
        return Err(Error::TensorInTwoShards {
            tensor: name(&pair[0]).to_owned(),
            first: shards[pair[0].shard].path().to_owned(),
            second: shards[pair[1].shard].path().to_owned(),
        });
    }
    let (metadata, warnings) = merge_metadata(&shards);
    Ok(Checkpoint { path, index_path: None, shards, tensors, metadata, warnings })
}

/// Turns "no such file" into an error that says who expected the file, and what for.
fn missing(error: Error, index_path: &Path, index: &ShardIndex, name: &str) -> Error {
    match error {
        Error::Io { path: shard, source, .. } if source.kind() == ErrorKind::NotFound => {
            let first = index.weight_map.iter().find(|(_, file)| *file == name);
            Error::MissingShard {
                path: index_path.to_owned(),
                shard,
                tensor: first.map(|(tensor, _)| tensor.clone()).unwrap_or_default(),
            }
        }
        other => other,
    }
}

/// Each tensor must be in the shard that the index names.
fn compare(checkpoint: &Checkpoint, index_path: &Path, index: &ShardIndex) -> Result<()> {
    let names: Vec<&str> = index.shard_names().into_iter().collect();
    for tensor in checkpoint.tensors() {
        let (path, name) = (|| index_path.to_owned(), || tensor.name().to_owned());
        let shard = || tensor.shard().path().to_owned();
        match index.weight_map.get(tensor.name()) {
            None => {
                return Err(Error::NotInIndex { path: path(), tensor: name(), shard: shard() });
            }
            Some(expected) if names.get(tensor.shard_index()) != Some(&expected.as_str()) => {
                let (path, tensor, shard) = (path(), name(), shard());
                return Err(Error::WrongShard { path, tensor, shard, expected: expected.clone() });
            }
            Some(_) => {}
        }
    }
    match index.weight_map.iter().find(|(name, _)| !checkpoint.contains(name)) {
        Some((name, file)) => Err(Error::MissingTensor {
            path: index_path.to_owned(),
            tensor: name.clone(),
            shard: index_path.with_file_name(file),
        }),
        None => Ok(()),
    }
}

fn merge_metadata(shards: &[Shard]) -> (BTreeMap<String, String>, Vec<Warning>) {
    let mut merged: BTreeMap<String, String> = BTreeMap::new();
    let mut warnings = Vec::new();
    for shard in shards {
        for (key, value) in shard.metadata() {
            match merged.get(key) {
                None => {
                    merged.insert(key.clone(), value.clone());
                }
                Some(first) if first != value => {
                    let (key, ignored) = (key.clone(), shard.path().to_owned());
                    warnings.push(Warning::Metadata { key, ignored });
                }
                Some(_) => {}
            }
        }
    }
    (merged, warnings)
}
