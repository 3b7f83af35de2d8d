//! What a shard will look like, as data: nothing is written here.

mod plan;

use std::collections::BTreeMap;

use lowfloat::DType;
use serde::ser::{Serialize, SerializeMap, Serializer};

pub use plan::{plan_shards, shard_file_name};

use crate::dtype::{bits, upstream};
use crate::header::{LENGTH_BYTES, METADATA_KEY, UPSTREAM_HEADER_LIMIT};
use crate::{Error, Result};

/// What a tensor to be written is, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorSpec {
    /// The name, unique within a checkpoint.
    pub name: String,
    /// The element type.
    pub dtype: DType,
    /// The shape, slowest axis first; empty for a scalar.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// A tensor of that name, element type and shape.
    #[must_use]
    pub fn new(name: impl Into<String>, dtype: DType, shape: impl Into<Vec<usize>>) -> Self {
        Self { name: name.into(), dtype, shape: shape.into() }
    }

    /// Bytes of data.
    ///
    /// ```
    /// use lowfloat::DType;
    /// use safeshards::TensorSpec;
    ///
    /// assert_eq!(TensorSpec::new("norm", DType::BF16, [2880]).byte_len()?, 5760);
    /// assert!(TensorSpec::new("packed", DType::F4, [3]).byte_len().is_err());
    /// # Ok::<(), safeshards::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] when the size overflows, when packed elements do not fill whole bytes,
    /// or when safetensors files cannot hold the element type.
    pub fn byte_len(&self) -> Result<u64> {
        if upstream(self.dtype).is_none() {
            return Err(self.invalid("safetensors has no such element type"));
        }
        match bits(self.dtype, &self.shape) {
            None => Err(self.invalid("its size overflows")),
            Some(bits) if bits % 8 != 0 => {
                Err(self.invalid("its elements do not fill whole bytes"))
            }
            Some(bits) => Ok(bits / 8),
        }
    }

    fn invalid(&self, why: &'static str) -> Error {
        let Self { name, dtype, shape } = self.clone();
        Error::InvalidSpec { tensor: name, dtype, shape, why }
    }
}

/// The exact bytes of a shard's header, and where each body goes.
///
/// ```
/// use lowfloat::DType;
/// use safeshards::{ShardLayout, TensorSpec};
///
/// let specs = [
///     TensorSpec::new("blocks", DType::U8, [4, 16]),
///     TensorSpec::new("bias", DType::BF16, [4]),
/// ];
/// let layout = ShardLayout::new(&specs, &Default::default())?;
/// // Wide element types come first.
/// assert_eq!(layout.entries()[0].spec, 1);
/// assert_eq!(layout.entries()[0].offset, layout.header().len() as u64);
/// assert_eq!(layout.total_len(), layout.header().len() as u64 + 8 + 64);
/// # Ok::<(), safeshards::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardLayout {
    header: Vec<u8>,
    entries: Vec<LayoutEntry>,
    total_len: u64,
}

/// Where one body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutEntry {
    /// The tensor, as its position in the specs that the layout was made from.
    pub spec: usize,
    /// Its first byte in the file.
    pub offset: u64,
    /// Its bytes.
    pub len: u64,
}

impl ShardLayout {
    /// Lays out `specs` in the order of the `safetensors` crate: wide element types first, then by
    /// name.
    ///
    /// Without metadata, the header has no `__metadata__`; with it, keys are sorted.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] for what [`TensorSpec::byte_len`] refuses, a name that comes twice,
    /// the name `__metadata__`, and a file beyond 2^64 bytes; [`Error::LayoutTooLarge`] for a header
    /// that the `safetensors` crate would refuse.
    pub fn new(specs: &[TensorSpec], metadata: &BTreeMap<String, String>) -> Result<Self> {
        let mut order: Vec<usize> = (0..specs.len()).collect();
        // Upstream declares its types in increasing order of alignment, for this comparison.
        let key =
            |&spec: &usize| (std::cmp::Reverse(upstream(specs[spec].dtype)), &specs[spec].name);
        order.sort_by(|left, right| key(left).cmp(&key(right)));
        check_names(specs)?;

        let mut bodies = Vec::with_capacity(specs.len());
        let mut end = 0_u64;
        for spec in order {
            let len = specs[spec].byte_len()?;
            bodies.push(LayoutEntry { spec, offset: end, len });
            end = end.checked_add(len).ok_or_else(|| specs[spec].invalid("the file overflows"))?;
        }
        let raw = RawHeader { specs, metadata, bodies: &bodies };
        let header = raw.encode(UPSTREAM_HEADER_LIMIT)?;
        let begin = header.len() as u64;
        let total_len = match (begin.checked_add(end), bodies.last()) {
            (Some(total_len), _) => total_len,
            (None, Some(last)) => return Err(specs[last.spec].invalid("the file overflows")),
            (None, None) => begin,
        };
        let entries =
            bodies.into_iter().map(|body| LayoutEntry { offset: begin + body.offset, ..body });
        Ok(Self { entries: entries.collect(), header, total_len })
    }

    /// The first bytes of the file: 8 bytes of length, then JSON padded with spaces to a multiple
    /// of 8.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The bodies in file order, without gaps, the first right after the header.
    #[must_use]
    pub fn entries(&self) -> &[LayoutEntry] {
        &self.entries
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn total_len(&self) -> u64 {
        self.total_len
    }
}

/// Every name once, and none that the format keeps for itself.
pub(crate) fn check_names(specs: &[TensorSpec]) -> Result<()> {
    let mut sorted: Vec<&TensorSpec> = specs.iter().collect();
    sorted.sort_by_key(|spec| &spec.name);
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(pair[1].invalid("its name comes twice"));
    }
    match sorted.iter().find(|spec| spec.name == METADATA_KEY) {
        Some(spec) => Err(spec.invalid("the format keeps this name for metadata")),
        None => Ok(()),
    }
}

struct RawHeader<'a> {
    specs: &'a [TensorSpec],
    metadata: &'a BTreeMap<String, String>,
    /// In file order; offsets count from the end of the header.
    bodies: &'a [LayoutEntry],
}

impl RawHeader<'_> {
    fn encode(&self, limit: u64) -> Result<Vec<u8>> {
        let mut header = vec![0; LENGTH_BYTES as usize];
        serde_json::to_writer(&mut header, self)
            .map_err(|source| Error::Encode { what: "the header", source })?;
        header.resize(header.len().next_multiple_of(LENGTH_BYTES as usize), b' ');
        let len = header.len() as u64 - LENGTH_BYTES;
        if len > limit {
            return Err(Error::LayoutTooLarge { tensors: self.specs.len(), len, limit });
        }
        header[..LENGTH_BYTES as usize].copy_from_slice(&len.to_le_bytes());
        Ok(header)
    }
}

/// The fields in upstream's order, so that the bytes are upstream's.
#[derive(serde::Serialize)]
struct RawInfo<'a> {
    dtype: &'a str,
    shape: &'a [usize],
    data_offsets: (u64, u64),
}

impl Serialize for RawHeader<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA_KEY, self.metadata)?;
        }
        for body in self.bodies {
            let spec = &self.specs[body.spec];
            let info = RawInfo {
                dtype: spec.dtype.name(),
                shape: &spec.shape,
                data_offsets: (body.offset, body.offset + body.len),
            };
            map.serialize_entry(&spec.name, &info)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_no_reader_accepts_is_refused() {
        let specs = [TensorSpec::new("t", DType::U8, [0])];
        let bodies = [LayoutEntry { spec: 0, offset: 0, len: 0 }];
        let raw = RawHeader { specs: &specs, metadata: &BTreeMap::new(), bodies: &bodies };
        let len = raw.encode(UPSTREAM_HEADER_LIMIT).unwrap().len() as u64 - LENGTH_BYTES;
        assert!(raw.encode(len).is_ok());
        let error = raw.encode(len - 1).unwrap_err();
        assert!(matches!(error, Error::LayoutTooLarge { tensors: 1, .. }), "{error:?}");
    }
}
