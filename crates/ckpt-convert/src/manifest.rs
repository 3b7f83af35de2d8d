//! What a conversion wrote: every tensor with its digest.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lowfloat::DType;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Plan, Result, Source};

/// The manifest's name in the output folder.
pub const MANIFEST: &str = "manifest.json";

/// What a conversion wrote.
///
/// A `.ckpt` file cut off between two tensors still loads in MindSpore, with tensors missing and no
/// word about it. The manifest is how that shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this form.
    pub version: u32,
    /// The format of the files.
    pub format: String,
    /// The policy that was carried out.
    pub policy: Vec<String>,
    /// The learnt numbers in these tensors.
    pub parameters: u64,
    /// Names of the source's files.
    pub source_files: Vec<String>,
    /// The files written.
    pub files: Vec<ManifestFile>,
    /// The file that lists which tensor is in which of them, where there are several.
    #[serde(default)]
    pub index: Option<String>,
    /// The tensors, in file order.
    pub tensors: Vec<ManifestTensor>,
    /// Source tensors left out by rule.
    #[serde(default)]
    pub dropped: Vec<String>,
}

/// One file written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// One tensor written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestTensor {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    #[serde(serialize_with = "dtype_name", deserialize_with = "named_dtype")]
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Bytes of its content.
    pub bytes: u64,
    /// The file that holds it.
    pub file: String,
    /// SHA-256 of its little-endian content, in hexadecimal.
    pub sha256: String,
    /// The source tensors it was made from.
    pub from: Vec<String>,
}

impl Manifest {
    pub(crate) fn new(plan: &Plan, source: &Source, digests: &[String]) -> Self {
        let tensors = plan.files.iter().flat_map(|file| {
            file.tensors.clone().map(|index| {
                let tensor = &plan.tensors[index];
                let inputs = tensor.transform.inputs().into_iter();
                ManifestTensor {
                    name: tensor.name.clone(),
                    dtype: tensor.dtype,
                    shape: tensor.shape.clone(),
                    bytes: tensor.bytes,
                    file: file.name.clone(),
                    sha256: digests[index].clone(),
                    from: inputs.map(|input| source.tensors()[input].name.clone()).collect(),
                }
            })
        });
        let files = plan.files.iter();
        // What the rules leave out is not in the result; halves of a pair come from one tensor.
        let used: BTreeSet<_> =
            plan.tensors.iter().flat_map(|tensor| tensor.transform.inputs()).collect();
        let parameters = |input: usize| source.parameters_of(&source.tensors()[input]);
        Self {
            version: 1,
            format: plan.format.clone(),
            policy: plan.policy.clone(),
            parameters: used.into_iter().map(parameters).sum(),
            source_files: source.files().iter().map(crate::source::SourceFile::name).collect(),
            files: files
                .map(|file| ManifestFile { name: file.name.clone(), bytes: file.bytes })
                .collect(),
            index: plan.index.clone(),
            tensors: tensors.collect(),
            dropped: plan.dropped.clone(),
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// When the file cannot be read, or is no manifest of a known version.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let wrong = |reason| Error::Json { path: path.to_owned(), reason };
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|error| wrong(format!("not a manifest: {error}")))?;
        match manifest.version {
            1 => Ok(manifest),
            other => Err(wrong(format!("manifest version {other}, expected 1"))),
        }
    }

    /// The entry of the tensor of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ManifestTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(crate) fn dtype_name<S: Serializer>(dtype: &DType, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(dtype.name())
}

fn named_dtype<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DType, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|error| serde::de::Error::custom(format!("{name:?} is {error}")))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from_digit(u32::from(nibble), 16).unwrap_or_default())
        .collect()
}
