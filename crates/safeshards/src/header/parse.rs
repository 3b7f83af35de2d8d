//! From JSON text to entries: every key is kept, also the second of two equal ones.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::{LENGTH_BYTES, METADATA_KEY};
use crate::json::{Object, Text, offset_of};
use crate::{Error, Result};

/// A header as written, not yet believed.
#[derive(Debug, Default)]
pub(super) struct RawHeader<'a> {
    /// Every `__metadata__` object there is; more than one is a fault that the check reports.
    pub(super) metadata: Vec<Vec<(Text<'a>, Text<'a>)>>,
    pub(super) tensors: Vec<RawTensor<'a>>,
}

/// One entry as written.
#[derive(Debug)]
pub(super) struct RawTensor<'a> {
    pub(super) name: Text<'a>,
    pub(super) info: RawInfo<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct RawInfo<'a> {
    #[serde(borrow)]
    pub(super) dtype: Cow<'a, str>,
    pub(super) shape: Vec<usize>,
    pub(super) data_offsets: (u64, u64),
}

impl<'a> RawHeader<'a> {
    pub(super) fn parse(path: &Path, json: &'a str) -> Result<Self> {
        let mut place = Place::default();
        let mut deserializer = serde_json::Deserializer::from_str(json);
        HeaderSeed { place: &mut place }
            .deserialize(&mut deserializer)
            .and_then(|header| deserializer.end().map(|()| header))
            .map_err(|source| Error::Json {
                path: path.to_owned(),
                offset: LENGTH_BYTES + offset_of(&source, json.as_bytes()),
                place: place.0.unwrap_or_else(|| "the header".to_owned()),
                source,
            })
    }
}

/// What was being read when the parser failed.
#[derive(Default)]
struct Place(Option<String>);

struct HeaderSeed<'p> {
    place: &'p mut Place,
}

impl<'de> DeserializeSeed<'de> for HeaderSeed<'_> {
    type Value = RawHeader<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeaderSeed<'_> {
    type Value = RawHeader<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut header = RawHeader::default();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            if name.0 == METADATA_KEY {
                header.metadata.push(map.next_value_seed(MetadataSeed { place: self.place })?);
                continue;
            }
            match map.next_value::<Object<RawInfo<'de>>>() {
                Ok(Object(info)) => header.tensors.push(RawTensor { name, info }),
                Err(error) => {
                    self.place.0 = Some(format!("tensor `{}`", name.0));
                    return Err(error);
                }
            }
        }
        Ok(header)
    }
}

struct MetadataSeed<'p> {
    place: &'p mut Place,
}

impl<'de> DeserializeSeed<'de> for MetadataSeed<'_> {
    type Value = Vec<(Text<'de>, Text<'de>)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.place.0 = Some(format!("`{METADATA_KEY}`"));
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MetadataSeed<'_> {
    type Value = Vec<(Text<'de>, Text<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    /// `null` stands for no metadata, as upstream reads it.
    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        self.place.0 = None;
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match map.next_value() {
                Ok(value) => entries.push((key, value)),
                Err(error) => {
                    self.place.0 = Some(format!("metadata `{}`", key.0));
                    return Err(error);
                }
            }
        }
        self.place.0 = None;
        Ok(entries)
    }
}
