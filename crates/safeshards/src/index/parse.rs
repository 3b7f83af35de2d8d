//! An index from hostile bytes.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::ShardIndex;
use crate::json::{Entries, Object, Text, offset_of};
use crate::{Error, LookAlike, Result};

/// An index as written, not yet believed.
#[derive(Deserialize)]
struct RawIndex<'a> {
    #[serde(borrow)]
    metadata: Option<Entries<'a, Value>>,
    #[serde(borrow)]
    weight_map: Option<Entries<'a, Text<'a>>>,
}

pub(super) fn parse(path: &Path, text: &[u8]) -> Result<ShardIndex> {
    // Editors on Windows leave a byte order mark.
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let Object(raw) =
        serde_json::from_slice(text).map_err(|source| match LookAlike::recognise(text) {
            Some(what) if what != LookAlike::Json => {
                Error::LooksLike { path: path.to_owned(), what }
            }
            _ => Error::Json {
                path: path.to_owned(),
                offset: offset_of(&source, text),
                place: "the index".to_owned(),
                source,
            },
        })?;
    check(path, raw)
}

fn check(path: &Path, raw: RawIndex<'_>) -> Result<ShardIndex> {
    let duplicate = |place, key: &str| Error::DuplicateKey {
        path: path.to_owned(),
        place,
        key: key.to_owned(),
    };
    let mut index = ShardIndex::default();
    for (Text(key), value) in raw.metadata.into_iter().flat_map(|entries| entries.0) {
        if index.metadata.contains_key(&*key) {
            return Err(duplicate("`metadata`", &key));
        }
        index.metadata.insert(key.into_owned(), value);
    }
    let Some(Entries(weight_map)) = raw.weight_map else {
        return Err(Error::NoWeightMap { path: path.to_owned() });
    };
    for (Text(tensor), Text(file)) in weight_map {
        if index.weight_map.contains_key(&*tensor) {
            return Err(duplicate("`weight_map`", &tensor));
        }
        let (tensor, file) = (tensor.into_owned(), file.into_owned());
        if let Some(why) = unsafe_name(&file) {
            return Err(Error::UnsafeShardName { path: path.to_owned(), tensor, file, why });
        }
        index.weight_map.insert(tensor, file);
    }
    Ok(index)
}

/// Why `name` cannot be the name of a file beside the index; `None` when it can.
///
/// Backslashes are refused everywhere, so that an index means the same on every system.
fn unsafe_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("is empty")
    } else if name.contains('\0') {
        Some("contains a NUL")
    } else if name.starts_with(['/', '\\']) || Path::new(name).is_absolute() {
        Some("is an absolute path")
    } else if name == "." || name.split(['/', '\\']).any(|part| part == "..") {
        Some("leads out of the directory")
    } else if name.contains(['/', '\\']) {
        Some("contains a path separator")
    } else if cfg!(windows) && name.contains(':') {
        Some("names a drive or a stream")
    } else {
        None
    }
}
