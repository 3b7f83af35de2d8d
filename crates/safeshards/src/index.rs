//! The index of a sharded checkpoint: which tensor is in which file.

mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::header::UPSTREAM_HEADER_LIMIT;
use crate::partial::PartialFile;
use crate::{Error, Result};

/// The name of the index that Hugging Face libraries write and look for.
pub const INDEX_FILE_NAME: &str = "model.safetensors.index.json";

/// The content of a `model.safetensors.index.json`.
///
/// ```
/// use safeshards::ShardIndex;
///
/// let text = r#"{"metadata": {"total_size": 8}, "weight_map": {"w": "model-00001-of-00002.safetensors"}}"#;
/// let index = ShardIndex::parse("model.safetensors.index.json", text.as_bytes())?;
/// assert_eq!(index.total_size(), Some(8));
/// assert_eq!(index.weight_map["w"], "model-00001-of-00002.safetensors");
/// # Ok::<(), safeshards::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct ShardIndex {
    /// Facts about the whole: `total_size`, and whatever else the writer added.
    pub metadata: Map<String, Value>,
    /// From the name of a tensor to the name of the file that holds it.
    pub weight_map: BTreeMap<String, String>,
}

impl ShardIndex {
    /// Reads an index file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::IndexTooLarge`] above 100 MB, otherwise as
    /// [`parse`](Self::parse).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let kind = fs::metadata(path).map_err(Error::io("open", path))?;
        if !kind.is_file() {
            return Err(Error::NotAFile { path: path.to_owned() });
        }
        if kind.len() > UPSTREAM_HEADER_LIMIT {
            let (path, len) = (path.to_owned(), kind.len());
            return Err(Error::IndexTooLarge { path, len, limit: UPSTREAM_HEADER_LIMIT });
        }
        Self::parse(path, &fs::read(path).map_err(Error::io("read", path))?)
    }

    /// Parses the text of an index; `path` is what errors call it.
    ///
    /// Top-level keys other than `metadata` and `weight_map` are ignored.
    ///
    /// # Errors
    /// [`Error::Json`], [`Error::DuplicateKey`], [`Error::NoWeightMap`], [`Error::UnsafeShardName`]
    /// for a file name that leads out of the directory, [`Error::LooksLike`] when the content is
    /// something else altogether.
    pub fn parse(path: impl AsRef<Path>, text: &[u8]) -> Result<Self> {
        parse::parse(path.as_ref(), text)
    }

    /// The `total_size` of the metadata in bytes, where it is there and a whole number.
    #[must_use]
    pub fn total_size(&self) -> Option<u64> {
        let value = self.metadata.get("total_size")?;
        // Some versions of transformers wrote it as a float.
        let whole = |size: &f64| *size >= 0.0 && size.fract() == 0.0 && *size < 2_f64.powi(53);
        #[expect(clippy::cast_sign_loss, reason = "negative numbers are filtered out")]
        value.as_u64().or_else(|| value.as_f64().filter(whole).map(|size| size as u64))
    }

    /// The names of all files that the weight map mentions, each once, sorted.
    #[must_use]
    pub fn shard_names(&self) -> BTreeSet<&str> {
        self.weight_map.values().map(String::as_str).collect()
    }

    /// The text of the index file: sorted, indented by two, with a newline at the end, as
    /// Hugging Face libraries write it.
    ///
    /// # Errors
    /// [`Error::Encode`], which JSON values cannot bring about.
    pub fn to_json(&self) -> Result<String> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|source| Error::Encode { what: "the index", source })?;
        text.push('\n');
        Ok(text)
    }

    /// Writes the index file through a temporary name in the same directory, replacing an old one.
    ///
    /// The data is synced before the rename.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut partial = PartialFile::create(path.as_ref())?;
        partial.write(self.to_json()?.as_bytes())?;
        partial.close(true)?;
        partial.publish(true)
    }
}
